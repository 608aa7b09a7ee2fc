/* See route_look.h. */
#include "phoenix-job/route_look.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "lib/pg.h"
#include "lib/str.h"
#include "lib/timer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A server that refuses is asked again after this at the earliest: each try is a TLS handshake. */
#define AGAIN_MS 200
#define STACK (256 * 1024)

struct slot {
	struct route_look *look;
	pthread_t thread;
	int wake;
	struct route_pod pod; /* "" as UID: none */
	int64_t every;
	enum said { NOT_ASKED, ANSWERS, REFUSES, SILENT } was; /* as it was logged */
};

struct route_look {
	struct route_look_as as;
	pthread_mutex_t lock; /* each slot's pod and every, stopping */
	bool stopping;
	struct slot slots[ROUTE_PODS];
};

/* pg_walfile_name tells the timeline of now, pg_control_checkpoint that of the last checkpoint. */
static const char question[] =
	"SELECT (SELECT system_identifier FROM pg_control_system())::text AS system, r AS recovery,"
	" (SELECT term FROM phoenix.term) AS term,"
	" CASE WHEN r THEN NULL ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"
	" AS timeline,"
	" (SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming') AS received,"
	" (CASE WHEN r THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
	" - '0/0'::pg_lsn)::bigint AS position,"
	" (SELECT string_agg(host(client_addr), ' ') FROM pg_stat_replication"
	" WHERE state = 'streaming') AS standbys "
	"FROM pg_is_in_recovery() r";

static void read_standbys(struct route_server *v, const char *list)
{
	while (list && v->n_standbys < ROUTE_PODS) {
		size_t len = strcspn(list, " ");

		snprintf(v->standbys[v->n_standbys++], ROUTE_NAME, "%.*s", (int)len, list);
		list = list[len] ? list + len + 1 : NULL;
	}
}

static void read_answer(const struct pg_rows *rows, int64_t at, struct route_server *v)
{
	const char *timeline = pg_text(rows, 0, "timeline");

	*v = (struct route_server){ .told = true, .told_at = at };
	snprintf(v->system, sizeof v->system, "%s", pg_text(rows, 0, "system") ?: "");
	v->recovery = pg_true(rows, 0, "recovery");
	v->term = pg_int(rows, 0, "term", -1);
	v->position = (uint64_t)pg_int(rows, 0, "position", 0);
	v->streams = pg_text(rows, 0, "received");
	v->timeline = timeline ? strtol(timeline, NULL, 16) : pg_int(rows, 0, "received", 0);
	read_standbys(v, pg_text(rows, 0, "standbys"));
}

static int ask(struct slot *s, const struct route_pod *pod, struct pg **pg, struct pg_rows **rows,
	       struct fault *f)
{
	const struct pg_target t = { .address = pod->address,
				     .database = "postgres",
				     .user = "route",
				     .password = s->look->as.password,
				     .ca_file = s->look->as.ca_file,
				     .timeout_ms = ROUTE_LOOK_MS };
	bool old = *pg;
	int r;

	if (old && pg_usable(*pg)) {
		r = pg_query(*pg, rows, f, question, 0);
		if (r != -ECONNRESET)
			return r;
	}
	/* that one had ended: whether the server is there only a new one says */
	pg_freep(pg);
	r = pg_open(&t, pg, f);
	return r < 0 ? r : pg_query(*pg, rows, f, question, 0);
}

/* Nobody said anything, or somebody said only that there is no room: that says nothing about what
 * was known before. Everything else is the answer of one that cannot be used. */
static bool no_answer(int r)
{
	return r == -ETIMEDOUT || r == -EHOSTUNREACH || r == -EBUSY;
}

/* Once each time that it answers, refuses or is silent after something else: how exactly it is
 * silent differs from look to look. */
static void log_change(struct slot *s, const struct route_pod *pod, int r, const struct fault *f)
{
	enum said now = r == 0 ? ANSWERS : no_answer(r) ? SILENT : REFUSES;

	if (now == s->was)
		return;
	if (r == 0)
		log_info("%s answers", pod->name);
	else
		log_info("%s", f->text);
	s->was = now;
}

static bool same_pod(const struct route_pod *a, const struct route_pod *b)
{
	return str_eq(a->uid, b->uid) && str_eq(a->address, b->address);
}

static void tell_main(const struct route_look *look)
{
	uint64_t one = 1;

	if (write(look->as.wake, &one, sizeof one) < 0)
		log_error("route: eventfd: %s", strerror(errno));
}

/* One look; false: it was of no use to ask again soon. */
static bool look_once(struct slot *s, const struct route_pod *pod, struct pg **pg)
{
	_rows_ struct pg_rows *rows = NULL;
	struct route_server v = { 0 };
	struct fault f = { 0 };
	int64_t at = timer_now();
	int r = ask(s, pod, pg, &rows, &f);

	if (r == 0)
		read_answer(rows, at, &v);
	else
		pg_freep(pg);
	log_change(s, pod, r, &f);
	pthread_mutex_lock(&s->look->lock);
	if (same_pod(&s->pod, pod)) {
		if (r == 0 || !no_answer(r))
			s->pod.server = v;
		else
			s->pod.server.silent++;
	}
	pthread_mutex_unlock(&s->look->lock);
	tell_main(s->look);
	return r == 0;
}

static void *look_thread(void *arg)
{
	struct slot *s = arg;
	struct route_look *look = s->look;
	struct route_pod last = { 0 };
	_pg_ struct pg *pg = NULL;
	bool good = true;
	int64_t begun = 0;

	for (;;) {
		struct route_pod pod;
		int64_t wait;
		uint64_t count;
		bool stopping;

		pthread_mutex_lock(&look->lock);
		pod = s->pod;
		stopping = look->stopping;
		wait = begun + (good || s->every > AGAIN_MS ? s->every : AGAIN_MS) - timer_now();
		pthread_mutex_unlock(&look->lock);
		if (stopping)
			return NULL;
		if (!same_pod(&last, &pod)) {
			pg_freep(&pg);
			last = pod;
			s->was = NOT_ASKED;
			wait = 0;
		}
		if (!*pod.address)
			wait = 60000;
		if (wait > 0 && !pg_wait(pg, s->wake, wait) &&
		    read(s->wake, &count, sizeof count) == sizeof count)
			begun = 0; /* told to look: or to see what has changed */
		else if (*pod.address) {
			begun = timer_now();
			good = look_once(s, &pod, &pg);
		}
	}
}

struct route_look *route_look_start(const struct route_look_as *as)
{
	struct route_look *look = mem_alloc(sizeof *look);
	pthread_attr_t attr;

	look->as = *as;
	pthread_mutex_init(&look->lock, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (int i = 0; i < ROUTE_PODS; i++) {
		struct slot *s = &look->slots[i];

		s->look = look;
		s->every = ROUTE_LOOK_MS;
		s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->wake < 0 || pthread_create(&s->thread, &attr, look_thread, s) != 0)
			abort(); /* at the start, of a program that cannot do without */
	}
	pthread_attr_destroy(&attr);
	return look;
}

static void wake(struct slot *s)
{
	uint64_t one = 1;

	if (write(s->wake, &one, sizeof one) < 0)
		log_error("route: eventfd: %s", strerror(errno));
}

void route_look_stop(struct route_look **plook)
{
	struct route_look *look = *plook;

	*plook = NULL;
	if (!look)
		return;
	pthread_mutex_lock(&look->lock);
	look->stopping = true;
	pthread_mutex_unlock(&look->lock);
	for (int i = 0; i < ROUTE_PODS; i++) {
		wake(&look->slots[i]);
		pthread_join(look->slots[i].thread, NULL);
		close(look->slots[i].wake);
	}
	pthread_mutex_destroy(&look->lock);
	free(look);
}

static struct slot *slot_of(struct route_look *look, const struct route_pod *pod)
{
	for (int i = 0; i < ROUTE_PODS; i++)
		if (same_pod(&look->slots[i].pod, pod))
			return &look->slots[i];
	return NULL;
}

static bool listed(const struct route_pod *pod, const struct route_pod *pods, int n)
{
	for (int i = 0; i < n; i++)
		if (same_pod(pod, &pods[i]))
			return true;
	return false;
}

void route_look_pods(struct route_look *look, const struct route_pod *pods, int n)
{
	static const struct route_pod none;

	pthread_mutex_lock(&look->lock);
	for (int i = 0; i < ROUTE_PODS; i++)
		if (*look->slots[i].pod.uid && !listed(&look->slots[i].pod, pods, n)) {
			look->slots[i].pod = none;
			wake(&look->slots[i]);
		}
	for (int i = 0; i < n; i++) {
		struct slot *s = slot_of(look, &pods[i]) ? NULL : slot_of(look, &none);

		if (!s)
			continue;
		s->pod = pods[i];
		s->pod.server = none.server;
		wake(s);
	}
	pthread_mutex_unlock(&look->lock);
}

void route_look_hurry(struct route_look *look, const char *uid, int64_t ms)
{
	pthread_mutex_lock(&look->lock);
	for (int i = 0; i < ROUTE_PODS; i++) {
		struct slot *s = &look->slots[i];

		s->every = str_eq(s->pod.uid, uid) ? ms : ROUTE_LOOK_MS;
		if (*s->pod.uid)
			wake(s);
	}
	pthread_mutex_unlock(&look->lock);
}

void route_look_tell(struct route_look *look, struct route_pod *pods, int n)
{
	pthread_mutex_lock(&look->lock);
	for (int i = 0; i < n; i++) {
		const struct slot *s = slot_of(look, &pods[i]);

		pods[i].server = s ? s->pod.server : (struct route_server){ 0 };
	}
	pthread_mutex_unlock(&look->lock);
}
