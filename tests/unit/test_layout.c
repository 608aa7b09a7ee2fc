/* Where everything goes on a disk: golden tables, because each byte of a mistake is somebody's. */
#include "tests/unit/test.h"

#include "image/layout.h"

#include <errno.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define X86 "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define ARM "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"
#define LINUX "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

static void add(struct ptable *t, const char *name, const char *type, uint64_t start, uint64_t size)
{
	struct partition p = { .start = start, .size = size };

	snprintf(p.name, sizeof p.name, "%s", name);
	snprintf(p.type, sizeof p.type, "%s", type);
	ptable_add(t, &p);
}

/* Boot, ESP and a root of SIZE. */
static void image(struct ptable *t, uint64_t size)
{
	add(t, "phoenix-bios", "21686148-6449-6E6F-744E-656564454649", 1 * MIB, 1 * MIB);
	add(t, "phoenix-esp", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 2 * MIB, 256 * MIB);
	add(t, LAYOUT_ROOT, X86, 258 * MIB, size);
	t->size = ptable_end(t) + 1 * MIB;
}

/* "name start size" in MiB, a line each. */
static void assert_table(const struct ptable *t, const char *expected)
{
	_str_ struct str s = { 0 };

	for (size_t i = 0; i < t->n; i++)
		str_addf(&s, "%s %llu %llu\n", t->v[i].name,
			 (unsigned long long)(t->v[i].start / MIB),
			 (unsigned long long)(t->v[i].size / MIB));
	assert_string_equal(str_text(&s), expected);
}

static int make(struct layout_wish w, uint64_t root, struct layout *l, struct fault *f)
{
	_ptable_ struct ptable img = { 0 }, none = { 0 };
	int r;

	image(&img, root);
	assert_int_equal(layout_image(&img, "image", f), 0);
	w.image = &img;
	w.seed_size = 1 * MIB;
	if (!w.disk)
		w.disk = &none;
	r = layout_make(&w, "/dev/sda", l, f);
	if (r < 0)
		assert_int_equal(l->table.n, 0);
	return r;
}

static void test_new_disks(void **state)
{
	static const struct {
		uint64_t disk;
		bool no_data;
		const char *table;
	} cases[] = {
		{ 100 * GIB, false,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 12029\nCIDATA 12287 1\n"
		  "phoenix-data 12288 90111\n" },
		{ 100 * GIB, true,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 12029\nCIDATA 12287 1\n" },
		/* small: half and half */
		{ 8 * GIB, false,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 3837\nCIDATA 4095 1\n"
		  "phoenix-data 4096 4095\n" },
		{ 8 * GIB, true,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 7932\nCIDATA 8190 1\n" },
		/* smaller: what the image needs comes first */
		{ 2400 * MIB, false,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 1000\nCIDATA 1258 1\n"
		  "phoenix-data 1259 1140\n" },
		{ 1260 * MIB, true,
		  "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 1000\nCIDATA 1258 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_layout_ struct layout l = { 0 };
		struct fault f = { 0 };
		const struct layout_wish w = { .disk_size = cases[i].disk,
					       .no_data = cases[i].no_data };

		assert_int_equal(make(w, 1000 * MIB, &l, &f), 0);
		assert_table(&l.table, cases[i].table);
		assert_int_equal(l.interim.n, 0);
		assert_false(l.kept);
		assert_true(l.image_end == 1258 * MIB);
	}
}

static void test_too_small(void **state)
{
	static const struct {
		uint64_t disk;
		bool no_data;
	} cases[] = {
		{ 2283 * MIB, false }, { 1259 * MIB, true }, { 100 * MIB, true }, { 0, true }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_layout_ struct layout l = { 0 };
		struct fault f = { 0 };
		const struct layout_wish w = { .disk_size = cases[i].disk,
					       .no_data = cases[i].no_data };

		assert_int_equal(make(w, 1000 * MIB, &l, &f), -ENOSPC);
		assert_non_null(strstr(f.text, "/dev/sda is too small"));
	}
}

/* Kept to the byte, wherever an older layout put it; the system takes what is before it. */
static void test_kept(void **state)
{
	_ptable_ struct ptable old = { 0 };
	_layout_ struct layout l = { 0 }, wiped = { 0 }, grown = { 0 }, other = { 0 };
	struct layout_wish w = { .disk = &old, .disk_size = 100 * GIB };
	struct fault f = { 0 };

	(void)state;
	add(&old, LAYOUT_ROOT, X86, 1 * MIB, 3 * GIB);
	add(&old, LAYOUT_DATA, LINUX, 8 * GIB + 512, 20 * GIB);
	memcpy(old.v[1].uuid, "11111111-2222-3333-4444-555555555555", 37);
	assert_int_equal(make(w, 1000 * MIB, &l, &f), 0);
	assert_true(l.kept);
	assert_table(&l.table,
		     "phoenix-bios 1 1\nphoenix-esp 2 256\nphoenix-root 258 7933\nCIDATA 8191 1\n"
		     "phoenix-data 8192 20480\n");
	assert_memory_equal(&l.table.v[4], &old.v[1], sizeof old.v[1]);
	assert_table(&l.interim, "phoenix-data 8192 20480\n");
	/* outgrown */
	assert_int_equal(make(w, 8 * GIB, &grown, &f), -ENOSPC);
	assert_non_null(strstr(f.text, "--wipe erases it"));
	w.wipe = true;
	assert_int_equal(make(w, 8 * GIB, &wiped, &f), 0);
	assert_false(wiped.kept);
	assert_int_equal(wiped.interim.n, 0);
	assert_true(wiped.data.start == 12 * GIB);
	/* the description has its data elsewhere now: what is here is not erased for that */
	w.wipe = false;
	w.no_data = true;
	assert_int_equal(make(w, 1000 * MIB, &other, &f), 0);
	assert_true(other.kept && other.interim.n == 1);
}

static void test_two_of_them(void **state)
{
	_ptable_ struct ptable old = { 0 };
	_layout_ struct layout l = { 0 };
	struct layout_wish w = { .disk = &old, .disk_size = 100 * GIB };
	struct fault f = { 0 };

	(void)state;
	add(&old, LAYOUT_DATA, LINUX, 12 * GIB, 1 * GIB);
	add(&old, LAYOUT_DATA, LINUX, 14 * GIB, 1 * GIB);
	assert_int_equal(make(w, 1000 * MIB, &l, &f), -ENOTUNIQ);
	w.wipe = true;
	assert_int_equal(make(w, 1000 * MIB, &l, &f), 0);
}

/* A table that was copied from a larger disk. */
static void test_over_the_end(void **state)
{
	static const struct partition cases[] = { { .start = 12 * GIB, .size = 89 * GIB },
						  { .start = 101 * GIB, .size = 1 * GIB },
						  { .start = 99 * GIB, .size = 1 * GIB },
						  { .start = 12 * GIB, .size = UINT64_MAX - GIB } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_ptable_ struct ptable old = { 0 };
		_layout_ struct layout l = { 0 }, wiped = { 0 };
		struct layout_wish w = { .disk = &old, .disk_size = 100 * GIB };
		struct fault f = { 0 };

		add(&old, LAYOUT_DATA, LINUX, cases[i].start, cases[i].size);
		assert_int_equal(make(w, 1000 * MIB, &l, &f), -EUCLEAN);
		assert_non_null(strstr(f.text, "over the end of the disk"));
		w.wipe = true;
		assert_int_equal(make(w, 1000 * MIB, &wiped, &f), 0);
	}
}

static void test_other_images(void **state)
{
	static const struct {
		const char *name, *type;
		uint64_t start;
		const char *why;
	} cases[] = {
		{ "root", X86, 1 * MIB, "no disk image of ThreePhoenix" },
		{ LAYOUT_ROOT, ARM, 1 * MIB, "not for x86-64" },
		{ LAYOUT_ROOT, X86, 34 * PTABLE_SECTOR, "room for the table" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_ptable_ struct ptable t = { 0 };
		struct fault f = { 0 };

		add(&t, cases[i].name, cases[i].type, cases[i].start, 10 * MIB);
		t.size = ptable_end(&t) + 1 * MIB;
		assert_int_equal(layout_image(&t, "image", &f), -EINVAL);
		assert_non_null(strstr(f.text, cases[i].why));
	}

	_ptable_ struct ptable t = { 0 };
	struct fault f = { 0 };

	image(&t, 10 * MIB);
	add(&t, "swap", LINUX, 300 * MIB, 1 * MIB);
	t.size += 20 * MIB;
	assert_int_equal(layout_image(&t, "image", &f), -EINVAL);
	assert_non_null(strstr(f.text, "not its last"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_disks),    cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_kept),	     cmocka_unit_test(test_two_of_them),
		cmocka_unit_test(test_other_images), cmocka_unit_test(test_over_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
