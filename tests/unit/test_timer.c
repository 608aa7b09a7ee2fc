/* Waiting and backoff. */
#include "tests/unit/test.h"

#include "lib/timer.h"

static void sleeps(void **state)
{
	int64_t before = timer_now();

	(void)state;
	timer_sleep(30);
	assert_in_range(timer_now() - before, 29, LATE);
	timer_sleep(-1);
	timer_sleep(0);
}

static void backs_off(void **state)
{
	static const int64_t middle[] = { 100, 200, 400, 800, 1000, 1000 };
	struct backoff b = { 0 };

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 6; i++)
			assert_in_range(backoff_next(&b, 100, 1000), middle[i] * 7 / 8 - 1,
					middle[i] * 9 / 8 + 1);
		backoff_reset(&b);
	}
}

static void jitters(void **state)
{
	int64_t first = 0;
	int differs = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct backoff b = { 0 };
		int64_t wait = backoff_next(&b, 100000, 100000);

		differs += i && wait != first;
		first = wait;
	}
	assert_true(differs > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(jitters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
