/* Tables for people: widths, line breaks, hostile cells. */
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

static const char what[] =
	"wartet auf phoenix-c: höre nichts… if it is destroyed: `phoenix form --with-missing "
	"phoenix-c`";

static char *printed(const char *first, const char *last, size_t width)
{
	_table_ struct table t = { .columns = 2 };
	struct str out = { 0 };

	table_row(&t, "NODE", "WHAT", NULL);
	table_row(&t, first, last, NULL);
	table_print(&t, width, &out);
	return str_take(&out);
}

static void wraps_the_last_column(void **state)
{
	_free_ char *all = printed("phoenix-a", what, 0), *some = printed("phoenix-a", what, 60);

	(void)state;
	assert_non_null(strstr(all, what));
	assert_string_equal(some, "NODE       WHAT\n"
				  "phoenix-a  wartet auf phoenix-c: höre nichts… if it is\n"
				  "           destroyed:\n"
				  "           `phoenix form --with-missing phoenix-c`\n");
}

/* A command that does not fit is broken at its spaces, never inside of a word. */
static void breaks_what_is_too_long_at_spaces(void **state)
{
	_free_ char *out = printed("phoenix-a", what, 35);

	(void)state;
	assert_string_equal(out, "NODE       WHAT\n"
				 "phoenix-a  wartet auf phoenix-c:\n"
				 "           höre nichts… if it is\n"
				 "           destroyed: `phoenix form\n"
				 "           --with-missing\n"
				 "           phoenix-c`\n");
}

static void a_long_text_without_room_stands_below_its_row(void **state)
{
	_free_ char *out = printed("phoenix-a", what, 34), *none = printed("phoenix-a", what, 5);
	_free_ char *id = printed("a", "`forget e7944b71b7ccc460d9247278f91489ed` on b", 34);

	(void)state;
	assert_string_equal(out, "NODE       WHAT\n"
				 "phoenix-a\n"
				 "    wartet auf phoenix-c: höre\n"
				 "    nichts… if it is destroyed:\n"
				 "    `phoenix form --with-missing\n"
				 "    phoenix-c`\n");
	assert_non_null(strstr(none, "    wartet\n    auf\n    phoenix-c:\n    höre\n"));
	/* a word is not torn, however long */
	assert_string_equal(id, "NODE  WHAT\n"
				"a     `forget\n"
				"      e7944b71b7ccc460d9247278f91489ed`\n"
				"      on b\n");
}

/* Whatever the width: every word is there, in its order. */
static void loses_nothing_at_any_width(void **state)
{
	(void)state;
	for (size_t width = 1; width < 120; width++) {
		_free_ char *out = printed("a", what, width), *words = mem_strdup(what);
		const char *at = strstr(out, "\na") + 2;
		char *save = NULL;

		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			at += strspn(at, " \n");
			assert_int_equal(strncmp(at, w, strlen(w)), 0);
			at += strlen(w);
		}
		assert_string_equal(at, "\n");
	}
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
		cmocka_unit_test(wraps_the_last_column),
		cmocka_unit_test(breaks_what_is_too_long_at_spaces),
		cmocka_unit_test(a_long_text_without_room_stands_below_its_row),
		cmocka_unit_test(loses_nothing_at_any_width),
		cmocka_unit_test(shows_no_control_characters),
		cmocka_unit_test(fills_short_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
