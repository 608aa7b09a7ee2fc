#include "tests/unit/test.h"

#include "phoenix-job/route_api.h"
#include "phoenix-job/route_status.h"

#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static struct json *of(const char *text)
{
	struct json *j = NULL;
	struct fault f = { 0 };

	if (json_parse(text, strlen(text), &j, &f) < 0)
		fail_msg("%s", f.text);
	return j;
}

static void a_lease(void **state)
{
	_json_ struct json *held = of("{\"spec\":{\"holderIdentity\":\"uid-1/nonce/x\","
				      "\"leaseTransitions\":7}}"),
			   *released = of("{\"spec\":{\"holderIdentity\":\"\","
					  "\"leaseTransitions\":7}}"),
			   *fresh = of("{\"spec\":{}}"), *none = of("{}");
	struct route_lease l;

	(void)state;
	route_read_lease(held, &l);
	assert_true(l.known);
	assert_string_equal(l.uid, "uid-1");
	assert_int_equal(l.term, 7);
	route_read_lease(released, &l);
	assert_true(l.known);
	assert_string_equal(l.uid, "");
	route_read_lease(fresh, &l);
	assert_int_equal(l.term, 0);
	assert_string_equal(l.uid, "");
	route_read_lease(none, &l);
	assert_false(l.known);
}

/* What is too long is nobody's: a part of it might be somebody's. */
static void a_holder_that_is_too_long(void **state)
{
	_json_ struct json *j = of("{\"spec\":{\"holderIdentity\":"
				   "\"0123456789012345678901234567890123456789"
				   "012345678901234567890123456789/n\"}}");
	struct route_lease l;

	(void)state;
	route_read_lease(j, &l);
	assert_string_equal(l.uid, "");
}

static void moved(const char *phase, enum route_phase is)
{
	_free_ char *text =
		mem_printf("{\"data\":{\"id\":\"a\",\"to\":\"postgres-1\","
			   "\"transitions\":\"5\",\"seconds\":\"10\",\"phase\":\"%s\"}}",
			   phase);
	_json_ struct json *j = of(text);
	struct route_move m;

	route_read_move(j, &m);
	assert_string_equal(m.id, "a");
	assert_string_equal(m.to, "postgres-1");
	assert_int_equal(m.term, 5);
	assert_int_equal(m.seconds, 10);
	assert_int_equal(m.phase, is);
}

static void a_move(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"data\":{\"id\":\"a\",\"to\":\"b\",\"seconds\":\"10\",\"phase\":\"pause\"}}",
		"{\"data\":{\"id\":\"a\",\"to\":\"b\",\"transitions\":\"5\",\"phase\":\"pause\"}}",
		"{\"data\":{\"id\":\"a\",\"transitions\":\"5\",\"seconds\":\"0\"}}",
		"{\"data\":{\"id\":\"a\",\"transitions\":\"5\",\"seconds\":\"601\"}}",
		"{\"data\":{\"id\":\"a\",\"transitions\":5,\"seconds\":10}}",
	};

	(void)state;
	moved("fence", ROUTE_FENCE);
	moved("pause", ROUTE_PAUSE);
	moved("moved", ROUTE_MOVED);
	moved("done", ROUTE_OVER);
	moved("aborted", ROUTE_OVER);
	moved("", ROUTE_NO_MOVE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_json_ struct json *j = of(bad[i]);
		struct route_move m;

		route_read_move(j, &m);
		assert_string_equal(m.id, "");
		assert_int_equal(m.phase, ROUTE_NO_MOVE);
	}
}

static void a_pod(void **state)
{
	static const struct {
		const char *name, *address;
		bool good;
	} cases[] = {
		{ "postgres-0", "10.42.0.7", true },  { "postgres-0", "fd00::7", true },
		{ "postgres-0", "", false },	      { "postgres-0", "10.42.0.7 port=1", false },
		{ "postgres-0", "localhost", false }, { "", "10.42.0.7", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_free_ char *text = mem_printf("{\"metadata\":{\"name\":\"%s\",\"uid\":\"u\"},"
					       "\"status\":{\"podIP\":\"%s\"}}",
					       cases[i].name, cases[i].address);
		_json_ struct json *j = of(text);
		struct route_pod p;

		assert_int_equal(route_read_pod(j, &p), cases[i].good);
		assert_string_equal(p.uid, "u");
	}
}

/* --- what the probe says --- */

static char folder[] = "/tmp/read.XXXXXX";
static struct fs fs = { .fd = -1 };

static void said(bool served, const char *down)
{
	static struct route_world w;
	static struct route_state s;
	static struct route_wish wishes[ROUTE_POOLS];
	const struct route_said all = {
		.w = &w, .s = &s, .wishes = wishes, .served = served, .down = down
	};

	assert_true(route_status_write(&fs, &all, NULL) >= 0);
}

static void the_probe(void **state)
{
	_free_ char *old =
		mem_printf("{\"at\":%lld,\"served\":true}", (long long)timer_now() - 11000);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(route_status_ready(&fs, &f), -ENOENT);
	said(false, NULL);
	assert_int_equal(route_status_ready(&fs, &f), -EAGAIN);
	assert_non_null(strstr(f.text, "no primary has been found yet"));
	said(true, "pgpool");
	assert_int_equal(route_status_ready(&fs, &f), -EAGAIN);
	assert_non_null(strstr(f.text, "pgpool does not run"));
	said(true, NULL);
	assert_int_equal(route_status_ready(&fs, &f), 0);
	assert_true(fs_write_text(&fs, ROUTE_STATUS, 0644, old, NULL) >= 0);
	assert_int_equal(route_status_ready(&fs, &f), -EAGAIN);
	assert_non_null(strstr(f.text, "has said nothing"));
	assert_true(fs_write_text(&fs, ROUTE_STATUS, 0644, "{", NULL) >= 0);
	assert_int_equal(route_status_ready(&fs, &f), -EINVAL);
}

static int made(void **state)
{
	(void)state;
	return mkdtemp(folder) ? fs_open(&fs, folder, NULL) : -1;
}

static int gone(void **state)
{
	(void)state;
	fs_remove(&fs, ROUTE_STATUS, NULL);
	fs_close(&fs);
	return chdir(folder) < 0 || rmdir("run/phoenix") < 0 || rmdir("run") < 0 ? -1
										 : rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease),
		cmocka_unit_test(a_holder_that_is_too_long),
		cmocka_unit_test(a_move),
		cmocka_unit_test(a_pod),
		cmocka_unit_test_setup_teardown(the_probe, made, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
