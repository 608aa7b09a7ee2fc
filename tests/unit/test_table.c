/* Tables for people: widths, cuts, hostile cells. */
#include "tests/unit/test.h"

#include "lib/table.h"

static void aligns(void **state)
{
	_table_ struct table t = { .columns = 3 };
	_str_ struct str out = { 0 };

	(void)state;
	table_row(&t, "NODE", "STATE", "NOTE", NULL);
	table_row(&t, "phoenix-a", "ok", "", NULL);
	table_row(&t, "b", "Grüße", "ünï", NULL);
	table_print(&t, 0, &out);
	assert_string_equal(out.p, "NODE       STATE  NOTE\n"
				   "phoenix-a  ok\n"
				   "b          Grüße  ünï\n");
}

static void cuts_the_last_column(void **state)
{
	_table_ struct table t = { .columns = 2 };
	_str_ struct str out = { 0 };

	(void)state;
	table_row(&t, "ab", "ääääää", NULL);
	table_print(&t, 6, &out);
	assert_string_equal(out.p, "ab  ää\n");
	str_reset(&out);
	table_print(&t, 2, &out); /* no room left: one character, never an underflow */
	assert_string_equal(out.p, "ab  ä\n");
}

static void shows_no_control_characters(void **state)
{
	_table_ struct table t = { .columns = 1 };
	_str_ struct str out = { 0 };

	(void)state;
	table_row(&t, "a\nb\033[2J\x7f", NULL);
	table_print(&t, 0, &out);
	assert_string_equal(out.p, "a?b?[2J?\n");
}

static void fills_short_rows(void **state)
{
	_table_ struct table t = { .columns = 2 };
	_str_ struct str out = { 0 };

	(void)state;
	table_print(&t, 80, &out);
	assert_string_equal(str_text(&out), "");
	table_row(&t, "a", NULL);
	table_row(&t, "b", "c", NULL);
	table_print(&t, 80, &out);
	assert_string_equal(out.p, "a\nb  c\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns),
		cmocka_unit_test(cuts_the_last_column),
		cmocka_unit_test(shows_no_control_characters),
		cmocka_unit_test(fills_short_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
