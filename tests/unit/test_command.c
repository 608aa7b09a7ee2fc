/* Options of a command, and how mistakes in them are told. */
#include "tests/unit/test.h"

#include "lib/command.h"

#include <errno.h>
#include <unistd.h>

static int never(int argc, char **argv, struct fault *f)
{
	(void)argc, (void)argv, (void)f;
	return EXIT_FAILED;
}

const struct command commands[] = {
	{ "flash", "workstation", "writes", "Usage: phoenix flash DEVICE\n", never },
	{ 0 },
};

struct given {
	const char *image;
	bool plan;
	struct strv only;
	struct fault f;
};

static int parse(struct given *g, const char *const *words)
{
	const struct command_option options[] = {
		{ "image", 'i', .value = &g->image },
		{ "plan", 0, .flag = &g->plan },
		{ "only", 'o', .list = &g->only },
		{ 0 },
	};
	char *argv[12] = { NULL };
	int argc = 0;

	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	return command_options(options, argc, argv, &g->f);
}
#define PARSE(g, ...) parse(g, (const char *const[]){ "flash", __VA_ARGS__, NULL })

static void reads_options(void **state)
{
	struct given g = { 0 };

	(void)state;
	assert_int_equal(PARSE(&g, "--image", "a.img", "--plan", "-o", "x", "--only=y", "/dev/sda"),
			 7);
	assert_string_equal(g.image, "a.img");
	assert_true(g.plan);
	assert_int_equal(g.only.n, 2);
	assert_string_equal(g.only.v[1], "y");
	strv_free(&g.only);
}

static void operands_may_come_first(void **state)
{
	struct given g = { 0 };

	(void)state;
	assert_int_equal(PARSE(&g, "/dev/sda", "-i", "b"), 3);
	assert_string_equal(g.image, "b");
	g = (struct given){ 0 };
	assert_int_equal(PARSE(&g, "--", "--plan"), 2);
	assert_false(g.plan);
}

static void names_the_mistake(void **state)
{
	static const struct {
		const char *word, *named;
	} cases[] = {
		{ "--imagine", "--imagine" }, { "-x", "-x" },
		{ "--image", "--image" },     { "-i", "-i" },
		{ "--plan=1", "--plan" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct given g = { 0 };

		assert_int_equal(PARSE(&g, cases[i].word), -EINVAL);
		assert_non_null(strstr(g.f.text, cases[i].named));
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) { /* also behind an operand */
		struct given g = { 0 };

		assert_int_equal(PARSE(&g, "operand", cases[i].word), -EINVAL);
		assert_non_null(strstr(g.f.text, cases[i].named));
	}
}

static void helps(void **state)
{
	struct given g = { 0 };

	(void)state;
	assert_int_equal(PARSE(&g, "--help"), -ECANCELED);
	assert_int_equal(g.f.code, 0);
	assert_int_equal(PARSE(&g, "-h"), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_options),
		cmocka_unit_test(operands_may_come_first),
		cmocka_unit_test(names_the_mistake),
		cmocka_unit_test(helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
