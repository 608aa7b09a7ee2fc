/* YAML: the tree and its places, and everything that a description has no use for. */
#include "tests/unit/test.h"

#include "lib/utf8.h"
#include "lib/yaml.h"

#include <errno.h>

static void test_tree(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# comment\ncluster:\n  name: \"r\\u00e9\"\n  nodes:\n"
		"    - { name: a, on: true }\n    - b\nempty:\ntext: |\n  one\n  two\n";
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;
	const struct yaml *nodes, *name;

	(void)state;
	assert_int_equal(yaml_parse("f", text, sizeof text - 1, &y, &d), 0);
	assert_int_equal(d.lines.n, 0);
	name = yaml_get(yaml_get(y, "cluster"), "name");
	assert_string_equal(name->text, "r\xc3\xa9");
	assert_false(name->plain);
	assert_int_equal(name->line, 3);
	assert_int_equal(name->column, 9);
	nodes = yaml_get(yaml_get(y, "cluster"), "nodes");
	assert_int_equal(nodes->kind, YAML_LIST);
	assert_int_equal(nodes->n, 2);
	assert_true(yaml_get(nodes->values[0], "on")->plain);
	assert_string_equal(yaml_get(y, "empty")->text, "");
	assert_true(yaml_get(y, "empty")->plain);
	assert_string_equal(yaml_get(y, "text")->text, "one\ntwo\n");
	assert_null(yaml_get(y, "absent"));
	assert_null(yaml_get(nodes, "name"));
	assert_null(yaml_get(NULL, "name"));
}

/* Each mistake once, with its place. */
static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "f:1:1: nothing in it" },
		{ "# only a comment\n", "f:1:1: nothing in it" },
		{ "a: 1\nb: &x 2\n", "f:2:4: an anchor (&name) is not allowed: write the value out "
				     "where it is needed" },
		{ "a: *x\n",
		  "f:1:4: an alias (*name) is not allowed: write the value out, or quote it" },
		{ "a: !!int 3\n", "f:1:4: a tag (!name) is not allowed" },
		{ "a: 1\nb: 2\na: 3\n", "f:3:1: the key 'a' is here twice; first in line 1" },
		{ "a: 1\n---\nb: 2\n", "f:2:1: a second document begins here; one is allowed" },
		{ "a:\n\tb: 1\n", "f:2:1: a tab; YAML is indented by spaces only" },
		{ "a: 1\n b: 2\n",
		  "f:2:3: a ':' is not allowed here: quote the value, or correct the indentation" },
		{ "a: b: c\n",
		  "f:1:5: a ':' is not allowed here: quote the value, or correct the indentation" },
		{ "a: @b\n", "f:1:4: this character cannot begin a value: quote the value" },
		{ "a\nb: 1\n",
		  "f:2:2: a ':' is not allowed here: quote the value, or correct the indentation" },
		{ "a: \"x\nb: 1\n", "f:3:1: the text ends within a quoted value (scanning a quoted "
				    "scalar that began in line 1)" },
		{ "a: [1, 2\nb: 3\n", "f:2:2: ',' or ']' is expected here (parsing a flow sequence "
				      "that began in line 1)" },
		{ "a: \"\\0\"\n", "f:1:4: a NUL character (\\0) in a value" },
		{ "a: x\xffy\n", "f:1:5: the byte 0xff is not valid UTF-8" },
		{ "\xc3\xa9: 1\na: \xed\xa0\x80\n", "f:2:4: the byte 0xed is not valid UTF-8" },
		{ "? [a]\n: b\n", "f:1:3: a key must be one word of at most 128 characters" },
		{ "\"\": b\n", "f:1:1: a key must be one word of at most 128 characters" },
		{ "a: 1\nb: \x01\n", "f:2:4: control characters are not allowed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_diags_ struct diags d = { 0 };
		_yaml_ struct yaml *y = NULL;

		assert_int_equal(yaml_parse("f", cases[i].text, strlen(cases[i].text), &y, &d),
				 -EINVAL);
		assert_int_equal(d.lines.n, 1);
		assert_string_equal(d.lines.v[0], cases[i].says);
	}
}

static void test_all_at_once(void **state)
{
	static const char text[] = "a: &x 1\nb: *x\na: !t 2\n? [c]\n: 3\n*x : 4\n";
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;

	(void)state;
	assert_int_equal(yaml_parse("f", text, sizeof text - 1, &y, &d), -EINVAL);
	assert_int_equal(d.lines.n, 6);
	/* for the other mistakes of the same text: the first value of a key, no key that is none */
	assert_non_null(y);
	assert_int_equal(y->n, 3);
	assert_string_equal(y->values[0]->text, "1");
	assert_true(y->values[1]->spoiled);
	assert_true(y->values[2]->spoiled);
}

/* Half a tree is none. */
static void test_broken_structure(void **state)
{
	static const char text[] = "a: 1\na: 2\nb: [1, 2\nc: 3\n";
	_diags_ struct diags d = { 0 };
	struct yaml *y = NULL;

	(void)state;
	assert_int_equal(yaml_parse("f", text, sizeof text - 1, &y, &d), -EINVAL);
	assert_null(y);
	assert_int_equal(d.lines.n, 2);
}

static void test_nul(void **state)
{
	_diags_ struct diags d = { 0 };
	struct yaml *y = NULL;

	(void)state;
	assert_int_equal(yaml_parse("f", "a: b\0c\n", 7, &y, &d), -EINVAL);
	assert_string_equal(d.lines.v[0], "f:1:5: a NUL byte: this is no text");
}

static void refused(const struct str *text, const char *says)
{
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;

	assert_int_equal(yaml_parse("f", text->p, text->len, &y, &d), -EINVAL);
	assert_int_equal(d.lines.n, 1);
	assert_non_null(strstr(d.lines.v[0], says));
}

static void repeat(struct str *s, const char *piece, size_t n)
{
	str_reset(s);
	while (n--)
		str_add(s, piece);
}

static void test_limits(void **state)
{
	_str_ struct str s = { 0 };

	(void)state;
	repeat(&s, "[", 20000);
	refused(&s, "f:1:33: more than 32 levels");
	repeat(&s, "{a: ", 20000);
	refused(&s, "more than 32 levels");
	repeat(&s, "- ", 20000);
	refused(&s, "more than 32 levels");
	repeat(&s, "? ", 20000);
	refused(&s, "more than 32 levels");
	repeat(&s, "- a\n", 20000);
	refused(&s, "f:10000:3: more than 10000 values in one file");
	repeat(&s, "a", 300000);
	refused(&s, "f:1:1: a value of more than 256 KiB");
	repeat(&s, "# comment\n", 200000);
	refused(&s, "larger than 1 MiB");
	repeat(&s, "a", 1000);
	str_add(&s, ": b\n");
	refused(&s, "a key must be one word");
}

/* Nine anchors of nine aliases each would be a billion values. */
static void test_bomb(void **state)
{
	_diags_ struct diags d = { 0 };
	_str_ struct str s = { 0 };
	_yaml_ struct yaml *y = NULL;

	(void)state;
	str_add(&s, "a: &a [x, x, x]\n");
	for (char c = 'b'; c < 'j'; c++)
		str_addf(&s, "%c: &%c [*%c, *%c, *%c, *%c, *%c]\n", c, c, c - 1, c - 1, c - 1,
			 c - 1, c - 1);
	assert_int_equal(yaml_parse("f", s.p, s.len, &y, &d), -EINVAL);
	assert_int_equal(d.lines.n, 9 + 8 * 5);
}

static void test_places(void **state)
{
	static const char text[] = "a\xc3\xa9z\nb";
	int line, column;

	(void)state;
	utf8_place(text, 3, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 3);
	utf8_place(text, 5, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 1);
	assert_int_equal(utf8_offset(text, 1, 3), 3);
	assert_int_equal(utf8_offset(text, 2, 1), 5);
	assert_int_equal(utf8_offset(text, 9, 1), 6);
	assert_int_equal(utf8_check("\xc0\xaf", 2), 0);
	assert_int_equal(utf8_check("a\xf4\x90\x80\x80", 5), 1);
	assert_int_equal(utf8_check("\xf0\x9f\x94\xa5", 4), 4);
	assert_int_equal(utf8_check("\xf0\x9f\x94", 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_broken_structure),
		cmocka_unit_test(test_nul),	    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bomb),	    cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
