/* What is on a disk: images made by the usual tools and by hand. A tool that is not installed
 * leaves out its case, by name. */
#include "tests/unit/test.h"

#include "lib/blkid.h"
#include "lib/fs.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MIB (1 << 20)

static char image[] = "/tmp/phoenix-blkid-XXXXXX";

static void blank(off_t size)
{
	assert_int_equal(truncate(image, 0), 0);
	assert_int_equal(truncate(image, size), 0);
}

static void put(off_t at, const void *data, size_t n)
{
	_fd_ int fd = open(image, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, data, n, at), n);
}

/* Runs a tool on the image; without it the test is skipped. */
static void make(const char *const *argv, const char *input)
{
	struct proc p = { .argv = argv, .input = input, .input_len = input ? strlen(input) : 0 };
	struct fault f = { 0 };
	int r = proc_ok(&p, NULL, &f);

	if (r == -ENOENT) {
		print_message("without %s\n", argv[0]);
		skip();
	}
	if (r < 0)
		fail_msg("%s", f.text);
}
#define MAKE(...) make((const char *const[]){ __VA_ARGS__, image, NULL }, NULL)

static struct blkid_found probe(void)
{
	struct blkid_found found;
	struct fault f = { 0 };

	if (blkid_probe_device(image, &found, &f) < 0)
		fail_msg("%s", f.text);
	return found;
}

static void zeros_are_blank(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(4 * MIB);
	found = probe();
	assert_false(found.any);
	assert_false(found.ambivalent);
	assert_string_equal(found.type, "");
	assert_string_equal(found.pttype, "");
	blank(512); /* smaller than any signature's place */
	assert_false(probe().any);
}

static void finds_ext4(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	MAKE("mkfs.ext4", "-q", "-F", "-L", "phoenix-data", "-U",
	     "11111111-2222-3333-4444-555555555555");
	found = probe();
	assert_true(found.any);
	assert_false(found.ambivalent);
	assert_string_equal(found.type, "ext4");
	assert_string_equal(found.label, "phoenix-data");
	assert_string_equal(found.uuid, "11111111-2222-3333-4444-555555555555");
	assert_string_equal(found.pttype, "");
	/* cut off: what is left still says what it was */
	assert_int_equal(truncate(image, 5000), 0);
	assert_true(probe().any);
}

static void finds_vfat(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	MAKE("mkfs.vfat", "-n", "CIDATA");
	found = probe();
	assert_string_equal(found.type, "vfat");
	assert_string_equal(found.label, "CIDATA");
	assert_string_equal(found.pttype, ""); /* its boot sector ends like a partition table */
}

static void finds_swap(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	MAKE("mkswap", "-q", "-L", "phoenix-data");
	found = probe();
	assert_true(found.any);
	assert_string_equal(found.type, "swap");
	assert_string_equal(found.label, ""); /* not a file system's */
}

static void finds_gpt(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	make((const char *const[]){ "sfdisk", "-q", image, NULL }, "label: gpt\nsize=4MiB\n");
	found = probe();
	assert_true(found.any);
	assert_string_equal(found.type, "");
	assert_string_equal(found.pttype, "gpt");
	/* its copy at the end is enough */
	put(0, (char[4096]){ 0 }, 4096);
	found = probe();
	assert_true(found.any);
}

static void finds_dos(void **state)
{
	static const unsigned char entry[] = { 0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0 };
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	put(446, entry, sizeof entry);
	put(510, "\x55\xaa", 2);
	found = probe();
	assert_true(found.any);
	assert_string_equal(found.pttype, "dos");
	assert_string_equal(found.type, "");
}

/* Not file systems, but somebody's data all the same. */
static void finds_what_is_no_file_system(void **state)
{
	static const char lvm[32] = "LABELONE\1\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001";
	static const unsigned char raid0[] = { 0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0 };
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	put(0, "LUKS\xba\xbe\0\1", 8);
	found = probe();
	assert_true(found.any);
	assert_string_equal(found.type, "crypto_LUKS");
	blank(16 * MIB);
	put(512, lvm, sizeof lvm);
	found = probe();
	if (found.any) /* newer versions want its checksum too */
		assert_string_equal(found.type, "LVM2_member");
	blank(16 * MIB);
	put(16 * MIB - 64 * 1024, raid0, sizeof raid0);
	found = probe();
	assert_true(found.any);
	assert_string_equal(found.type, "linux_raid_member");
	blank(16 * MIB);
	put(3, "NTFS    ", 8); /* half a signature is none */
	assert_false(probe().any);
}

static void tells_contradictions(void **state)
{
	struct blkid_found found;

	(void)state;
	blank(16 * MIB);
	MAKE("mkfs.ext4", "-q", "-F", "-L", "phoenix-data");
	put(32768, "\1CD001\1", 7);
	put(34816, "\377CD001\1", 7);
	found = probe();
	assert_true(found.any);
	assert_true(found.ambivalent);
	assert_string_equal(found.type, "");
	assert_string_equal(found.label, "");
}

static void errors_are_no_blanks(void **state)
{
	struct blkid_found found;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(blkid_probe_device("/tmp/phoenix-none", &found, &f), -ENOENT);
	assert_non_null(strstr(f.text, "/tmp/phoenix-none"));
	assert_int_equal(blkid_probe_device("/tmp", &found, &f), -ENOTBLK);
	assert_int_equal(blkid_probe_device("/dev/null", &found, &f), -ENOTBLK);
	blank(0);
	assert_int_equal(blkid_probe_device(image, &found, &f), -ENOMEDIUM);
}

/* A disk of which a part cannot be read: this pread stands before libc's. */
static off_t bad_from = -1;
ssize_t pread64(int fd, void *buf, size_t n, off_t at);
ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	if (bad_from >= 0 && at + (off_t)n > bad_from) {
		errno = EIO;
		return -1;
	}
	return pread64(fd, buf, n, at);
}

static void unreadable_is_no_blank(void **state)
{
	struct blkid_found found;
	struct fault f = { 0 };

	(void)state;
	blank(16 * MIB);
	bad_from = 0;
	assert_int_equal(blkid_probe_device(image, &found, &f), -EIO);
	bad_from = 16 * MIB - 100;
	assert_int_equal(blkid_probe_device(image, &found, &f), -EIO);
	bad_from = -1;
	assert_false(probe().any);
}

static void looks_for_labels(void **state)
{
	_strv_ struct strv devices = { 0 };
	struct fault f = { 0 };
	int r = blkid_find_label((const char *const[]){ "phoenix-no-such-label", NULL }, &devices,
				 &f);

	(void)state;
	if (r == -EACCES || r == -EPERM) {
		print_message("without the right to read disks\n");
		skip();
	}
	if (r < 0)
		fail_msg("%s", f.text);
	assert_int_equal(devices.n, 0);
}

static int setup(void **state)
{
	int fd = mkstemp(image);

	(void)state;
	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeros_are_blank),
		cmocka_unit_test(finds_ext4),
		cmocka_unit_test(finds_vfat),
		cmocka_unit_test(finds_swap),
		cmocka_unit_test(finds_gpt),
		cmocka_unit_test(finds_dos),
		cmocka_unit_test(finds_what_is_no_file_system),
		cmocka_unit_test(tells_contradictions),
		cmocka_unit_test(errors_are_no_blanks),
		cmocka_unit_test(unreadable_is_no_blank),
		cmocka_unit_test(looks_for_labels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
