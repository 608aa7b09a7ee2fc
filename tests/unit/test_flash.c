/* A flash that is cut off after any of its writes: the disk is the old one, or it does not boot and
 * keeps its data, or it is the new one. Never a mixture. */
#include "tests/unit/test.h"

#include "image/flash.h"
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define SIZE (96 * MIB)
#define ROOT_TYPE "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define LINUX_TYPE "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

static char image[] = "/tmp/phoenix-image-XXXXXX", disk[] = "/tmp/phoenix-disk-XXXXXX";
static const char seed_text[] = "the seed";

static void put(int fd, const void *data, size_t n, uint64_t at)
{
	assert_int_equal(pwrite(fd, data, n, (off_t)at), n);
}

/* A table on FD, with LETTER as boot code and all over phoenix-root. */
static void write_system(int fd, const struct ptable *t, char letter)
{
	_free_ unsigned char *boot = mem_alloc(PTABLE_HEAD), *head = mem_alloc(PTABLE_HEAD),
			     *tail = mem_alloc(PTABLE_TAIL);
	const struct partition *root = ptable_find(t, LAYOUT_ROOT, NULL);
	_free_ char *content = mem_alloc(root->size);

	memset(boot, letter, 440);
	memset(content, letter, root->size);
	assert_int_equal(ptable_make(t, t->size, boot, head, tail, NULL), 0);
	put(fd, head, PTABLE_HEAD, 0);
	put(fd, tail, PTABLE_TAIL, t->size - PTABLE_TAIL);
	put(fd, content, root->size, root->start);
}

static void make_image(void)
{
	_ptable_ struct ptable t = { .size = 24 * MIB };
	_fd_ int fd = open(image, O_RDWR | O_TRUNC);

	ptable_add(&t, &(struct partition){ .name = LAYOUT_ROOT,
					    .type = ROOT_TYPE,
					    .start = 2 * MIB,
					    .size = 20 * MIB + 4096 });
	assert_int_equal(ftruncate(fd, (off_t)t.size), 0);
	write_system(fd, &t, 'N');
}

/* An older system, and data behind it. */
static void make_disk(void)
{
	_ptable_ struct ptable t = { .size = SIZE };
	_fd_ int fd = open(disk, O_RDWR | O_TRUNC);

	ptable_add(&t, &(struct partition){ .name = LAYOUT_ROOT,
					    .type = ROOT_TYPE,
					    .start = 1 * MIB,
					    .size = 10 * MIB });
	ptable_add(&t, &(struct partition){ .name = LAYOUT_DATA,
					    .type = LINUX_TYPE,
					    .start = 40 * MIB,
					    .size = 20 * MIB });
	assert_int_equal(ftruncate(fd, SIZE), 0);
	write_system(fd, &t, 'O');
	put(fd, "precious", 8, 40 * MIB);
	put(fd, "precious", 8, 60 * MIB - 8);
}

static void nothing(void *user, enum flash_phase phase, uint64_t done, uint64_t total)
{
	(void)user, (void)phase, (void)done, (void)total;
}

static int flash(bool *begun, struct fault *f)
{
	_source_ struct source *s = NULL;
	_target_ struct target t = TARGET_NONE;
	_layout_ struct layout l = { 0 };
	_str_ struct str seed = { 0 };
	int r;

	str_add_n(&seed, seed_text, sizeof seed_text);
	assert_int_equal(source_open(image, NULL, &s, f), 0);
	assert_int_equal(layout_image(&s->table, s->name, f), 0);
	assert_int_equal(target_open(disk, &t, f), 0);

	const struct layout_wish w = {
		.image = &s->table, .disk = &t.table, .disk_size = t.size, .seed_size = seed.len
	};
	const struct flash x = {
		.target = &t, .source = s, .layout = &l, .seed = &seed, .progress = nothing
	};

	assert_int_equal(layout_make(&w, disk, &l, f), 0);
	assert_true(l.kept);
	r = flash_write(&x, begun, f);
	return r;
}

enum outcome { OLD, NONE, NEW };

static bool all_are(int fd, char letter, uint64_t at, uint64_t n)
{
	_free_ char *buf = mem_alloc(n);

	assert_int_equal(pread(fd, buf, n, (off_t)at), n);
	for (uint64_t i = 0; i < n; i++)
		if (buf[i] != letter)
			return false;
	return true;
}

/* What a firmware would make of the disk; asserts that it is something whole. */
static enum outcome look(void)
{
	_fd_ int fd = open(disk, O_RDONLY);
	_ptable_ struct ptable t = { 0 };
	const struct partition *root, *data;
	struct fault f = { 0 };
	char text[16], boot;

	assert_int_equal(ptable_read(fd, SIZE, disk, &t, &f), 1);
	data = ptable_find(&t, LAYOUT_DATA, NULL);
	assert_non_null(data);
	assert_true(data->start == 40 * MIB && data->size == 20 * MIB);
	assert_int_equal(pread(fd, text, 8, 40 * MIB), 8);
	assert_memory_equal(text, "precious", 8);
	assert_int_equal(pread(fd, text, 8, 60 * MIB - 8), 8);
	assert_memory_equal(text, "precious", 8);
	assert_int_equal(pread(fd, &boot, 1, 0), 1);
	root = ptable_find(&t, LAYOUT_ROOT, NULL);
	if (!root)
		return NONE;
	if (root->start == 1 * MIB) {
		assert_true(all_are(fd, 'O', root->start, root->size));
		return OLD;
	}
	assert_true(all_are(fd, 'N', root->start, 20 * MIB + 4096));
	root = ptable_find(&t, LAYOUT_SEED, NULL);
	assert_int_equal(pread(fd, text, sizeof seed_text, (off_t)root->start), sizeof seed_text);
	assert_string_equal(text, seed_text);
	assert_int_equal(boot, 'N');
	return NEW;
}

static int steps, cut_at;

static int cut(const char *step)
{
	(void)step;
	return ++steps >= cut_at ? -EIO : 0;
}

/* An earlier run was cut in the middle of the table at the beginning: the copy is all there is. */
static void spoil_head(void)
{
	static const char zero[4 * PTABLE_SECTOR];
	_fd_ int fd = open(disk, O_RDWR);

	put(fd, zero, sizeof zero, PTABLE_SECTOR);
}

static void cut_after_each_write(bool spoiled)
{
	enum outcome now, last = OLD;
	int seen[3] = { 0 }, r;

	target_fault_hook = cut;
	for (cut_at = 1;; cut_at++) {
		struct fault f = { 0 };
		bool begun = false;

		make_disk();
		if (spoiled)
			spoil_head();
		steps = 0;
		r = flash(&begun, &f);
		now = look();
		assert_true(now >= last); /* no way back in between */
		assert_true(begun || now == OLD);
		seen[now]++;
		last = now;
		if (r == 0)
			break;
		assert_int_equal(r, -EIO);
	}
	target_fault_hook = NULL;
	assert_int_equal(last, NEW);
	assert_true(seen[OLD] > 0 && seen[NONE] > 5);
	/* and whatever was cut off can be done again */
	cut_at = 8;
	steps = 0;
	target_fault_hook = cut;
	make_disk();
	flash(&(bool){ false }, &(struct fault){ 0 });
	assert_int_equal(look(), NONE);
	target_fault_hook = NULL;
	assert_int_equal(flash(&(bool){ false }, &(struct fault){ 0 }), 0);
	assert_int_equal(look(), NEW);
}

/* A disk that takes everything and gives back something else. */
static int spoil(const char *step)
{
	_fd_ int fd = str_eq(step, "sync") && ++steps == 3 ? open(disk, O_RDWR) : -1;

	if (fd >= 0)
		put(fd, "x", 1, 9 * MIB);
	return 0;
}

static void test_cut_after_each_write(void **state)
{
	(void)state;
	cut_after_each_write(false);
}

static void test_cut_with_one_table_left(void **state)
{
	(void)state;
	cut_after_each_write(true);
}

static void test_a_disk_that_lies(void **state)
{
	struct fault f = { 0 };
	bool begun = false;

	(void)state;
	make_disk();
	steps = 0;
	target_fault_hook = spoil;
	assert_int_equal(flash(&begun, &f), -EIO);
	target_fault_hook = NULL;
	assert_true(begun);
	assert_non_null(strstr(f.text, "does not give back"));
	assert_int_equal(look(), NONE);
}

static int setup(void **state)
{
	(void)state;
	close(mkstemp(image));
	close(mkstemp(disk));
	make_image();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(image);
	unlink(disk);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_after_each_write),
		cmocka_unit_test(test_cut_with_one_table_left),
		cmocka_unit_test(test_a_disk_that_lies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
