/* See turn.h. */
#include "firstboot/turn.h"

#include "firstboot/cluster.h"
#include "firstboot/status_table.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>

/* Another's turn that was not given back is over after a tenth more than it counts for (lease.h). */
#define WAIT_MS 180000
#define LOOK_MS 2000

/* Voters of two incarnations are no cluster, however well each of them is. */
static int same_cluster(const struct json *first, const struct json *n, struct fault *f)
{
	if (str_eq(json_str(first, "id"), json_str(n, "id")) &&
	    json_int(first, "generation", 0) == json_int(n, "generation", 0))
		return 0;
	return fault_set(f, EPERM, "%s and %s are not of the same cluster", json_str(first, "name"),
			 json_str(n, "name"));
}

int turn_allowed(const struct json *status, struct fault *f)
{
	const struct json *nodes = json_get(status, "nodes", NULL);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < json_len(nodes); i++) {
		const struct json *n = json_at(nodes, i);

		if (!status_node_is_well(n))
			return fault_set(f, EPERM,
					 "%s is not well: a node is renewed only while the cluster "
					 "has three healthy voters; see phoenix status",
					 json_str(n, "name") ? json_str(n, "name") : "a node");
		r = same_cluster(json_at(nodes, 0), n, f);
	}
	if (r < 0)
		return r;
	return json_len(nodes) == NODE_COUNT
		       ? 0
		       : fault_set(f, EPERM, "the cluster does not tell of three nodes");
}

static int wait_for_it(struct turn *t, struct fault *f)
{
	int64_t end = timer_now() + WAIT_MS;
	_str_ struct str who = { 0 };
	bool told = false;
	int r;

	while ((r = lease_acquire(&t->lease, t->kube, &who, f)) == 0) {
		if (t->stop && *t->stop)
			return fault_set(f, EINTR, "stopped by signal %d", (int)*t->stop);
		if (timer_now() > end)
			return fault_set(
				f, EAGAIN,
				"%s goes down just now, or keeps saying so: try again when "
				"phoenix status shows it back",
				str_text(&who));
		if (!told)
			log_info("waits until the turn of %s is over: it goes down, or has just "
				 "come back",
				 str_text(&who));
		told = true;
		timer_sleep(LOOK_MS);
	}
	return r < 0 ? fault_wrap(f, "this node's turn (Lease phoenix-flash)") : 0;
}

int turn_take(struct turn *t, const struct seed *s, struct fault *f)
{
	const struct agent a = { .seed = s };
	_free_ char *nonce = crypto_random_hex(4);
	int r;

	t->holder = mem_printf("%s/%s", s->config->nodes[s->self].name, nonce);
	t->lease = (struct lease){ .ns = "kube-system",
				   .name = "phoenix-flash",
				   .holder = t->holder,
				   .duration_ms = TURN_MS };
	r = admin_kube(&a, s->self, &t->kube, f);
	return r < 0 ? r : wait_for_it(t, f);
}

void turn_keep(struct turn *t)
{
	kube_freep(&t->kube);
}

void turn_end(struct turn *t)
{
	struct fault f = { 0 };

	if (t->kube && lease_held(&t->lease) && lease_release(&t->lease, t->kube, &f) < 0)
		log_warn("the next node's turn begins up to %d s later: %s", TURN_MS / 1000,
			 f.text);
	kube_freep(&t->kube);
	free(t->holder);
	t->holder = NULL;
}
