/* The supervisor and the API: the Lease, in one thread that does nothing else; the pods, their
 * addresses and this one's label, in another. */
#include "phoenix-job/pg_super.h"

#include "phoenix-job/pg_lease.h"

#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <time.h>

#define PODS_MS 2000

/* Kubernetes's MicroTime. Its only meaning here is that it differs from the one before. */
static void micro_time(char ret[64])
{
	struct timespec now;
	char date[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, 64, "%s.%06ldZ", date, now.tv_nsec / 1000);
}

static int write_lease(struct kube *k, const struct pg_super *s, const struct pg_lease *l,
		       struct pg_lease *now, struct fault *f)
{
	_free_ char *all = mem_printf(PG_LEASE_PATH, s->unit.ns);
	_free_ char *one = mem_printf("%s/postgres", all);
	_json_ struct json *object = NULL, *back = NULL;
	char stamp[64];
	int r;

	micro_time(stamp);
	object = pg_lease_object(l, s->unit.ns, s->unit.pod, stamp);
	r = l->version ? kube_replace(k, one, object, &back, f)
		       : kube_create(k, all, object, &back, f);
	if (r == 0)
		pg_lease_read(back, now);
	return r;
}

static int read_lease(struct kube *k, const struct pg_super *s, struct pg_lease *now,
		      struct fault *f)
{
	_free_ char *path = mem_printf(PG_LEASE_PATH "/postgres", s->unit.ns);
	_json_ struct json *j = NULL;
	int r = kube_get(k, path, &j, f);

	if (r < 0 && r != -ENOENT)
		return r;
	pg_lease_read(j, now);
	return 0;
}

static void api_do(struct pg_super *s, struct kube *k, const struct pg_wish *w, int64_t sent)
{
	struct pg_lease now = { 0 };
	struct fault f = { 0 };
	bool written = false;
	int r = -ESTALE;

	if (w->write_lease) {
		r = write_lease(k, s, &w->lease, &now, &f);
		written = r == 0;
	}
	/* somebody else's stands there, or it is gone: which? */
	if (r == -ESTALE || r == -EEXIST || r == -ENOENT)
		r = read_lease(k, s, &now, &f);
	if (r < 0)
		log_debug("Lease: %s", f.text);
	pthread_mutex_lock(&s->lock);
	pg_core_api(&s->core, timer_now(), sent, r == 0 ? &now : NULL, written);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static struct kube *client(const struct pg_super *s)
{
	struct kube *k = NULL;
	struct fault f = { 0 };

	while (kube_in_cluster(KUBE_ACCOUNT, &s->unit.api, &k, &f) < 0) {
		log_error("%s", f.text);
		timer_sleep(5000);
	}
	return k;
}

void *pg_api_thread(void *super)
{
	struct pg_super *s = super;
	_kube_ struct kube *k = client(s);

	for (;;) {
		struct pg_wish w;
		int64_t sent;

		pthread_mutex_lock(&s->lock);
		while (!s->api_wanted)
			pthread_cond_wait(&s->wake, &s->lock);
		s->api_wanted = false;
		w = s->api_wish;
		sent = s->api_sent;
		pthread_mutex_unlock(&s->lock);
		api_do(s, k, &w, sent);
	}
	return NULL;
}

/* --- the pods --- */

static void pods_heard(struct pg_super *s, const struct json *list)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *pod = json_at(list, i), *meta = json_get(pod, "metadata", NULL);
		const char *ip = json_str(json_get(pod, "status", NULL), "podIP");
		int n = pg_pod_number(json_str(meta, "name"));

		if (n < 0)
			continue;
		snprintf(s->uids[n], sizeof s->uids[n], "%s", json_str(meta, "uid") ?: "");
		snprintf(s->addresses[n], sizeof s->addresses[n], "%s",
			 n == s->unit.self ? s->unit.address : ip ?: "");
	}
	s->pods_listed = true;
}

static const char *role_of(const struct json *list, const char *pod)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *meta = json_get(json_at(list, i), "metadata", NULL);

		if (str_eq(json_str(meta, "name"), pod))
			return json_str(json_get(meta, "labels", NULL), "role") ?: "";
	}
	return NULL;
}

static void label(struct pg_super *s, struct kube *k, const char *role)
{
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/pods/%s", s->unit.ns, s->unit.pod);
	_json_ struct json *patch = json_object();
	struct json *meta = json_object(), *labels = json_object();
	struct fault f = { 0 };

	json_set_str(labels, "role", role);
	json_set(meta, "labels", labels);
	json_set_str(meta, "uid", s->unit.uid); /* not of a pod that took this one's name */
	json_set(patch, "metadata", meta);
	if (kube_patch(k, path, patch, NULL, &f) < 0)
		log_warn("the pod's label: %s", f.text);
}

void *pg_pods_thread(void *super)
{
	struct pg_super *s = super;
	_kube_ struct kube *k = client(s);
	_free_ char *path = mem_printf(
		"/api/v1/namespaces/%s/pods?labelSelector=app.kubernetes.io%%2Fname%%3Dpostgres",
		s->unit.ns);

	for (;; timer_sleep(PODS_MS)) {
		_json_ struct json *list = NULL;
		struct fault f = { 0 };
		const char *is, *ought;

		if (kube_list(k, path, &list, NULL, &f) < 0) {
			log_debug("pods: %s", f.text);
			continue;
		}
		pthread_mutex_lock(&s->lock);
		pods_heard(s, list);
		ought = s->core.server == PG_PRIMARY && s->core.permit_until ? "primary"
									     : "standby";
		pthread_mutex_unlock(&s->lock);
		is = role_of(list, s->unit.pod);
		if (is && !str_eq(is, ought))
			label(s, k, ought);
	}
	return NULL;
}
