/* Durations, sizes and cron lines. */
#include "tests/unit/test.h"

#include "lib/cron.h"
#include "lib/str.h"
#include "lib/units.h"

#include <errno.h>

static void test_duration(void **state)
{
	static const char *const bad[] = { "",	   "d",	  "0d",	   "21",	   "-1d", "1.5h",
					   "21 d", "21D", "4000d", "99999999999s", "1dd", "+1d" };
	int64_t s = 7;

	(void)state;
	assert_true(units_duration("21d", &s) && s == 21 * 86400);
	assert_true(units_duration("6h", &s) && s == 21600);
	assert_true(units_duration("2w", &s) && s == 1209600);
	assert_true(units_duration("90m", &s) && s == 5400);
	assert_true(units_duration("3650d", &s));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(units_duration(bad[i], &s));
}

static void test_size(void **state)
{
	static const char *const bad[] = { "",	     "Gi",	     "0Gi",	     "20",
					   "20G",    "20GB",	     "20gi",	     "-1Gi",
					   "1025Ti", "9999999999Ti", "99999999999Ki" };
	int64_t b;

	(void)state;
	assert_true(units_size("20Gi", &b) && b == 20LL << 30);
	assert_true(units_size("1Ki", &b) && b == 1024);
	assert_true(units_size("1024Ti", &b) && b == 1LL << 50);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(units_size(bad[i], &b));
}

static void test_cron_fields(void **state)
{
	static const char *const bad[] = {
		"",
		"* * * *",
		"* * * * * *",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * 32 * *",
		"* * * 0 *",
		"* * * 13 *",
		"* * * * 7",
		"*/0 * * * *",
		"5-1 * * * *",
		"1,, * * * *",
		", * * * *",
		"1- * * * *",
		"-1 * * * *",
		"1/ * * * *",
		"*/60 * * * *",
		"x * * * *",
		"* * * foo *",
		"* * * * sunday",
		"@daily",
		"1 2 3 4 5 6",
		"99999 * * * *",
		"1-2-3 * * * *",
	};
	struct cron c;
	struct fault f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cron_parse(bad[i], &c, &f), -EINVAL);
	assert_int_equal(cron_parse("*/15 0-4,22 1,15 jan-MAR Mon-fri", &c, &f), 0);
	assert_true(c.minutes == (1ULL | 1ULL << 15 | 1ULL << 30 | 1ULL << 45));
	assert_true(c.hours == (0x1f | 1 << 22));
	assert_true(c.days == (1 << 1 | 1 << 15));
	assert_true(c.months == 0xe);
	assert_true(c.weekdays == 0x3e);
	assert_int_equal(cron_parse("7/20 * * * *", &c, &f), 0);
	assert_true(c.minutes == (1ULL << 7 | 1ULL << 27 | 1ULL << 47));
}

static void test_cron_dates(void **state)
{
	static const struct {
		const char *text;
		int gap; /* -1: never */
	} cases[] = {
		{ "0 3 * * 0", 7 },	{ "0 3 * * *", 1 },   { "0 3 * * 0,3", 4 },
		{ "0 3 31 2 *", -1 },	{ "0 3 30 2 *", -1 }, { "0 3 31 4,6 *", -1 },
		{ "0 3 29 2 *", 1461 }, { "0 3 31 * *", 61 }, { "0 3 1 * *", 31 },
		{ "0 3 31 2 0", 350 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cron c;
		struct fault f;
		int r = cron_parse(cases[i].text, &c, &f);

		assert_int_equal(r, cases[i].gap < 0 ? -EINVAL : 0);
		if (r == 0)
			assert_int_equal(cron_longest_gap(&c), cases[i].gap);
	}
}

static void test_cron_days(void **state)
{
	struct cron c;

	(void)state;
	assert_int_equal(cron_parse("0 3 * * 0", &c, NULL), 0);
	assert_true(cron_on_day(&c, 3)); /* 1970-01-04 was a Sunday */
	assert_false(cron_on_day(&c, 4));
	/* both days given: either is enough */
	assert_int_equal(cron_parse("0 3 6 * 0", &c, NULL), 0);
	assert_true(cron_on_day(&c, 3));
	assert_true(cron_on_day(&c, 5));
	assert_false(cron_on_day(&c, 4));
}

static void test_bytes(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 12ULL << 30, "12 GiB" },
		{ (1ULL << 40) + (1ULL << 39), "1.5 TiB" },
		{ 512ULL << 40, "512 TiB" },
		{ (200ULL << 20) + (1 << 19), "200 MiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[32];

		units_bytes(cases[i].n, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration),    cmocka_unit_test(test_size),
		cmocka_unit_test(test_cron_fields), cmocka_unit_test(test_cron_dates),
		cmocka_unit_test(test_cron_days),   cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
