/* The durable record: what was written is read back, what is damaged is never taken for empty. */
#include "firstboot/records.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#define A "0123456789abcdef0123456789abcdef"
#define B "fedcba9876543210fedcba9876543210"

static struct records sample(void)
{
	struct records r = { .cluster = A, .generation = 2, .formed = true, .formation = B, .retired = 3, .retired_for = 1,
			     .recovering = true, .promise = { .node = 0, .formation = B, .cluster = A } };

	r.words.missing[2] = true;
	r.words.generation = 3;
	memcpy(r.words.abandoned, A, ID_LEN);
	return r;
}

static void what_is_printed_is_read_back(void **state)
{
	struct records r = sample(), back;
	_str_ struct str text = { 0 }, again = { 0 };
	struct fault f = { 0 };

	(void)state;
	records_print(&r, &text);
	assert_int_equal(records_parse(text.p, text.len, &back, &f), 0);
	records_print(&back, &again);
	assert_string_equal(text.p, again.p);
	assert_true(back.words.missing[2] && !back.words.missing[0] && back.promise.node == 0 && back.retired == 3);
}

static void an_absent_file_is_an_empty_record(void **state)
{
	char dir[] = "/tmp/phoenix-test-XXXXXX";
	_fs_ struct fs fs = { .fd = -1 };
	struct fault f = { 0 };
	struct records r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(fs_open(&fs, dir, &f), 0);
	assert_int_equal(records_load(&fs, "/state", &r, &f), 0);
	assert_int_equal(r.promise.node, -1);
	assert_string_equal(r.cluster, "");
	r = sample();
	assert_int_equal(records_save(&fs, "/state", &r, &f), 0);
	assert_int_equal(records_load(&fs, "/state", &r, &f), 0);
	assert_int_equal(r.generation, 2);
	fs_remove(&fs, "/state/record.json", &f);
	unlinkat(fs.fd, "state", AT_REMOVEDIR);
	rmdir(dir);
}

static void damage_is_never_empty(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{}", "{\"version\":2}", "{\"version\":1,\"cluster\":\"xyz\"}",
					   "{\"version\":1,\"cluster\":7}", "{\"version\":1,\"generation\":-1}",
					   "{\"version\":1,\"promise\":{\"node\":3}}", "{\"version\":1,\"promise\":{\"node\":\"a\"}}",
					   "{\"version\":1,\"words\":{\"missing\":[\"9\"]}}", "{\"version\":1,\"retired_for\":5}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct records r = { .generation = 77 };
		struct fault f = { 0 };

		assert_int_equal(records_parse(bad[i], strlen(bad[i]), &r, &f), -EBADMSG);
		assert_int_equal(r.generation, 77);
		assert_true(f.text[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(an_absent_file_is_an_empty_record),
		cmocka_unit_test(damage_is_never_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
