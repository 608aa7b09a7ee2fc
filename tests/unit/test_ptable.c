/* Partition tables: what is made is read back the same, wherever the kernel or a firmware looks. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/ptable.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define ROOT_TYPE "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define OWN_TYPE "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0" /* one that no program has a name for */
#define ROOT_UUID "11111111-2222-3333-4444-555555555555"

static unsigned char head[PTABLE_HEAD], tail[PTABLE_TAIL];

static void example(struct ptable *t)
{
	ptable_add(t, &(struct partition){ .name = "phoenix-root",
					   .type = ROOT_TYPE,
					   .uuid = ROOT_UUID,
					   .start = 1 * MIB,
					   .size = 5 * MIB,
					   .attributes = 1ULL << 59 });
	ptable_add(t, &(struct partition){ .name = "other",
					   .type = OWN_TYPE,
					   .start = 6 * MIB,
					   .size = 3 * MIB + 4096 });
}

static int disk(uint64_t size, bool with_head, bool with_tail)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (with_head)
		assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
	if (with_tail)
		assert_int_equal(pwrite(fd, tail, sizeof tail, (off_t)size - (off_t)sizeof tail),
				 sizeof tail);
	return fd;
}

static void assert_example(const struct ptable *t)
{
	size_t n;

	assert_int_equal(t->n, 2);
	assert_non_null(ptable_find(t, "phoenix-root", &n));
	assert_int_equal(n, 1);
	assert_string_equal(t->v[0].type, ROOT_TYPE);
	assert_string_equal(t->v[0].uuid, ROOT_UUID);
	assert_true(t->v[0].attributes == 1ULL << 59);
	assert_true(t->v[0].start == 1 * MIB && t->v[0].size == 5 * MIB);
	assert_string_equal(t->v[1].type, OWN_TYPE);
	assert_int_equal(strlen(t->v[1].uuid), 36);
	assert_true(ptable_end(t) == 9 * MIB + 4096);
	assert_null(ptable_find(t, "phoenix-data", &n));
	assert_int_equal(n, 0);
}

static void test_made_and_read(void **state)
{
	static const bool copies[][2] = { { true, true }, { true, false }, { false, true } };
	static const char zero[2 * PTABLE_SECTOR];
	struct fault f = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		_ptable_ struct ptable t = { 0 }, got = { 0 };

		example(&t);
		assert_int_equal(ptable_make(&t, 64 * MIB, NULL, head, tail, &f), 0);

		_fd_ int fd = disk(64 * MIB, true, copies[i][1]);

		/* cut off in the middle of writing the beginning */
		if (!copies[i][0])
			assert_int_equal(pwrite(fd, zero, sizeof zero, PTABLE_SECTOR), sizeof zero);
		assert_int_equal(ptable_read(fd, 64 * MIB, "disk", &got, &f), 1);
		assert_example(&got);
	}
}

/* The boot code of an image comes along, its partition entries do not. */
static void test_boot_code(void **state)
{
	static unsigned char boot[PTABLE_HEAD], zero[PTABLE_HEAD];
	_ptable_ struct ptable t = { 0 };
	struct fault f = { 0 };

	(void)state;
	example(&t);
	memset(boot, 0xeb, 440);
	memset(boot + 40 * PTABLE_SECTOR, 0x77, 100);
	assert_int_equal(ptable_make(&t, 64 * MIB, boot, head, tail, &f), 0);
	assert_memory_equal(head, boot, 440);
	assert_memory_equal(head + 40 * PTABLE_SECTOR, boot + 40 * PTABLE_SECTOR, 100);
	assert_int_equal(ptable_make(&t, 64 * MIB, NULL, head, tail, &f), 0);
	assert_memory_equal(head, zero, 440);
}

static void test_head_alone(void **state)
{
	_ptable_ struct ptable t = { 0 }, got = { 0 };
	struct fault f = { 0 };

	(void)state;
	example(&t);
	assert_int_equal(ptable_make(&t, 64 * MIB, NULL, head, tail, &f), 0);
	assert_int_equal(ptable_read_head(head, sizeof head, "image", &got, &f), 1);
	assert_example(&got);
	assert_true(got.size == 64 * MIB);
	/* one flipped bit in an entry: the checksum notices, there is no copy to go by */
	head[2 * PTABLE_SECTOR + 40] ^= 1;
	assert_int_equal(ptable_read_head(head, sizeof head, "image", &got, &f), -EUCLEAN);
	memset(head, 0, sizeof head);
	assert_int_equal(ptable_read_head(head, sizeof head, "image", &got, &f), 0);
}

static void test_none_and_others(void **state)
{
	static const unsigned char mbr_end[] = { 0x55, 0xaa };
	_fd_ int fd = disk(64 * MIB, false, false);
	_ptable_ struct ptable t = { 0 }, got = { 0 };
	_fd_ int only_copy = -1;
	unsigned char entry[16] = { [4] = 0x83, [8] = 63, [13] = 8 }; /* 2048 sectors */
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(ptable_read(fd, 64 * MIB, "disk", &got, &f), 0);
	assert_int_equal(pwrite(fd, entry, sizeof entry, 446), sizeof entry);
	assert_int_equal(pwrite(fd, mbr_end, 2, 510), 2);
	assert_int_equal(ptable_read(fd, 64 * MIB, "disk", &got, &f), 1);
	assert_false(got.gpt);
	assert_int_equal(got.n, 1);
	assert_true(got.v[0].start == 63 * PTABLE_SECTOR && got.v[0].size == 2048 * PTABLE_SECTOR);
	example(&t);
	assert_int_equal(ptable_make(&t, 64 * MIB, NULL, head, tail, &f), 0);
	only_copy = disk(64 * MIB, false, true);
	assert_int_equal(ptable_read(only_copy, 64 * MIB, "disk", &got, &f), -EUCLEAN);
	assert_non_null(strstr(f.text, "copy"));
}

/* A partition that lies over another one, or over the disk's end, is refused, never moved. */
/* A header that wants gigabytes for its entries, at each place where one is looked for. */
static void test_greedy(void **state)
{
	static const unsigned char many[4] = { 0, 0, 0, 0x20 };
	static const uint64_t places[] = { PTABLE_SECTOR, 64 * MIB - PTABLE_SECTOR };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_ptable_ struct ptable t = { 0 }, got = { 0 };
		struct fault f = { 0 };

		example(&t);
		assert_int_equal(ptable_make(&t, 64 * MIB, NULL, head, tail, &f), 0);

		_fd_ int fd = disk(64 * MIB, true, true);

		assert_int_equal(pwrite(fd, many, sizeof many, (off_t)places[i] + 80), sizeof many);
		assert_int_equal(ptable_read(fd, 64 * MIB, "greedy", &got, &f), -EUCLEAN);
		assert_non_null(strstr(f.text, "not an ordinary one"));
	}
}

static void test_misfit(void **state)
{
	static const struct partition bad[] = {
		{ .name = "over", .type = OWN_TYPE, .start = 5 * MIB, .size = MIB },
		{ .name = "beyond", .type = OWN_TYPE, .start = 63 * MIB, .size = MIB },
		{ .name = "table", .type = OWN_TYPE, .start = 512, .size = MIB / 2 },
	};
	struct fault f = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_ptable_ struct ptable t = { 0 };

		example(&t);
		ptable_add(&t, &bad[i]);
		assert_true(ptable_make(&t, 64 * MIB, NULL, head, tail, &f) < 0);
		assert_non_null(strstr(f.text, bad[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_and_read), cmocka_unit_test(test_boot_code),
		cmocka_unit_test(test_head_alone),    cmocka_unit_test(test_none_and_others),
		cmocka_unit_test(test_greedy),	      cmocka_unit_test(test_misfit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
