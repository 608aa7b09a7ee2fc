/* The error type keeps to one line, one size and its context. */
#include "tests/unit/test.h"

#include "lib/fault.h"

#include <errno.h>
#include <string.h>

static void sets_code_and_text(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(fault_set(&f, ENOENT, "no %s", "seed"), -ENOENT);
	assert_int_equal(f.code, ENOENT);
	assert_string_equal(f.text, "no seed");
	fault_clear(&f);
	assert_int_equal(f.code, 0);
	assert_string_equal(f.text, "");
}

static void wants_no_fault(void **state)
{
	(void)state;
	errno = EPERM;
	assert_int_equal(fault_set(NULL, EINVAL, "x"), -EINVAL);
	errno = EPERM;
	assert_int_equal(fault_errno(NULL, "x"), -EPERM);
	assert_true(fault_wrap(NULL, "x") < 0);
}

static void names_errno(void **state)
{
	struct fault f = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(fault_errno(&f, "/a"), -ENOENT);
	assert_string_equal(f.text, "/a: No such file or directory");
	errno = 0;
	assert_int_equal(fault_errno(&f, "/a"), -EIO);
}

static void wraps(void **state)
{
	struct fault f = { 0 };

	(void)state;
	fault_set(&f, EIO, "inner");
	assert_int_equal(fault_wrap(&f, "outer %d", 1), -EIO);
	assert_string_equal(f.text, "outer 1: inner");
}

static void long_text_loses_its_end(void **state)
{
	struct fault f = { 0 };
	char big[3000];

	(void)state;
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	fault_set(&f, EIO, "%s", big);
	assert_int_equal(strlen(f.text), sizeof f.text - 1);
	fault_wrap(&f, "context");
	assert_int_equal(strlen(f.text), sizeof f.text - 1);
	assert_int_equal(strncmp(f.text, "context: xxx", 12), 0);
	errno = EIO;
	assert_int_equal(fault_errno(&f, "%s", big), -EIO);
}

static void is_one_line(void **state)
{
	struct fault f = { 0 };

	(void)state;
	fault_set(&f, EIO, "a\nb\033[31mc\x7f");
	assert_string_equal(f.text, "a b [31mc ");
}

static void may_use_its_own_text(void **state)
{
	struct fault f = { 0 };

	(void)state;
	fault_set(&f, EIO, "why");
	fault_set(&f, EINVAL, "it failed: %s", f.text);
	assert_string_equal(f.text, "it failed: why");
	fault_wrap(&f, "<%s>", f.text);
	assert_string_equal(f.text, "<it failed: why>: it failed: why");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(wants_no_fault),
		cmocka_unit_test(names_errno),
		cmocka_unit_test(wraps),
		cmocka_unit_test(long_text_loses_its_end),
		cmocka_unit_test(is_one_line),
		cmocka_unit_test(may_use_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
