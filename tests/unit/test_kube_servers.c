/* The Kubernetes client and its list of servers: dead, black-holed, stalling, breaking off. */
#include "tests/unit/test.h"

#include "lib/kube_internal.h"
#include "lib/timer.h"
#include "tests/unit/kube_script.h"

/* Every way not to answer properly: the second server's answer is taken. Alone: an error, no hang.
 */
static void test_bad_answers(void **state)
{
	static const struct script cases[] = {
		{ .raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"kind\":",
		  .then = STUB_CLOSE },
		{ .raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"kind\":",
		  .then = STUB_KEEP },
		{ .raw = "HTTP/1.1 200", .then = STUB_CLOSE },
		{ .raw = "", .then = STUB_CLOSE },
		{ .raw = "SSH-2.0-OpenSSH\r\n", .then = STUB_CLOSE },
		{ .raw = "x", .then = STUB_AGAIN },
		{ .raw = "HTTP/1.1 200 OK\r\nX: y\r\n", .then = STUB_SILENT },
		{ .then = STUB_SILENT },
		{ .status = 503, .body = "starting" },
		{ .status = 429, .body = REFUSAL("TooManyRequests") },
		{ .status = 500, .body = REFUSAL("InternalError") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script bad = cases[i], good = { .status = 200, .body = POD };
		struct stub a = { .handler = follow, .user = &bad };
		struct stub b = { .handler = follow, .user = &good };
		struct kube *k;
		_json_ struct json *j = NULL;
		int64_t began;

		stub_start(&a);
		stub_start(&b);
		k = client(a.url, NULL, NULL);
		assert_true(kube_get(k, "/api/v1/pods/a", &j, NULL) < 0);
		assert_null(j);
		kube_freep(&k);
		k = client(a.url, b.url, NULL);
		assert_int_equal(kube_get(k, "/api/v1/pods/a", &j, NULL), 0);
		assert_string_equal(kube_meta(j, "resourceVersion"), "7");
		began = timer_now();
		assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), 0);
		assert_true(timer_now() - began < 300); /* the good one first now */
		kube_freep(&k);
		stub_stop(&a);
		stub_stop(&b);
	}
}

/* Own node's first, a dead and a black-holed address passed over, the last good one kept. */
static void test_servers_in_turn(void **state)
{
	struct script t = { .status = 200, .body = POD };
	struct stub dead = { 0 }, live = { .handler = follow, .user = &t };
	struct stub_hole hole;
	_json_ struct json *pod = json_object();
	struct kube *k;
	int64_t began;

	(void)state;
	stub_dead(&dead);
	stub_hole_open(&hole);
	stub_start(&live);
	k = client(dead.url, hole.url, live.url);
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), 0);
	assert_int_equal(k->current, 2);
	began = timer_now();
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), 0);
	assert_true(timer_now() - began < 250);
	/* a write may go on: nothing was sent to the first two */
	k->current = 0;
	assert_int_equal(kube_create(k, "/api/v1/pods", pod, NULL, NULL), 0);
	assert_int_equal(k->current, 2);
	assert_int_equal(live.requests, 3);
	kube_freep(&k);
	stub_hole_close(&hole);
	stub_stop(&live);
}

static void test_home_again(void **state)
{
	struct script t = { .status = 200, .body = POD }, u = t;
	struct stub a = { .handler = follow, .user = &t }, b = { .handler = follow, .user = &u };
	struct kube *k;

	(void)state;
	stub_start(&a);
	stub_start(&b);
	k = client(a.url, b.url, NULL);
	k->current = 1;
	k->home_tried = timer_now();
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), 0);
	assert_int_equal(k->current, 1);
	k->home_tried = timer_now() - 60000;
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), 0);
	assert_int_equal(k->current, 0);
	assert_int_equal(a.requests, 1);
	kube_freep(&k);
	stub_stop(&a);
	stub_stop(&b);
}

/* The one promise about writes: what may have been sent is never sent again. */
static void test_write_unknown(void **state)
{
	static const struct script cases[] = {
		{ .then = STUB_SILENT },
		{ .raw = "", .then = STUB_CLOSE },
		{ .raw = "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", .then = STUB_CLOSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script bad = cases[i], good = { .status = 200, .body = POD };
		struct stub a = { .handler = follow, .user = &bad };
		struct stub b = { .handler = follow, .user = &good };
		_json_ struct json *pod = json_object();
		struct fault f = { 0 };
		struct kube *k;

		stub_start(&a);
		stub_start(&b);
		k = client(a.url, b.url, NULL);
		assert_int_equal(kube_create(k, "/api/v1/pods", pod, NULL, &f), -ETIMEDOUT);
		assert_non_null(strstr(f.text, "outcome unknown"));
		assert_int_equal(a.requests, 1);
		assert_int_equal(b.requests, 0);
		/* reading back begins with another server */
		assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, &f), 0);
		assert_int_equal(a.requests, 1);
		kube_freep(&k);
		stub_stop(&a);
		stub_stop(&b);
	}
}

static void test_nobody(void **state)
{
	struct stub dead = { 0 };
	struct stub_hole hole;
	_json_ struct json *pod = json_object();
	struct fault f = { 0 };
	struct kube *k;

	(void)state;
	stub_dead(&dead);
	stub_hole_open(&hole);
	k = client(dead.url, hole.url, NULL);
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, &f), -ETIMEDOUT);
	assert_non_null(strstr(f.text, dead.url + 7));
	assert_non_null(strstr(f.text, hole.url + 7));
	/* no doubt about a write that reached nobody */
	assert_int_equal(kube_create(k, "/api/v1/pods", pod, NULL, &f), -EHOSTUNREACH);
	kube_freep(&k);
	stub_hole_close(&hole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_answers), cmocka_unit_test(test_servers_in_turn),
		cmocka_unit_test(test_home_again),  cmocka_unit_test(test_write_unknown),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
