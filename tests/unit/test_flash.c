/* A flash that is cut off after any of its writes: the disk is the old one, or it does not boot and
 * keeps its data, or it is the new one. Never a mixture. */
#include "tests/unit/test.h"

#include "image/flash.h"
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define SIZE (64 * MIB)
#define ROOT_SIZE (9 * MIB + 4096)
#define ROOT_TYPE "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define LINUX_TYPE "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

static char image[PATH_MAX], disk[PATH_MAX];
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
	_ptable_ struct ptable t = { .size = 13 * MIB };
	_fd_ int fd = open(image, O_RDWR | O_TRUNC);

	ptable_add(&t, &(struct partition){ .name = LAYOUT_ROOT,
					    .type = ROOT_TYPE,
					    .start = 2 * MIB,
					    .size = ROOT_SIZE });
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

	const struct layout_wish w = { .image = &s->table,
				       .disk = &t.table,
				       .disk_size = t.size,
				       .seed_size = seed.len,
				       .no_data = true };
	const struct flash x = {
		.target = &t, .source = s, .layout = &l, .seed = &seed, .progress = nothing
	};

	assert_int_equal(layout_make(&w, disk, &l, f), 0);
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
	assert_true(all_are(fd, 'N', root->start, ROOT_SIZE));
	root = ptable_find(&t, LAYOUT_SEED, NULL);
	assert_int_equal(pread(fd, text, sizeof seed_text, (off_t)root->start), sizeof seed_text);
	assert_string_equal(text, seed_text);
	return boot == 'N' ? NEW : NONE;
}

/* The same of a disk that had nothing of ours: it can be written again by the same command. */
static enum outcome look_at_new(void)
{
	_fd_ int fd = open(disk, O_RDONLY);
	_ptable_ struct ptable t = { 0 };
	const struct partition *root;
	struct fault f = { 0 };

	if (ptable_read(fd, SIZE, disk, &t, &f) < 0)
		fail_msg("%s", f.text);
	root = ptable_find(&t, LAYOUT_ROOT, NULL);
	if (!root)
		return !t.n || t.gpt ? NONE : OLD;
	assert_true(all_are(fd, 'N', root->start, ROOT_SIZE));
	return NEW;
}

/* At which write or sync the power goes, and what of a write reaches the disk then. */
enum tear { NOTHING, FIRST_SECTOR, ALL_BUT_FIRST, EVERY_OTHER };
static int steps, cut_at;
static enum tear tear;
static bool torn; /* a table; the contents are written again whatever becomes of them */

static int cut(const char *step, const void *data, size_t n, uint64_t at)
{
	_fd_ int fd = -1;

	(void)step;
	if (++steps < cut_at)
		return 0;
	if (steps > cut_at || !data || (at >= PTABLE_HEAD && at < SIZE - PTABLE_TAIL))
		return -EIO;
	torn = true;
	fd = open(disk, O_RDWR);
	for (size_t i = 0; i < n; i += PTABLE_SECTOR)
		if (tear == FIRST_SECTOR    ? i == 0
		    : tear == ALL_BUT_FIRST ? i > 0
					    : tear == EVERY_OTHER && i / PTABLE_SECTOR % 2)
			put(fd, (const char *)data + i, PTABLE_SECTOR, at + i);
	return -EIO;
}

/* An earlier run was cut in the middle of the table at the beginning: the copy is all there is. */
static void spoil_head(void)
{
	static const char zero[4 * PTABLE_SECTOR];
	_fd_ int fd = open(disk, O_RDWR);

	put(fd, zero, sizeof zero, PTABLE_SECTOR);
}

static void test_cut_after_each_write(void **state)
{
	enum outcome now, last = OLD;
	int seen[3] = { 0 }, r;

	(void)state;
	for (cut_at = 1;; cut_at++) {
		struct fault f = { 0 };
		bool begun = false;

		make_disk();
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
	assert_int_equal(last, NEW);
	assert_true(seen[OLD] > 0 && seen[NONE] > 5);
}

static void nothing_on_it(void)
{
	_fd_ int fd = open(disk, O_RDWR | O_TRUNC);

	assert_int_equal(ftruncate(fd, SIZE), 0);
}

/* An MBR with one partition. */
static void somebody_elses(void)
{
	static const unsigned char entry[16] = { 0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 16 };
	_fd_ int fd = open(disk, O_RDWR | O_TRUNC);

	assert_int_equal(ftruncate(fd, SIZE), 0);
	put(fd, entry, sizeof entry, 446);
	put(fd, "\x55\xaa", 2, 510);
}

static void one_table_left(void)
{
	make_disk();
	spoil_head();
}

/* Power goes in the middle of each write, whatever of it reached the disk: that the table can be
 * read is what the next run needs, which ends as if nothing had been. */
static void test_torn_and_done_again(void **state)
{
	static void (*const begins[])(void) = { make_disk, one_table_left, nothing_on_it,
						somebody_elses };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		enum outcome (*see)(void) = i < 2 ? look : look_at_new;
		bool done = false;

		for (int at = 1; !done; at += tear == NOTHING) {
			struct fault f = { 0 };

			begins[i]();
			steps = 0;
			cut_at = at;
			torn = false;
			done = flash(&(bool){ false }, &f) == 0;
			see();
			cut_at = INT_MAX;
			assert_int_equal(flash(&(bool){ false }, &f), 0);
			assert_int_equal(see(), NEW);
			tear = torn ? (tear + 1) % (EVERY_OTHER + 1) : NOTHING;
		}
	}
	tear = NOTHING;
}

/* A disk that takes everything and gives back something else, after a certain sync. */
static int spoil_after;
static uint64_t spoil_at;

static int spoil(const char *step, const void *data, size_t n, uint64_t at)
{
	_fd_ int fd = str_eq(step, "sync") && ++steps == spoil_after ? open(disk, O_RDWR) : -1;

	(void)data, (void)n, (void)at;
	if (fd >= 0)
		put(fd, "x", 1, spoil_at);
	return 0;
}

static void test_a_disk_that_lies(void **state)
{
	/* the table that keeps the data, its copy, content, seed, the last table */
	static const struct {
		int after;
		uint64_t at;
		bool begun;
	} cases[] = { { 1, SIZE - PTABLE_TAIL, false },
		      { 2, 1000, true },
		      { 3, 9 * MIB, true },
		      { 3, 39 * MIB, true },
		      { 4, SIZE - 512, true },
		      { 5, 1024, true } };

	(void)state;
	target_fault_hook = spoil;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f = { 0 };
		bool begun = false;

		make_disk();
		steps = 0;
		spoil_after = cases[i].after;
		spoil_at = cases[i].at;
		assert_int_equal(flash(&begun, &f), -EIO);
		assert_int_equal(begun, cases[i].begun);
		assert_non_null(strstr(f.text, "does not give back"));
		assert_true(begun || strstr(f.text, "is as it was"));
		if (spoil_after == 3)
			assert_int_equal(look(), NONE);
	}
	target_fault_hook = cut;
}
/* Hundreds of flashes: $TMPDIR in memory makes them quick. */
static void make_file(char path[PATH_MAX], const char *what)
{
	const char *folder = getenv("TMPDIR");

	snprintf(path, PATH_MAX, "%s/phoenix-%s-XXXXXX", folder ? folder : "/tmp", what);
	close(mkstemp(path));
}

static int setup(void **state)
{
	(void)state;
	make_file(image, "image");
	make_file(disk, "disk");
	make_image();
	target_fault_hook = cut;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	target_fault_hook = NULL;
	unlink(image);
	unlink(disk);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_after_each_write),
		cmocka_unit_test(test_torn_and_done_again),
		cmocka_unit_test(test_a_disk_that_lies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
