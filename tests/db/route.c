/* phoenix route between real servers and real poolers. Cases build on each other: each leaves one
 * primary and two standbys. */
#include "tests/db/pods.h"

#include "lib/timer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* How many of N sessions read from each server. */
static void sessions(int n, int count[4])
{
	memset(count, 0, 4 * sizeof *count);
	for (int i = 0; i < n; i++) {
		_pg_ struct pg *pg = NULL;
		int at = reach(POOLER, 9999, "gitea", true, &pg, NULL) < 0 ? -1
									   : server_of(pg, WHERE);

		if (at >= 0 && at < 4)
			count[at]++;
	}
}

/* --- a writer and what it notices --- */

struct writer {
	pthread_t thread;
	int port;
	_Atomic bool stop;
	_Atomic int64_t last; /* acknowledged at */
	int64_t gap;	      /* the longest between two */
	int acknowledged, errors, connections;
	char said[300];
};

static void *writes(void *arg)
{
	struct writer *w = arg;
	_pg_ struct pg *pg = NULL;

	while (!atomic_load(&w->stop)) {
		struct fault f = { 0 };
		int64_t now;
		int r = pg_usable(pg) ? 0
				      : (pg_freep(&pg), w->connections++,
					 reach(POOLER, w->port, "gitea", true, &pg, &f));

		if (r == 0)
			r = pg_do(pg, "BEGIN; INSERT INTO t (x) VALUES ('x'); COMMIT", NULL, &f);
		now = timer_now();
		if (r < 0) {
			w->errors++;
			snprintf(w->said, sizeof w->said, "%s", f.text);
			timer_sleep(20);
			continue;
		}
		if (w->last && now - w->last > w->gap)
			w->gap = now - w->last;
		w->last = now;
		w->acknowledged++;
	}
	return NULL;
}

static void writer_start(struct writer *w, int port)
{
	*w = (struct writer){ .port = port };
	assert_int_equal(pthread_create(&w->thread, NULL, writes, w), 0);
	for (int i = 0; i < 1000 && !w->last; i++)
		timer_sleep(20);
	if (!w->last)
		fail_msg("nothing is written: %s", w->said);
}

/* Until something is acknowledged after SINCE. */
static int64_t written_after(const struct writer *w, int64_t since)
{
	for (int i = 0; i < 30000 && atomic_load(&w->last) <= since; i++)
		timer_sleep(1);
	if (w->last <= since)
		fail_msg("nothing is written any more: %s", w->said);
	return w->last - since;
}

static void writer_stop(struct writer *w)
{
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
}

/* --- cases --- */

static void reads_are_split_and_writes_go_to_the_primary(void **state)
{
	_pg_ struct pg *pg = NULL, *session = NULL;
	int count[4];

	(void)state;
	until_as_it_should_be();
	pg = client(9999);
	session = client(6432);
	done(pg, "INSERT INTO t (x) VALUES ('a')");
	assert_int_equal(server_of(session, WHERE), 0);
	assert_int_equal(server_of(pg, "INSERT INTO t (x) VALUES (host(inet_server_addr())) "
				       "RETURNING x AS a"),
			 0);
	sessions(40, count);
	print_message("sessions read from: %d %d %d\n", count[0], count[1], count[2]);
	assert_int_equal(count[0], 0);
	assert_true(count[1] > 5);
	assert_true(count[2] > 5);
	assert_int_equal(count[1] + count[2], 40);
}

static void without_tls_or_password_nobody_gets_in(void **state)
{
	static const int ports[] = { 9999, 6432 };
	struct fault f = { 0 };
	struct pg *pg = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		assert_true(reach(POOLER, ports[i], "gitea", false, &pg, &f) < 0);
		assert_true(reach(POOLER, ports[i], "nobody", true, &pg, &f) < 0);
	}
	for (int port = 6433; port <= 6435; port++)
		assert_int_equal(reach(POOLER, port, "gitea", true, &pg, &f), -ECONNREFUSED);
}

/* What was open before notices nothing, or one error. */
static void a_standby_stops(void **state)
{
	struct pg *open[8];
	int count[4], errors = 0;
	pid_t pid = postmaster(2);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		open[i] = client(9999);
		assert_true(server_of(open[i], WHERE) > 0);
	}
	signalled(pid, SIGINT);
	is_gone(pid);
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		bool failed = server_of(open[i], WHERE) < 0;

		errors += failed;
		if (!failed)
			assert_true(server_of(open[i], WHERE) >= 0);
		pg_freep(&open[i]);
	}
	print_message("of 8 sessions %d failed\n", errors);
	until_pool("ro2", 0);
	sessions(20, count);
	assert_int_equal(count[0] + count[1], 20);
	assert_true(count[0] > 0);
	hand("start 2");
	until_pool("ro2", 2);
}

/* None of the connections through it, all of those after it. */
static void killed(const char *program, const char *word)
{
	pid_t pid = process(program, word), now = 0;
	int64_t start = timer_now();
	_pg_ struct pg *pg = NULL;

	signalled(pid, SIGKILL);
	for (int i = 0; i < 600 && (now == 0 || now == pid); i++, timer_sleep(20))
		now = process(program, word);
	assert_true(now > pid);
	while (!pg && timer_now() < start + LATE)
		if (reach(POOLER, 9999, "gitea", true, &pg, NULL) == 0 &&
		    pg_do(pg, "INSERT INTO t (x) VALUES ('k')", NULL, NULL) < 0)
			pg_freep(&pg);
	assert_non_null(pg);
	print_message("%s: written again after %lld ms\n", word, (long long)(timer_now() - start));
}

static void a_program_is_killed(void **state)
{
	(void)state;
	killed("pgbouncer", "/rw.ini");
	killed("pgbouncer", "/ro1.ini");
	killed("pgpool", "-n");
	until_as_it_should_be();
}

static void until_acknowledged(const char *id)
{
	for (int i = 0; i < 600; i++, timer_sleep(10)) {
		_json_ struct json *map = NULL;

		assert_int_equal(kube_get(kube, NS "/configmaps/postgres-move", &map, NULL), 0);
		if (str_eq(json_string(json_get(map, "data", "paused-pooler-0", NULL)), id))
			return;
	}
	fail_msg("move %s is not acknowledged", id);
}

static void killed_while_paused(void **state)
{
	struct writer w;
	int64_t since;

	(void)state;
	writer_start(&w, 9999);
	put_move("k", 2, "pause");
	until_acknowledged("k");
	timer_sleep(50);
	since = timer_now();
	timer_sleep(300);
	assert_true(w.last <= since); /* it waits */
	signalled(process("/test/phoenix", "route"), SIGKILL);
	written_after(&w, since);
	writer_stop(&w);
	print_message("killed while paused: written again after %lld ms, %d errors\n",
		      (long long)w.gap, w.errors);
	put_move("k", 2, "aborted");
	until_as_it_should_be();
}

static void a_planned_move(void **state)
{
	pid_t pid = postmaster(0);
	int64_t changed, since;
	struct writer w;

	(void)state;
	writer_start(&w, 9999);
	put_move("m", 2, "fence");
	until_pool("ro1", 2);
	until_pool("ro2", 2);
	third_follows(2, 0); /* the other one streams from what will be the primary */
	since = timer_now();
	put_move("m", 2, "pause");
	until_acknowledged("m");
	print_message("move: acknowledged after %lld ms\n", (long long)(timer_now() - since));
	signalled(pid, SIGINT);
	is_gone(pid);
	promote(2);
	changed = timer_now();
	put_holder(2, term);
	print_message("move: written %lld ms after the Lease\n",
		      (long long)written_after(&w, changed));
	timer_sleep(300);
	writer_stop(&w);
	print_message("move: longest gap %lld ms, %d errors (%s), %d written\n", (long long)w.gap,
		      w.errors, w.said, w.acknowledged);
	assert_int_equal(w.errors, 0);
	assert_int_equal(w.connections, 1);
	hand("clone 0 2");
	until_as_it_should_be();
}

/* A statement that takes longer than anybody waits. */
struct sleeper {
	pthread_t thread;
	struct pg *pg;
	_Atomic int64_t ended;
	int result;
};

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;

	s->result = pg_do(s->pg, "BEGIN; SELECT pg_sleep(35); COMMIT", NULL, NULL);
	atomic_store(&s->ended, timer_now());
	return NULL;
}

static void sleeper_start(struct sleeper *s, int port)
{
	*s = (struct sleeper){ .pg = client(port) };
	done(s->pg, "INSERT INTO t (x) VALUES ('s')"); /* it is where writes are done */
	assert_int_equal(pthread_create(&s->thread, NULL, sleeps, s), 0);
	timer_sleep(300);
}

/* It ended with an error, MS after SINCE at most. */
static void sleeper_ended(struct sleeper *s, int64_t since, int64_t ms, const char *what)
{
	pthread_join(s->thread, NULL);
	pg_freep(&s->pg);
	print_message("%s: a statement under way ended after %lld ms\n", what,
		      (long long)(s->ended - since));
	assert_true(s->result < 0);
	assert_true(s->ended - since <= ms);
}

/* The next one takes over; the old one is made anew. */
static void take_over(struct writer *w, const char *what)
{
	int next = (primary + 1) % 3;
	int64_t changed;

	third_follows(next, primary);
	promote(next);
	changed = timer_now();
	put_holder(next, term);
	print_message("%s: written %lld ms after the Lease\n", what,
		      (long long)written_after(w, changed));
	writer_stop(w);
	print_message("%s: %d errors (%s)\n", what, w->errors, w->said);
}

static void the_primary_dies(void **state)
{
	int old = primary;
	struct writer w;

	(void)state;
	writer_start(&w, 9999);
	signalled_all(old, SIGKILL);
	until_pool("rw", -1);
	take_over(&w, "failover");
	assert_true(w.errors <= 2);
	others_made_anew();
}

static void the_primary_is_cut_off(void **state)
{
	struct sleeper direct, split;
	int old = primary;
	struct writer w;
	int64_t since;

	(void)state;
	writer_start(&w, 9999);
	sleeper_start(&direct, 6432);
	sleeper_start(&split, 9999);
	since = timer_now();
	link_of(old, "down");
	until_pool("rw", -1);
	until_pool("ro1", -1);
	sleeper_ended(&direct, since, 10000, "cut off, session");
	sleeper_ended(&split, since, 10000, "cut off");
	take_over(&w, "cut off");
	signalled_all(old, SIGKILL);
	link_of(old, "up");
	others_made_anew();
}

static void the_primary_stands_still(void **state)
{
	struct sleeper direct, split;
	int old = primary;
	struct writer w;
	int64_t changed;

	(void)state;
	writer_start(&w, 9999);
	sleeper_start(&direct, 6432);
	sleeper_start(&split, 9999);
	signalled_all(old, SIGSTOP);
	until_pool("rw", -1);
	changed = timer_now();
	take_over(&w, "stands still");
	sleeper_ended(&direct, changed, 8000, "stands still, session");
	sleeper_ended(&split, changed, 8000, "stands still");
	signalled_all(old, SIGKILL);
	others_made_anew();
}

/* It has the roles, the term, and the Lease's word. */
static void another_cluster_is_never_pointed_at(void **state)
{
	_free_ char *sql = mem_printf("UPDATE phoenix.term SET term = %lld", (long long)++term);

	(void)state;
	put_pod(3, "10.42.0.13");
	server_does(3, sql);
	put_holder(3, term);
	until_pool("rw", -1);
	for (int i = 0; i < 20; i++, timer_sleep(100)) {
		_free_ char *rw = pool("rw"), *ro = pool("ro1");

		assert_string_equal(rw, "");
		assert_string_equal(ro, "");
	}
	assert_int_equal(kube_delete(kube, NS "/pods/postgres-3", NULL, NULL, NULL), 0);
	server_does(primary, sql);
	put_holder(primary, term);
	until_as_it_should_be();
}

/* The pod was made anew under the same name and address; the Lease still names the one before. */
static void another_pod_with_the_same_address(void **state)
{
	_free_ char *path = mem_printf(NS "/pods/postgres-%d", primary),
		    *address = mem_printf("10.42.0.1%d", primary);

	(void)state;
	assert_int_equal(kube_delete(kube, path, NULL, NULL, NULL), 0);
	put_pod(primary, address);
	until_pool("rw", -1);
	put_holder(primary, term);
	until_as_it_should_be();
}

/* Own node's API server is gone, also while the Lease changes. */
static void an_api_server_is_down(void **state)
{
	_free_ char *tell = mem_printf("%s --tell %s/tell", getenv("ROUTE_DOUBLE"),
				       getenv("ROUTE_DIR")),
		    *down = mem_printf("%s down 10.42.0.1:6443", tell),
		    *up = mem_printf("%s up 10.42.0.1:6443", tell);
	int old = primary;
	struct writer w;
	pid_t pid = postmaster(old);

	(void)state;
	writer_start(&w, 9999);
	assert_int_equal(system(down), 0);
	signalled(pid, SIGINT);
	is_gone(pid);
	take_over(&w, "API down");
	assert_int_equal(system(up), 0);
	others_made_anew();
}

/* What `route-rss-mb' promises. */
static void it_is_small(void **state)
{
	_free_ char *path = mem_printf("/proc/%d/status", process("/test/phoenix", "route"));
	FILE *file = fopen(path, "re");
	char line[200];
	int kb = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %d kB", &kb) == 1)
			break;
	fclose(file);
	print_message("memory: %d kB\n", kb);
	assert_in_range(kb, 1, 16 * 1024);
}

static void it_is_told_to_end(void **state)
{
	pid_t pid = process("/test/phoenix", "route");
	int64_t since = timer_now();
	struct sleeper s;

	(void)state;
	sleeper_start(&s, 6432);
	signalled(pid, SIGTERM);
	is_gone(pid);
	print_message("ended after %lld ms\n", (long long)(timer_now() - since));
	assert_true(timer_now() - since < 10000);
	sleeper_ended(&s, since, 10000, "told to end");
	until_as_it_should_be();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_split_and_writes_go_to_the_primary),
		cmocka_unit_test(without_tls_or_password_nobody_gets_in),
		cmocka_unit_test(a_standby_stops),
		cmocka_unit_test(a_program_is_killed),
		cmocka_unit_test(killed_while_paused),
		cmocka_unit_test(a_planned_move),
		cmocka_unit_test(the_primary_dies),
		cmocka_unit_test(the_primary_is_cut_off),
		cmocka_unit_test(the_primary_stands_still),
		cmocka_unit_test(another_cluster_is_never_pointed_at),
		cmocka_unit_test(another_pod_with_the_same_address),
		cmocka_unit_test(an_api_server_is_down),
		cmocka_unit_test(it_is_small),
		cmocka_unit_test(it_is_told_to_end),
	};

	return cmocka_run_group_tests(tests, world, world_away);
}
