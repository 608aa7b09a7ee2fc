/* A clock that cannot be true stops the boot; one that differs from another node's is named beside
 * what fails because of it. */
#include "tests/unit/test.h"

#include "firstboot/clocks.h"

#include <errno.h>
#include <stdio.h>

#define DAY (24 * 60 * 60)
#define MADE 1767225600LL /* 2026-01-01 00:00 UTC */
#define ENDS (MADE + 3650LL * DAY)

static void test_plausible(void **state)
{
	char why[200] = "";

	(void)state;
	assert_true(clocks_plausible(MADE, MADE, ENDS, why));
	assert_true(clocks_plausible(ENDS, MADE, ENDS, why));
	assert_string_equal(why, "");
	assert_false(clocks_plausible(MADE - 1, MADE, ENDS, why));
	assert_string_equal(why, "the clock says 2025-12-31 23:59 UTC, but it is later than "
				 "2026-01-01 00:00 UTC");
	assert_false(clocks_plausible(0, MADE, ENDS, why));
	assert_non_null(strstr(why, "1970-01-01"));
	assert_false(clocks_plausible(ENDS + 1, MADE, ENDS, why));
	assert_non_null(strstr(why, "certificate ended on 2035-12-30"));
}

static void blamed(int64_t b, int64_t c, struct fault *f)
{
	static struct cluster_config config = {
		.nodes = { { .name = (char *)"phoenix-a" },
			   { .name = (char *)"phoenix-b" },
			   { .name = (char *)"phoenix-c" } },
	};
	const struct seed seed = { .config = &config };
	const struct agent a = { .seed = &seed };
	const struct round round = { .clock_ahead = { 0, b, c } };

	fault_clear(f);
	fault_set(f, EACCES, "Unauthorized (HTTP 401)");
	assert_int_equal(clocks_blame(&a, &round, f), -EACCES);
}

static void test_blame(void **state)
{
	struct fault f = { 0 };

	(void)state;
	blamed(0, 59, &f);
	assert_string_equal(f.text, "Unauthorized (HTTP 401)");
	blamed(0, 60, &f);
	assert_non_null(strstr(f.text, "Unauthorized (HTTP 401); this node's clock is 1 minute "
				       "ahead of that of phoenix-c"));
	blamed(-26 * 60 * 60, 3 * DAY + 5, &f);
	assert_non_null(strstr(f.text, "26 hours behind that of phoenix-b"));
	assert_non_null(strstr(f.text, "3 days ahead of that of phoenix-c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plausible),
		cmocka_unit_test(test_blame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
