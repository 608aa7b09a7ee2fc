/* See route_api.h. */
#include "phoenix-job/route_api.h"

#include "lib/kube.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MS 2000
#define AGAIN_MS 500
#define STACK (512 * 1024)

struct route_api;
struct feed {
	struct route_api *api;
	pthread_t thread;
	const char *what, *group, *query;
	/* A look begins anew; then each object, also of the watch. Under the lock. */
	void (*clear)(struct route_api *api);
	void (*object)(struct route_api *api, const struct json *object, bool gone);
	bool failed; /* what is logged */
};

enum { LEASE, PODS, MOVE, FEEDS };

struct route_api {
	struct route_api_as as;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool stopping;
	/* lease, pods, move, system */
	struct route_world seen;
	char paused[ROUTE_NAME];
	struct feed feeds[FEEDS];
	pthread_t teller;
};

/* --- what is seen --- */

static void lease_clear(struct route_api *api)
{
	api->seen.lease.known = false;
}

static void lease_object(struct route_api *api, const struct json *object, bool gone)
{
	route_read_lease(object, &api->seen.lease);
	if (gone)
		lease_clear(api);
}

static void pods_clear(struct route_api *api)
{
	api->seen.n = 0;
}

/* postgres-10 comes after postgres-9 */
static int pod_order(const void *a, const void *b)
{
	const struct route_pod *x = a, *y = b;
	size_t nx = strlen(x->name), ny = strlen(y->name);

	return nx != ny ? (nx > ny) - (nx < ny) : strcmp(x->name, y->name);
}

static void pods_object(struct route_api *api, const struct json *object, bool gone)
{
	struct route_pod pod, *pods = api->seen.pods;
	bool good = route_read_pod(object, &pod);
	int i = 0;

	while (i < api->seen.n && !str_eq(pods[i].name, pod.name))
		i++;
	if (gone && (i == api->seen.n || !str_eq(pods[i].uid, pod.uid)))
		return; /* the end of one that has been followed already */
	if (i < api->seen.n)
		pods[i] = pods[--api->seen.n];
	if (!gone && good && api->seen.n < ROUTE_PODS)
		pods[api->seen.n++] = pod;
	qsort(pods, (size_t)api->seen.n, sizeof *pods, pod_order);
}

static void move_clear(struct route_api *api)
{
	api->seen.moves_known = true;
	api->seen.move = (struct route_move){ 0 };
}

static void move_object(struct route_api *api, const struct json *object, bool gone)
{
	route_read_move(object, &api->seen.move);
	if (gone)
		move_clear(api);
}

/* --- how --- */

static void tell_main(const struct route_api *api)
{
	uint64_t one = 1;

	if (write(api->as.wake, &one, sizeof one) < 0)
		log_error("route: eventfd: %s", strerror(errno));
}

static int on_event(void *user, const char *type, const struct json *object)
{
	struct feed *feed = user;
	bool stopping;

	pthread_mutex_lock(&feed->api->lock);
	feed->object(feed->api, object, str_eq(type, "DELETED"));
	stopping = feed->api->stopping;
	pthread_mutex_unlock(&feed->api->lock);
	tell_main(feed->api);
	return stopping;
}

/* The identity is looked for until it is there. It does not change, and that its object is gone
 * changes nothing: a watch of its own would be a connection for nothing (0.6 MB). */
static int look_for_system(struct route_api *api, struct kube *k, struct fault *f)
{
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/configmaps/postgres", api->as.ns);
	_json_ struct json *map = NULL;
	const char *system;
	int r = *api->seen.system ? 0 : kube_get(k, path, &map, f);

	system = json_string(json_get(map, "data", "system", NULL));
	if (system && strlen(system) < ROUTE_NAME) {
		pthread_mutex_lock(&api->lock);
		snprintf(api->seen.system, ROUTE_NAME, "%s", system);
		pthread_mutex_unlock(&api->lock);
	}
	return r == -ENOENT ? 0 : r;
}

static int look(struct feed *feed, struct kube *k, struct fault *f)
{
	struct route_api *api = feed->api;
	_free_ char *path = mem_printf("%s/namespaces/%s/%s", feed->group, api->as.ns, feed->query),
		    *version = NULL;
	_json_ struct json *items = NULL;
	int r = feed == &api->feeds[MOVE] ? look_for_system(api, k, f) : 0;

	if (r == 0)
		r = kube_list(k, path, &items, &version, f);
	if (r < 0)
		return r;
	pthread_mutex_lock(&api->lock);
	feed->clear(api);
	for (size_t i = 0; i < json_len(items); i++)
		feed->object(api, json_at(items, i), false);
	pthread_mutex_unlock(&api->lock);
	tell_main(api);
	return kube_watch(k, path, &version, LOOK_MS, on_event, feed, f);
}

static bool is_stopping(struct route_api *api)
{
	bool stopping;

	pthread_mutex_lock(&api->lock);
	stopping = api->stopping;
	pthread_mutex_unlock(&api->lock);
	return stopping;
}

/* Once when it begins, once when it ends. */
static void log_trouble(struct feed *feed, int r, const struct fault *f)
{
	bool failed = r < 0 && r != -ESTALE;

	if (failed && !feed->failed)
		log_warn("%s: %s", feed->what, f->text);
	else if (!failed && feed->failed)
		log_info("%s: seen again", feed->what);
	feed->failed = failed;
}

static void *feed_thread(void *arg)
{
	struct feed *feed = arg;
	_kube_ struct kube *k = NULL;

	while (!is_stopping(feed->api)) {
		struct fault f = { 0 };
		int r = k ? 0
			  : kube_in_cluster(feed->api->as.account, feed->api->as.servers, &k, &f);

		if (r == 0)
			r = look(feed, k, &f);
		log_trouble(feed, r, &f);
		if (r < 0 && r != -ESTALE)
			timer_sleep(AGAIN_MS);
	}
	return NULL;
}

/* --- what is told --- */

static int tell(struct route_api *api, struct kube **k, const char *id, struct fault *f)
{
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/configmaps/postgres-move",
				       api->as.ns),
		    *key = mem_printf("paused-%s", api->as.pod);
	_json_ struct json *patch = json_object();
	struct json *data = json_object();
	int r = *k ? 0 : kube_in_cluster(api->as.account, api->as.servers, k, f);

	json_set_str(data, key, id);
	json_set(patch, "data", data);
	return r < 0 ? r : kube_patch(*k, path, patch, NULL, f);
}

/* Once more does no harm, so an outcome that is unknown is a failure. */
static void *tell_thread(void *arg)
{
	struct route_api *api = arg;
	_kube_ struct kube *k = NULL;
	char id[ROUTE_NAME] = "", done[ROUTE_NAME] = "";

	for (;;) {
		struct fault f = { 0 };
		bool stopping;

		pthread_mutex_lock(&api->lock);
		while (!api->stopping && str_eq(api->paused, done))
			pthread_cond_wait(&api->told, &api->lock);
		memcpy(id, api->paused, sizeof id);
		stopping = api->stopping;
		pthread_mutex_unlock(&api->lock);
		if (stopping)
			return NULL;
		if (!*id || tell(api, &k, id, &f) == 0) {
			memcpy(done, id, sizeof done);
			continue;
		}
		log_warn("move %s: cannot tell that we wait: %s", id, f.text);
		timer_sleep(AGAIN_MS);
	}
}

/* --- */

static const struct feed feeds[FEEDS] = {
	[LEASE] = { .what = "Lease postgres",
		    .group = "/apis/coordination.k8s.io/v1",
		    .query = "leases?fieldSelector=metadata.name%3Dpostgres",
		    .clear = lease_clear,
		    .object = lease_object },
	[PODS] = { .what = "pods of postgres",
		   .group = "/api/v1",
		   .query = "pods?labelSelector=app.kubernetes.io%2Fname%3Dpostgres",
		   .clear = pods_clear,
		   .object = pods_object },
	[MOVE] = { .what = "ConfigMap postgres-move",
		   .group = "/api/v1",
		   .query = "configmaps?fieldSelector=metadata.name%3Dpostgres-move",
		   .clear = move_clear,
		   .object = move_object },
};

struct route_api *route_api_start(const struct route_api_as *as)
{
	struct route_api *api = mem_alloc(sizeof *api);
	pthread_attr_t attr;
	int r;

	api->as = *as;
	pthread_mutex_init(&api->lock, NULL);
	pthread_cond_init(&api->told, NULL);
	memcpy(api->feeds, feeds, sizeof feeds);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	r = pthread_create(&api->teller, &attr, tell_thread, api);
	for (int i = 0; r == 0 && i < FEEDS; i++) {
		api->feeds[i].api = api;
		r = pthread_create(&api->feeds[i].thread, &attr, feed_thread, &api->feeds[i]);
	}
	if (r != 0)
		abort(); /* at the start, of a program that cannot do without */
	pthread_attr_destroy(&attr);
	return api;
}

void route_api_stop(struct route_api **papi)
{
	struct route_api *api = *papi;

	*papi = NULL;
	if (!api)
		return;
	pthread_mutex_lock(&api->lock);
	api->stopping = true;
	pthread_cond_signal(&api->told);
	pthread_mutex_unlock(&api->lock);
	pthread_join(api->teller, NULL);
	for (int i = 0; i < FEEDS; i++)
		pthread_join(api->feeds[i].thread, NULL);
	pthread_cond_destroy(&api->told);
	pthread_mutex_destroy(&api->lock);
	free(api);
}

void route_api_tell(struct route_api *api, struct route_world *w)
{
	pthread_mutex_lock(&api->lock);
	w->lease = api->seen.lease;
	w->n = api->seen.n;
	memcpy(w->pods, api->seen.pods, sizeof w->pods);
	w->moves_known = api->seen.moves_known;
	w->move = api->seen.move;
	memcpy(w->system, api->seen.system, sizeof w->system);
	pthread_mutex_unlock(&api->lock);
}

void route_api_paused(struct route_api *api, const char *id)
{
	pthread_mutex_lock(&api->lock);
	snprintf(api->paused, sizeof api->paused, "%s", id);
	pthread_cond_signal(&api->told);
	pthread_mutex_unlock(&api->lock);
}
