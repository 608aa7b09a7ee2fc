/* A folder appears whole or not at all. */
#include "tests/unit/test.h"

#include "lib/staging.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/phoenix-staging-XXXXXX";

static size_t entries(const char *path)
{
	_fs_ struct fs fs = { .fd = -1 };
	_strv_ struct strv names = { 0 };

	assert_int_equal(fs_open(&fs, path, NULL), 0);
	assert_int_equal(fs_list(&fs, "/", &names, NULL), 0);
	return names.n;
}

static void fill(const char *target, const char *text, bool replace, int expected)
{
	_staging_ struct staging s = { .fs.fd = -1 };
	struct fault f = { 0 };

	assert_int_equal(staging_begin(&s, target, &f), 0);
	assert_int_equal(fs_mkdirs(&s.fs, "a/b", 0700, &f), 0 + 1);
	assert_int_equal(fs_write_text(&s.fs, "a/b/file", 0600, text, &f), 1);
	assert_int_equal(staging_commit(&s, replace, &f), expected);
}

static void test_appears(void **state)
{
	_free_ char *target = mem_printf("%s/new/", base),
		    *file = mem_printf("%s/new/a/b/file", base);

	(void)state;
	fill(target, "one", false, 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(entries(base), 1);
	/* not empty now */
	fill(target, "two", false, -ENOTEMPTY);
	assert_int_equal(entries(base), 1);
	fill(target, "three", true, 0);
	assert_int_equal(entries(base), 1);
}

static void test_abandoned(void **state)
{
	_free_ char *target = mem_printf("%s/never", base);
	size_t before = entries(base);

	(void)state;
	{
		_staging_ struct staging s = { .fs.fd = -1 };

		assert_int_equal(staging_begin(&s, target, NULL), 0);
		assert_int_equal(fs_write_text(&s.fs, "file", 0600, "x", NULL), 1);
		assert_int_equal(entries(base), before + 1);
	}
	assert_int_equal(entries(base), before);
}

/* A killed run's folder goes at the next one; that of a run that goes on stays, and any that is not
 * ours by its mode. */
static void test_left_over(void **state)
{
	_free_ char *target = mem_printf("%s/never", base);
	_free_ char *dead = mem_printf("%s/.phoenix-AbCd12", base);
	_free_ char *file = mem_printf("%s/secret", dead);
	_free_ char *other = mem_printf("%s/.phoenix-others", base);
	_staging_ struct staging alive = { .fs.fd = -1 }, s = { .fs.fd = -1 };
	FILE *out;

	(void)state;
	assert_int_equal(mkdir(dead, 0700), 0);
	assert_int_equal(mkdir(other, 0755), 0);
	out = fopen(file, "w");
	assert_non_null(out);
	fclose(out);
	assert_int_equal(staging_begin(&alive, target, NULL), 0);
	assert_int_not_equal(access(dead, F_OK), 0);
	assert_int_equal(staging_begin(&s, target, NULL), 0);
	assert_int_equal(access(alive.temporary, F_OK), 0);
	assert_int_equal(rmdir(other), 0);
}

static void test_refused(void **state)
{
	_free_ char *nowhere = mem_printf("%s/no/such", base), *file = mem_printf("%s/file", base);
	_staging_ struct staging a = { .fs.fd = -1 }, b = { .fs.fd = -1 };
	_fs_ struct fs fs = { .fd = -1 };

	(void)state;
	assert_int_equal(staging_begin(&a, nowhere, NULL), -ENOENT);
	assert_int_equal(staging_begin(&a, ".", NULL), -EINVAL);
	assert_int_equal(fs_open(&fs, base, NULL), 0);
	assert_int_equal(fs_write_text(&fs, "file", 0600, "x", NULL), 1);
	assert_int_equal(staging_begin(&b, file, NULL), 0);
	assert_int_equal(staging_commit(&b, true, NULL), -ENOTDIR);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
	_staging_ struct staging s = { .fs.fd = -1, .temporary = mem_strdup(base) };

	(void)state;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appears),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
