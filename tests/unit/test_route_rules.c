#include "tests/unit/test.h"

#include "phoenix-job/route_rules.h"

#include "lib/str.h"

#include <stdio.h>

/* A cluster as it should be: postgres-0 is the primary of term 5. Time starts late enough for
 * everything to have been there for long. */
static struct route_world w;
static struct route_state s;
static struct route_wish wish[ROUTE_POOLS];

#define SET(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static void told(struct route_pod *p, bool recovery, int64_t term)
{
	p->server = (struct route_server){ .told = true,
					   .told_at = w.now,
					   .recovery = recovery,
					   .term = term,
					   .timeline = term,
					   .position = 1000,
					   .streams = recovery };
	SET(p->server.system, "77");
}

static void streams_to(struct route_pod *p, int a, int b)
{
	p->server.n_standbys = 2;
	SET(p->server.standbys[0], "10.42.0.1%d", a);
	SET(p->server.standbys[1], "10.42.0.1%d", b);
}

static void fresh(void)
{
	for (int i = 0; i < w.n; i++)
		if (w.pods[i].server.silent == 0)
			w.pods[i].server.told_at = w.now;
}

/* MS pass in which all that answers goes on to answer. */
static void after(int64_t ms)
{
	w.now += ms;
	fresh();
	route_decide(&s, &w, wish);
}

static int world(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	memset(&s, 0, sizeof s);
	w.now = 100000;
	w.standbys_read = true;
	w.moves_known = true;
	w.floor = 900;
	SET(w.system, "77");
	w.lease = (struct route_lease){ .known = true, .uid = "uid-0", .term = 5 };
	w.n = 3;
	for (int i = 0; i < 3; i++) {
		SET(w.pods[i].name, "postgres-%d", i);
		SET(w.pods[i].uid, "uid-%d", i);
		SET(w.pods[i].address, "10.42.0.1%d", i);
		told(&w.pods[i], i != 0, 5);
	}
	streams_to(&w.pods[0], 1, 2);
	route_decide(&s, &w, wish);
	after(ROUTE_FIT_MS);
	return 0;
}

/* postgres-N is the primary of term T, and the Lease says so; the others follow. */
static void primary_is(int n, int64_t t)
{
	w.lease.term = t;
	SET(w.lease.uid, "uid-%d", n);
	for (int i = 0; i < 3; i++)
		told(&w.pods[i], i != n, t);
	streams_to(&w.pods[n], (n + 1) % 3, (n + 2) % 3);
}

static void at(enum route_pool pool, const char *pod)
{
	if (!str_eq(wish[pool].to.pod, pod))
		fail_msg("%s points at '%s', expected '%s': %s", route_pool_name(pool),
			 wish[pool].to.pod, pod, wish[pool].why);
}

static void all_at(const char *rw, const char *ro1, const char *ro2)
{
	at(ROUTE_SESSION, rw);
	at(ROUTE_RW, rw);
	at(ROUTE_RO1, ro1);
	at(ROUTE_RO2, ro2);
}

static void says(enum route_pool pool, const char *text)
{
	if (!strstr(wish[pool].why, text))
		fail_msg("%s: '%s' does not say '%s'", route_pool_name(pool), wish[pool].why, text);
}

static void as_it_should_be(void **state)
{
	(void)state;
	all_at("postgres-0", "postgres-1", "postgres-2");
	assert_string_equal(wish[ROUTE_RO2].to.address, "10.42.0.12");
	says(ROUTE_RW, "postgres-0 is the primary of term 5");
	says(ROUTE_RO1, "postgres-1 streams from postgres-0");
	for (int i = 0; i < ROUTE_POOLS; i++) {
		assert_false(wish[i].kill);
		assert_false(wish[i].paused);
	}
}

static void reads_of_the_primary(void **state)
{
	(void)state;
	w.standbys_read = false;
	after(0);
	all_at("postgres-0", "postgres-0", "postgres-0");
}

/* --- who is the primary --- */

/* Each of these alone keeps every pool from pointing there. */
static void what_is_not_verified(void **state)
{
	static const struct {
		const char *says;
		int what;
	} cases[] = {
		{ "the Lease has not been seen", 0 },
		{ "system identifier is not known", 1 },
		{ "nobody holds the Lease", 2 },
		{ "no pod of today", 3 },
		{ "postgres-0 lets nobody in", 4 },
		{ "another system identifier", 5 },
		{ "is in recovery", 6 },
		{ "has not begun the Lease's term", 7 },
		{ "does not answer", 8 },
		{ "does not answer", 9 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_server *v = &w.pods[0].server;

		world(state);
		switch (cases[i].what) {
		case 0:
			memset(&s, 0, sizeof s);
			w.lease.known = false;
			break;
		case 1:
			w.system[0] = 0;
			break;
		case 2:
			w.lease.uid[0] = 0;
			break;
		case 3:
			SET(w.lease.uid, "uid-of-yesterday");
			break;
		case 4:
			v->told = false;
			break;
		case 5:
			SET(v->system, "78");
			break;
		case 6:
			v->recovery = true;
			break;
		case 7:
			w.lease.term = 6;
			break;
		case 8:
			v->silent = 2;
			break;
		case 9:
			v->silent = 1;
			w.now += ROUTE_FRESH_MS + 1;
		}
		route_decide(&s, &w, wish);
		all_at("", "", "");
		says(ROUTE_RW, cases[i].says);
	}
}

/* A busy machine: one look without an answer moves nothing but reads. */
static void one_missing_answer(void **state)
{
	(void)state;
	w.pods[0].server.silent = 1;
	after(1000);
	all_at("postgres-0", "postgres-1", "postgres-2");
	w.pods[0].server.silent = 0;
	w.pods[2].server.silent = 1;
	after(1000);
	all_at("postgres-0", "postgres-1", "postgres-0");
	assert_false(wish[ROUTE_RO2].kill);
}

static void an_old_lease(void **state)
{
	(void)state;
	primary_is(1, 6);
	after(0);
	at(ROUTE_RW, "postgres-1");
	/* an API server that lags; the old primary is still there, of its term */
	w.lease = (struct route_lease){ .known = true, .uid = "uid-0", .term = 5 };
	told(&w.pods[0], false, 5);
	after(0);
	at(ROUTE_RW, "postgres-1");
	/* who has only just begun to look knows by the data of the others */
	memset(&s, 0, sizeof s);
	after(0);
	at(ROUTE_RW, "");
	says(ROUTE_RW, "postgres-1 has data of a later term");
	/* and foreign data says nothing */
	memset(&s, 0, sizeof s);
	SET(w.pods[1].server.system, "78");
	SET(w.pods[2].server.system, "78");
	after(0);
	at(ROUTE_RW, "postgres-0");
}

static void two_primaries(void **state)
{
	(void)state;
	told(&w.pods[2], false, 4);
	after(0);
	all_at("postgres-0", "postgres-1", "postgres-0");
	says(ROUTE_RO2, "postgres-2 is no standby");
	primary_is(2, 6);
	told(&w.pods[0], false, 5);
	after(0);
	at(ROUTE_RW, "postgres-2");
}

static void a_failover(void **state)
{
	(void)state;
	w.pods[0].server.told = false;
	after(100);
	all_at("", "", "");
	/* it is shutting down, or it died: what is under way ends by itself */
	assert_false(wish[ROUTE_RW].kill);
	w.lease.term = 6;
	SET(w.lease.uid, "uid-1");
	after(100);
	all_at("", "", "");
	primary_is(1, 6);
	w.pods[0].server.told = false;
	after(100);
	all_at("postgres-1", "postgres-1", "postgres-1");
	assert_true(wish[ROUTE_RW].kill);
	assert_true(wish[ROUTE_SESSION].kill);
	after(ROUTE_FIT_MS);
	all_at("postgres-1", "postgres-1", "postgres-2");
	assert_false(wish[ROUTE_RW].kill);
}

/* The old primary came back as a standby before a look missed it. */
static void a_primary_that_is_none_any_more(void **state)
{
	(void)state;
	w.pods[0].server.recovery = true;
	after(10);
	at(ROUTE_RW, "");
	assert_true(wish[ROUTE_RW].kill);
	after(10);
	assert_false(wish[ROUTE_RW].kill);
}

static void the_lease_moves_on_before_the_old_primary_is_gone(void **state)
{
	(void)state;
	w.lease.term = 6;
	SET(w.lease.uid, "uid-1");
	after(10);
	at(ROUTE_RW, "");
	assert_true(wish[ROUTE_RW].kill);
}

/* --- pods --- */

static void a_new_pod_with_a_reused_address(void **state)
{
	(void)state;
	/* the holder's name and address, and even its answers, of another pod */
	SET(w.pods[0].uid, "uid-new");
	after(10);
	all_at("", "", "");
	assert_true(wish[ROUTE_RW].kill);
	world(state);
	SET(w.pods[2].uid, "uid-new");
	w.pods[2].server = (struct route_server){ 0 };
	after(10);
	all_at("postgres-0", "postgres-1", "postgres-0");
	assert_true(wish[ROUTE_RO2].kill);
}

static void the_holder_has_another_address(void **state)
{
	(void)state;
	SET(w.pods[0].address, "10.42.0.99");
	after(10);
	at(ROUTE_RW, "postgres-0");
	assert_string_equal(wish[ROUTE_RW].to.address, "10.42.0.99");
	assert_true(wish[ROUTE_RW].kill);
}

static void a_pod_without_an_address(void **state)
{
	(void)state;
	w.pods[0].address[0] = 0;
	after(10);
	at(ROUTE_RW, "");
}

static void only_the_primary_is_there(void **state)
{
	(void)state;
	w.n = 1;
	after(10);
	all_at("postgres-0", "postgres-0", "postgres-0");
}

/* --- standbys --- */

static void a_standby_that_is_not_fit(void **state)
{
	static const struct {
		const char *says;
		int what;
	} cases[] = {
		{ "may not be read", 0 },
		{ "another system identifier", 1 },
		{ "is no standby", 2 },
		{ "old timeline", 3 },
		{ "old timeline", 4 },
		{ "does not stream from the primary", 5 },
		{ "does not stream from the primary", 6 },
		{ "lags", 7 },
		{ "does not answer", 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_server *v = &w.pods[2].server;

		world(state);
		switch (cases[i].what) {
		case 0:
			v->told = false;
			break;
		case 1:
			SET(v->system, "78");
			break;
		case 2:
			v->recovery = false;
			break;
		case 3:
			v->timeline = 4;
			break;
		case 4:
			v->term = 4;
			break;
		case 5:
			v->streams = false;
			break;
		case 6:
			w.pods[0].server.n_standbys = 1;
			break;
		case 7:
			v->position = 899;
			break;
		case 8:
			v->silent = 1;
		}
		after(10);
		all_at("postgres-0", "postgres-1", "postgres-0");
		says(ROUTE_RO2, cases[i].says);
	}
}

static void a_standby_is_read_again_when_it_has_been_fit_for_a_while(void **state)
{
	(void)state;
	w.pods[2].server.position = 0;
	after(10);
	w.pods[2].server.position = 1000;
	after(10);
	after(ROUTE_FIT_MS - 1);
	at(ROUTE_RO2, "postgres-0");
	says(ROUTE_RO2, "just become fit");
	w.pods[2].server.streams = false;
	after(1);
	w.pods[2].server.streams = true;
	after(1);
	after(ROUTE_FIT_MS - 1);
	at(ROUTE_RO2, "postgres-0");
	after(1);
	at(ROUTE_RO2, "postgres-2");
}

/* What was asked of a standby that lags may be answered; of one that is dead it is not. */
static void what_is_under_way_on_a_standby(void **state)
{
	(void)state;
	w.pods[2].server.position = 0;
	after(10);
	at(ROUTE_RO2, "postgres-0");
	assert_false(wish[ROUTE_RO2].kill);
	w.pods[2].server.silent = 1;
	after(1000);
	assert_false(wish[ROUTE_RO2].kill);
	w.pods[2].server.silent = 2;
	after(1000);
	assert_true(wish[ROUTE_RO2].kill);
	after(1000);
	assert_false(wish[ROUTE_RO2].kill);
}

/* --- planned moves --- */

static void asked(const char *id, enum route_phase phase)
{
	SET(w.move.id, "%s", id);
	SET(w.move.to, "postgres-2");
	w.move.term = 5;
	w.move.seconds = 10;
	w.move.phase = phase;
}

static void a_planned_move(void **state)
{
	(void)state;
	asked("a", ROUTE_FENCE);
	after(10);
	all_at("postgres-0", "postgres-2", "postgres-2");
	assert_false(wish[ROUTE_RW].paused);
	w.move.phase = ROUTE_PAUSE;
	after(10);
	assert_true(wish[ROUTE_RW].paused);
	assert_false(wish[ROUTE_RO1].paused);
	at(ROUTE_RW, "postgres-0");
	at(ROUTE_SESSION, "");
	at(ROUTE_RO1, "postgres-2");
}

static void a_move_is_carried_through(void **state)
{
	(void)state;
	asked("a", ROUTE_FENCE);
	after(10);
	w.move.phase = ROUTE_PAUSE;
	after(10);
	at(ROUTE_RW, "postgres-0");
	at(ROUTE_SESSION, "");
	/* stopped; the other is not the primary yet */
	w.pods[0].server.told = false;
	after(10);
	at(ROUTE_RW, "");
	at(ROUTE_RO1, "postgres-2");
	assert_true(wish[ROUTE_RW].paused);
	w.move.phase = ROUTE_MOVED;
	w.lease.term = 6;
	SET(w.lease.uid, "uid-2");
	after(10);
	assert_true(wish[ROUTE_RW].paused);
	primary_is(2, 6);
	after(10);
	assert_false(wish[ROUTE_RW].paused);
	all_at("postgres-2", "postgres-2", "postgres-2");
	after(ROUTE_FIT_MS);
	all_at("postgres-2", "postgres-0", "postgres-1");
}

static void a_move_is_given_up(void **state)
{
	(void)state;
	asked("a", ROUTE_PAUSE);
	after(10);
	w.pods[0].server.told = false;
	after(10);
	w.move.phase = ROUTE_OVER;
	after(10);
	assert_true(wish[ROUTE_RW].paused);
	told(&w.pods[0], false, 5);
	streams_to(&w.pods[0], 1, 2);
	after(10);
	assert_false(wish[ROUTE_RW].paused);
	at(ROUTE_RW, "postgres-0");
	after(ROUTE_FIT_MS);
	all_at("postgres-0", "postgres-1", "postgres-2");
}

static void the_deadline_of_a_move(void **state)
{
	(void)state;
	asked("a", ROUTE_PAUSE);
	after(10);
	after(9999);
	assert_true(wish[ROUTE_RW].paused);
	w.pods[0].server.told = false;
	after(1);
	assert_false(wish[ROUTE_RW].paused);
	/* and it is not taken up again */
	told(&w.pods[0], false, 5);
	after(10);
	assert_false(wish[ROUTE_RW].paused);
}

static void a_request_that_is_taken_away(void **state)
{
	(void)state;
	asked("a", ROUTE_PAUSE);
	after(10);
	w.move = (struct route_move){ 0 };
	after(10);
	assert_false(wish[ROUTE_RW].paused);
	asked("b", ROUTE_PAUSE);
	after(10);
	assert_true(wish[ROUTE_RW].paused);
	asked("c", ROUTE_FENCE);
	after(10);
	assert_false(wish[ROUTE_RW].paused);
}

static void a_stale_request(void **state)
{
	(void)state;
	asked("a", ROUTE_PAUSE);
	w.move.term = 4;
	after(10);
	assert_false(wish[ROUTE_RW].paused);
	all_at("postgres-0", "postgres-1", "postgres-2");
}

/* It stood there when this program was started: nobody knows for how long. */
static void a_request_from_before(void **state)
{
	(void)state;
	memset(&s, 0, sizeof s);
	w.moves_known = false;
	after(10);
	asked("a", ROUTE_PAUSE);
	w.moves_known = true;
	after(10);
	assert_false(wish[ROUTE_RW].paused);
	at(ROUTE_RW, "postgres-0");
	asked("b", ROUTE_PAUSE);
	after(10);
	assert_true(wish[ROUTE_RW].paused);
}

static void reads_do_not_go_to_a_pod_that_is_not_fit_in_a_move(void **state)
{
	(void)state;
	asked("a", ROUTE_FENCE);
	w.pods[2].server.streams = false;
	after(10);
	all_at("postgres-0", "postgres-1", "postgres-0");
	/* it is not begun with when there is no primary to stream from any more */
	w.pods[0].server.told = false;
	w.pods[2].server.streams = true;
	after(10);
	all_at("", "", "");
	world(state);
	w.standbys_read = false;
	asked("a", ROUTE_FENCE);
	after(10);
	all_at("postgres-0", "postgres-0", "postgres-0");
}

/* --- this program's own restart --- */

static void own_restart(void **state)
{
	(void)state;
	memset(&s, 0, sizeof s);
	w.moves_known = w.lease.known = false;
	after(0);
	all_at("", "", "");
	w.lease.known = true;
	after(0);
	all_at("postgres-0", "postgres-0", "postgres-0");
	after(ROUTE_FIT_MS);
	all_at("postgres-0", "postgres-1", "postgres-2");
	assert_false(wish[ROUTE_RW].paused);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, world)
	const struct CMUnitTest tests[] = {
		CASE(as_it_should_be),
		CASE(reads_of_the_primary),
		CASE(what_is_not_verified),
		CASE(one_missing_answer),
		CASE(an_old_lease),
		CASE(two_primaries),
		CASE(a_failover),
		CASE(a_primary_that_is_none_any_more),
		CASE(the_lease_moves_on_before_the_old_primary_is_gone),
		CASE(a_new_pod_with_a_reused_address),
		CASE(the_holder_has_another_address),
		CASE(a_pod_without_an_address),
		CASE(only_the_primary_is_there),
		CASE(a_standby_that_is_not_fit),
		CASE(a_standby_is_read_again_when_it_has_been_fit_for_a_while),
		CASE(what_is_under_way_on_a_standby),
		CASE(a_planned_move),
		CASE(a_move_is_carried_through),
		CASE(a_move_is_given_up),
		CASE(the_deadline_of_a_move),
		CASE(a_request_that_is_taken_away),
		CASE(a_stale_request),
		CASE(a_request_from_before),
		CASE(reads_do_not_go_to_a_pod_that_is_not_fit_in_a_move),
		CASE(own_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
