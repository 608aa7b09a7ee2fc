/* Collected mistakes: their form, once each, and never an endless list. */
#include "tests/unit/test.h"

#include "lib/diag.h"

static void test_form(void **state)
{
	_diags_ struct diags d = { 0 };

	(void)state;
	diag_add(&d, "a.yaml", 3, 7, "cluster.name", "%s", "wrong");
	diag_add(&d, "a.yaml", 0, 0, NULL, "missing");
	diag_add(&d, "a.yaml", 0, 0, NULL, "missing");
	diag_add(&d, "a.yaml", 1, 1, "", "a\nb\x1b[31m");
	assert_int_equal(d.lines.n, 3);
	assert_string_equal(d.lines.v[0], "a.yaml:3:7: cluster.name: wrong");
	assert_string_equal(d.lines.v[1], "a.yaml: missing");
	assert_string_equal(d.lines.v[2], "a.yaml:1:1: a?b?[31m");
}

static void test_bounded(void **state)
{
	_diags_ struct diags d = { 0 };

	(void)state;
	for (int i = 1; i < 5000; i++)
		diag_add(&d, "a", i, 1, NULL, "x");
	assert_int_equal(d.lines.n, 201);
	assert_string_equal(d.lines.v[200], "more mistakes follow; these come first");
}

static void test_nearest(void **state)
{
	static const char *const keys[] = { "name", "nodes", "network", "vip", "admin" };
	char longest[200];

	(void)state;
	assert_string_equal(diag_nearest("nmae", keys, 5), "name");
	assert_string_equal(diag_nearest("netwrok", keys, 5), "network");
	assert_string_equal(diag_nearest("node", keys, 5), "nodes");
	assert_string_equal(diag_nearest("Admin", keys, 5), "admin");
	assert_string_equal(diag_nearest("vp", keys, 5), "vip");
	assert_null(diag_nearest("completely", keys, 5));
	assert_null(diag_nearest("", keys, 5));
	memset(longest, 'n', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	assert_null(diag_nearest(longest, keys, 5));
	assert_null(diag_nearest("x", keys, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
