/* See pulse.h. Lease times are never compared with a clock: only that a lease changed counts, and
 * since when it has not, by the watcher's own monotonic clock. */
#include "firstboot/pulse.h"

#include "firstboot/cluster.h"

#include <stdio.h>

#define EVERY_MS 2000
/* The client certificate in it is good for a day. */
#define CLIENT_MS (12 * 3600 * 1000)
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

static void note(struct agent *a, const struct json *lease)
{
	const char *name = json_string(json_get(lease, "metadata", "name", NULL));
	const char *renewed = json_string(json_get(lease, "spec", "renewTime", NULL));
	int i = name && renewed ? config_node(a->seed->config, name) : -1;

	if (i < 0 || strlen(renewed) >= PULSE_LEN || str_eq(a->pulse[i].renewed, renewed))
		return;
	memcpy(a->pulse[i].renewed, renewed, strlen(renewed) + 1);
	a->pulse[i].since = timer_now();
}

void pulse_look(struct agent *a)
{
	static struct kube *client;
	static int64_t made, looked;
	_json_ struct json *leases = NULL;
	int64_t now = timer_now();

	if (looked && now - looked < EVERY_MS)
		return;
	looked = now;
	if (client && now - made > CLIENT_MS)
		kube_freep(&client);
	if (!client) {
		if (admin_kube(a, a->seed->self, &client, NULL) < 0)
			return;
		made = now;
	}
	if (kube_list(client, LEASES, &leases, NULL, NULL) < 0)
		return;
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < json_len(leases); i++)
		note(a, json_at(leases, i));
	pthread_mutex_unlock(&a->lock);
}

void pulse_tell(const struct agent *a, struct pulse ret[NODE_COUNT])
{
	for (int i = 0; i < NODE_COUNT; i++) {
		ret[i] = (struct pulse){ .age_ms = 0 };
		if (!*a->pulse[i].renewed)
			continue;
		memcpy(ret[i].renewed, a->pulse[i].renewed, PULSE_LEN);
		ret[i].age_ms = timer_now() - a->pulse[i].since;
	}
}
