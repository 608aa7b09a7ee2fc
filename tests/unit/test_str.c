/* Strings, lists and ownership. */
#include "tests/unit/test.h"

#include "lib/str.h"

#include <limits.h>

static void grows(void **state)
{
	_str_ struct str s = { 0 };

	(void)state;
	assert_string_equal(str_text(&s), "");
	for (int i = 0; i < 1000; i++)
		str_add(&s, "abc");
	assert_int_equal(s.len, 3000);
	assert_int_equal(strlen(s.p), 3000);
	str_reset(&s);
	assert_string_equal(s.p, "");
	str_addf(&s, "%d-%s", 7, "x");
	assert_string_equal(s.p, "7-x");
	str_add_n(&s, NULL, 0);
	assert_string_equal(s.p, "7-x");
}

static void takes(void **state)
{
	struct str s = { 0 };
	_free_ char *empty = str_take(&s), *text = NULL;

	(void)state;
	assert_string_equal(empty, "");
	str_add_n(&s, "a\0b", 3);
	text = str_take(&s);
	assert_memory_equal(text, "a\0b", 4);
	assert_null(s.p);
	str_free(&s);
	str_erase(&s);
}

static void compares(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_eq("a", "a"));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("a.yaml", ".yaml"));
	assert_false(str_ends("l", ".yaml"));
}

static void trims(void **state)
{
	char a[] = " \t x y \r\n", b[] = "  \n", c[] = "";

	(void)state;
	assert_string_equal(str_trim(a), "x y");
	assert_string_equal(str_trim(b), "");
	assert_string_equal(str_trim(c), "");
}

static void reads_numbers(void **state)
{
	static const char *const bad[] = { "",	  "-",	 "+1",	" 1",
					   "1 ",  "1x",	 "0x1", "1-",
					   "--1", "101", "-1",	"99999999999999999999999" };
	long v = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_long(bad[i], 0, 100, &v));
	assert_false(str_to_long(NULL, 0, 100, &v));
	assert_int_equal(v, 42);
	assert_true(str_to_long("100", 0, 100, &v));
	assert_int_equal(v, 100);
	assert_true(str_to_long("-5", -5, 0, &v));
	assert_int_equal(v, -5);
	assert_true(str_to_long("007", LONG_MIN, LONG_MAX, &v));
	assert_int_equal(v, 7);
}

static void lists(void **state)
{
	static const char *const sentences[] = { "", "c", "c and a", "c, a and b7" };
	_strv_ struct strv l = { 0 };
	static const char *const add[] = { "c", "a", "b7" };

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(add); i++) {
		_free_ char *s = strv_sentence(&l);

		assert_string_equal(s, sentences[i]);
		if (i < ARRAY_LEN(add))
			strv_addf(&l, "%s", add[i]);
	}
	assert_true(strv_has(&l, "a"));
	assert_false(strv_has(&l, "b"));
	strv_sort(&l);
	assert_string_equal(l.v[0], "a");
	assert_string_equal(l.v[2], "c");
}

static void iterates(void **state)
{
	_strv_ struct strv l = { 0 };
	int seen = 0;

	(void)state;
	strv_each (none, &l)
		fail_msg("%s", none);
	for (int i = 0; i < 5; i++)
		strv_addf(&l, "%d", i);
	strv_each (item, &l) {
		if (str_eq(item, "1"))
			continue;
		if (str_eq(item, "3"))
			break;
		seen++;
	}
	assert_int_equal(seen, 2); /* 0 and 2 */
	strv_each (a, &l)
		strv_each (b, &l)
			seen += str_eq(a, b);
	assert_int_equal(seen, 7);
}

static void gives_away(void **state)
{
	char *p = mem_strdup("x"), *q = TAKE_PTR(p);

	(void)state;
	assert_null(p);
	assert_string_equal(q, "x");
	mem_erase_str(q);
	mem_erase_str(NULL);
	assert_null(mem_strdup(NULL));
	q = mem_printf("%s/%d", "a", 1);
	assert_string_equal(q, "a/1");
	free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),	 cmocka_unit_test(takes),
		cmocka_unit_test(compares),	 cmocka_unit_test(trims),
		cmocka_unit_test(reads_numbers), cmocka_unit_test(lists),
		cmocka_unit_test(iterates),	 cmocka_unit_test(gives_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
