/* What a node that renews itself leaves to its last program, and what it takes along for it. */
#include "tests/unit/test.h"

#include "image/self_order.h"
#include "image/self_tree.h"

#include <errno.h>

static char node[] = "phoenix-a", disk[] = "/dev/sda", table[] = "C2D2B9E4-0000-0000-0000-01";
#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void an_order_reads_back(void **state)
{
	const struct self_order o = { .node = node,
				      .disk = disk,
				      .size = 1ULL << 40,
				      .table = table,
				      .sha256 = SUM,
				      .wipe = true,
				      .no_data = true,
				      .kept = true,
				      .data_start = 12ULL << 30,
				      .data_size = 100ULL << 30 };
	_self_order_ struct self_order back = { 0 };
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	(void)state;
	self_order_print(&o, &text);
	if (self_order_parse(text.p, text.len, &back, &f) < 0)
		fail_msg("%s", f.text);
	assert_string_equal(back.node, o.node);
	assert_string_equal(back.disk, o.disk);
	assert_string_equal(back.table, o.table);
	assert_string_equal(back.sha256, o.sha256);
	assert_true(back.size == o.size && back.data_start == o.data_start &&
		    back.data_size == o.data_size);
	assert_true(back.wipe && back.no_data && back.kept);
}

/* What is no sum would end in "something else was read back", after the disk was written. */
static void a_sum_is_a_sum(void **state)
{
	const struct self_order o = {
		.node = node, .disk = disk, .table = table, .sha256 = SUM, .size = 1
	};
	_self_order_ struct self_order back = { 0 };
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	(void)state;
	self_order_print(&o, &text);
	*strstr(text.p, SUM) = 'X';
	assert_int_equal(self_order_parse(text.p, text.len, &back, &f), -EPROTO);
}

/* Half of an order is none: a disk would be written by guess. */
static void half_an_order_is_none(void **state)
{
	static const char *const keys[] = { "version", "node",	 "disk",       "size",
					    "table",   "sha256", "data_start", "data_size" };
	const struct self_order o = {
		.node = node, .disk = disk, .table = table, .sha256 = SUM, .size = 1
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		_self_order_ struct self_order back = { 0 };
		_free_ char *key = mem_printf("\"%s\"", keys[i]);
		_str_ struct str text = { 0 };
		struct fault f = { 0 };

		self_order_print(&o, &text);
		assert_non_null(strstr(text.p, key));
		strstr(text.p, key)[1] = 'x';
		assert_int_equal(self_order_parse(text.p, text.len, &back, &f), -EPROTO);
		assert_non_null(strstr(f.text, "not understood"));
	}
}

static void libraries_are_what_ldd_says(void **state)
{
	static const char text[] =
		"\tlinux-vdso.so.1 (0x00007ffd1b9f2000)\n"
		"\tlibblkid.so.1 => /lib/x86_64-linux-gnu/libblkid.so.1 (0x00007f0a)\n"
		"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0b)\n"
		"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0b)\n"
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f0c)\n";
	_strv_ struct strv libraries = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(self_tree_libraries(text, &libraries, &f), 0);
	assert_int_equal(libraries.n, 3);
	assert_true(strv_has(&libraries, "/lib/x86_64-linux-gnu/libblkid.so.1"));
	assert_true(strv_has(&libraries, "/lib/x86_64-linux-gnu/libc.so.6"));
	assert_true(strv_has(&libraries, "/lib64/ld-linux-x86-64.so.2"));
	assert_int_equal(self_tree_libraries("\tstatically linked\n", &libraries, &f), 0);
	assert_int_equal(libraries.n, 3);
}

/* Found here, and not by the last program of a machine that has no other any more. */
static void a_missing_library_is_told(void **state)
{
	_strv_ struct strv libraries = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(self_tree_libraries("\tlibblkid.so.1 => not found\n", &libraries, &f),
			 -ENOENT);
	assert_string_equal(f.text, "libblkid.so.1 is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_reads_back),
		cmocka_unit_test(half_an_order_is_none),
		cmocka_unit_test(a_sum_is_a_sum),
		cmocka_unit_test(libraries_are_what_ldd_says),
		cmocka_unit_test(a_missing_library_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
