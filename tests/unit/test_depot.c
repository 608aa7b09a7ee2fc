/* What a machine tells the server that booted it: its end until it was heard, its progress without
 * being held up. */
#include "tests/unit/test.h"

#include "image/teller.h"
#include "lib/httpd.h"
#include "lib/timer.h"

#include <errno.h>
#include <pthread.h>

static const int *statuses; /* of the answers, one after another; 0: the last one again */
static int told;
static char last[256];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void handle(void *user, const struct httpd_request *rq, struct httpd_reply *reply)
{
	(void)user;
	if (!str_eq(rq->path, "/tell"))
		return;
	pthread_mutex_lock(&lock);
	snprintf(last, sizeof last, "%s %s", rq->token, rq->body);
	reply->status = *statuses;
	if (statuses[1])
		statuses++;
	told++;
	pthread_mutex_unlock(&lock);
}

static struct httpd *server;
static char url[64];
static const struct depot depot = { .url = url, .token = "word" };

static int setup(void **state)
{
	const struct httpd_config c = { .address = "127.0.0.1", .handle = handle };

	(void)state;
	told = 0;
	last[0] = '\0';
	if (httpd_start(&c, &server, NULL) < 0)
		return -1;
	snprintf(url, sizeof url, "http://127.0.0.1:%d", httpd_port(server));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	httpd_freep(&server);
	return 0;
}

static void test_done_until_heard(void **state)
{
	static const int later[] = { 500, 503, 200, 0 };
	struct fault f = { 0 };

	(void)state;
	statuses = later;
	assert_int_equal(depot_end(&depot, NULL, false, 60000, &f), 0);
	assert_int_equal(told, 3);
	assert_string_equal(last, "word {\"step\":\"done\"}");
}

static void test_an_error(void **state)
{
	static const int at_once[] = { 200, 0 };

	(void)state;
	statuses = at_once;
	assert_int_equal(depot_end(&depot, "it \"fails\"", true, 60000, NULL), 0);
	assert_string_equal(last, "word {\"error\":\"it \\\"fails\\\"\",\"leave\":true}");
}

/* It will never be heard: not known there (any more), or nobody is there. */
static void test_never_heard(void **state)
{
	static const int unknown[] = { 403, 0 }, broken[] = { 500, 0 };
	struct fault f = { 0 };

	(void)state;
	statuses = unknown;
	assert_int_equal(depot_end(&depot, NULL, false, 60000, &f), -EPERM);
	assert_int_equal(told, 1);
	statuses = broken;
	assert_int_equal(depot_end(&depot, NULL, false, 1500, &f), -EIO);
	httpd_freep(&server);
	assert_int_equal(depot_end(&depot, NULL, false, 500, &f), -ECONNREFUSED);
}

static int times_told(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = told;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Each step at once, its percentages seldom. */
static void test_progress(void **state)
{
	static const int fine[] = { 200, 0 };
	static const char *const steps[] = { "writing", "reading back" };
	struct teller *t = teller_new(&depot);

	(void)state;
	statuses = fine;
	for (int s = 0; s < 2; s++) {
		for (unsigned i = 0; i <= 100; i++)
			teller_step(t, steps[s], i);
		for (int i = 0; i < 100 && times_told() == s; i++)
			timer_sleep(20);
	}
	teller_freep(&t);
	assert_int_equal(told, 2);
	assert_non_null(strstr(last, "reading back"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_done_until_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
