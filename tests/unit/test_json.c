/* JSON: what comes in is bounded and checked, what goes out reads back. */
#include "tests/unit/test.h"

#include "lib/json.h"

#include <errno.h>

/* Ids of 64 bits are no integers to jansson; who does not need them can read the rest. */
static void too_big_for_an_integer(void **state)
{
	static const char text[] = "{\"ID\":18446744073709551615,\"name\":\"a\"}";
	_json_ struct json *j = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &j, &f), -EINVAL);
	assert_int_equal(json_parse_reals(text, strlen(text), &j, &f), 0);
	assert_string_equal(json_str(j, "name"), "a");
	assert_null(json_str(j, "ID"));
}

static int parse(const char *text, struct json **j, struct fault *f)
{
	return json_parse(text, strlen(text), j, f);
}

static void test_lookup(void **state)
{
	const char *text =
		"{\"metadata\":{\"name\":\"a\",\"n\":3,\"on\":true},\"items\":[1,{\"k\":\"v\"}]}";
	_json_ struct json *j = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(parse(text, &j, &f), 0);
	assert_string_equal(json_string(json_get(j, "metadata", "name", NULL)), "a");
	assert_int_equal(json_int(json_get(j, "metadata", NULL), "n", 9), 3);
	assert_int_equal(json_int(j, "metadata", 9), 9);
	assert_true(json_bool(json_get(j, "metadata", NULL), "on", false));
	assert_true(json_bool(j, "absent", true));
	assert_int_equal(json_len(json_get(j, "items", NULL)), 2);
	assert_string_equal(json_str(json_at(json_get(j, "items", NULL), 1), "k"), "v");
	assert_null(json_at(json_get(j, "items", NULL), 2));
	assert_string_equal(json_key_at(j, 0), "metadata");
	assert_string_equal(json_key_at(j, 1), "items");
	assert_null(json_key_at(j, 2));
}

static void test_wrong_shape(void **state)
{
	_json_ struct json *j = NULL;

	(void)state;
	assert_int_equal(parse("[1]", &j, NULL), 0);
	assert_null(json_get(j, "a", "b", NULL));
	assert_null(json_str(j, "a"));
	assert_null(json_string(j));
	assert_null(json_get(NULL, "a", NULL));
	assert_int_equal(json_len(NULL), 0);
	assert_null(json_at(NULL, 0));
	assert_null(json_key_at(j, 0));
	assert_null(json_copy(NULL));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"a\":1,\n \"a\":2}", "2:" },   { "", "1:1" },	 { "{", "1:" },
		{ "{\"a\\u0000b\":1}", "1:" },	    { "{} x", "1:" },	 { "\"\xff\"", "1:" },
		{ "[99999999999999999999]", "1:" }, { "{'a':1}", "1:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *j = NULL;
		struct fault f = { 0 };

		assert_int_equal(parse(cases[i].text, &j, &f), -EINVAL);
		assert_null(j);
		assert_true(str_starts(f.text, cases[i].says));
	}
}

static void test_levels(void **state)
{
	_str_ struct str s = { 0 };
	struct json *j = NULL;
	struct fault f = { 0 };

	(void)state;
	for (int i = 0; i < 64; i++)
		str_add(&s, "[");
	for (int i = 0; i < 64; i++)
		str_add(&s, "]");
	assert_int_equal(parse(s.p, &j, &f), 0);
	json_freep(&j);
	str_reset(&s);
	for (int i = 0; i < 20000; i++)
		str_add(&s, "{\"[\\\"\":[");
	assert_int_equal(parse(s.p, &j, &f), -EINVAL);
	assert_non_null(strstr(f.text, "more than 64 levels"));
}

static void test_build(void **state)
{
	_json_ struct json *j = json_object(), *copy = NULL, *again = NULL;
	struct json *list = json_array();
	_str_ struct str out = { 0 };

	(void)state;
	json_set_str(j, "z", "text");
	json_set_str(j, "left-out", NULL);
	json_set_int(j, "a", 1LL << 60);
	json_set_bool(j, "b", false);
	json_push_str(list, "one");
	json_push(list, json_object());
	json_set(j, "list", list);
	copy = json_copy(j);
	json_set_str(j, "z", "other");
	json_print(copy, 0, &out);
	assert_string_equal(
		out.p,
		"{\"z\":\"text\",\"a\":1152921504606846976,\"b\":false,\"list\":[\"one\",{}]}");
	assert_int_equal(parse(out.p, &again, NULL), 0);
	str_reset(&out);
	json_print(list, 2, &out);
	assert_string_equal(out.p, "[\n  \"one\",\n  {}\n]");
}

static void test_foreign_bytes(void **state)
{
	_json_ struct json *j = json_object();
	_str_ struct str out = { 0 };

	(void)state;
	json_set_str(j, "said", "gr\xfc\xdf");
	json_print(j, 0, &out);
	assert_string_equal(out.p, "{\"said\":\"gr??\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_big_for_an_integer),
		cmocka_unit_test(test_lookup),	cmocka_unit_test(test_wrong_shape),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_build),	cmocka_unit_test(test_foreign_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
