/* See blkid.h. */
#include "lib/blkid.h"

#include "lib/fs.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTITIONS_MAX (1 << 20)
#define ENDS (1 << 20)
#define PIECE (64 * 1024)

static void probe_freep(blkid_probe *p)
{
	blkid_free_probe(*p);
}
#define _probe_ _cleanup_(probe_freep)

static void copy_value(blkid_probe probe, const char *name, char *to, size_t size)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0)
		snprintf(to, size, "%s", value);
}

/* libblkid takes a sector that it cannot read for one without a signature. An unreadable disk must
 * not look blank, so the beginning and the end are read here first: signatures are kept there. */
static int read_all(int fd, const char *device, off_t from, off_t to, struct fault *f)
{
	char buf[PIECE];

	for (off_t at = from; at < to;) {
		size_t wanted = to - at < PIECE ? (size_t)(to - at) : PIECE;
		ssize_t n = pread(fd, buf, wanted, at);

		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return fault_errno(f, "read %s at byte %lld", device, (long long)at);
		at += n;
	}
	return 0;
}

static int open_probe(const char *device, int fd, off_t start, off_t size, blkid_probe *ret,
		      struct fault *f)
{
	blkid_probe probe = blkid_new_probe();
	int r;

	if (!probe || blkid_probe_set_device(probe, fd, start, size) != 0) {
		blkid_free_probe(probe);
		return fault_set(f, EIO, "%s: cannot be probed", device);
	}
	*ret = probe;
	size = blkid_probe_get_size(probe);
	if (size <= 0)
		return fault_set(f, ENOMEDIUM, "%s: has no size: no medium, or an empty file",
				 device);
	r = read_all(fd, device, start, start + (size < ENDS ? size : ENDS), f);
	if (r >= 0 && size > ENDS)
		r = read_all(fd, device, start + size - ENDS, start + size, f);
	if (r < 0)
		return r;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID |
							 BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
	blkid_probe_enable_partitions(probe, 1);
	return 0;
}

/* "Any" is asked signature by signature: the safe probe gives no answer when two contradict, and
 * leaves out what another one hides. A GPT's copy at the end counts without its beginning: somebody
 * may want it repaired. */
static int probe_any(blkid_probe probe, const char *device, struct blkid_found *found,
		     struct fault *f)
{
	int r;

	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_FORCE_GPT);
	r = blkid_do_probe(probe);
	blkid_probe_set_partitions_flags(probe, 0);
	blkid_reset_probe(probe);
	if (r < 0)
		return fault_set(f, EIO, "%s: cannot be probed", device);
	found->any = r == 0;
	return 0;
}

int blkid_probe_range(int fd, const char *name, off_t start, off_t size, struct blkid_found *ret,
		      struct fault *f)
{
	_probe_ blkid_probe probe = NULL;
	struct blkid_found found = { 0 };
	char usage[16] = "";
	int r = open_probe(name, fd, start, size, &probe, f);

	if (r >= 0 && probe)
		r = probe_any(probe, name, &found, f);
	if (r < 0 || !probe)
		return r;
	r = blkid_do_safeprobe(probe);
	if (r == -1)
		return fault_set(f, EIO, "%s: cannot be probed", name);
	found.ambivalent = r == -2;
	copy_value(probe, "TYPE", found.type, sizeof found.type);
	copy_value(probe, "USAGE", usage, sizeof usage);
	/* a RAID member has a label too: that of the array, not of what is in it */
	if (str_eq(usage, "filesystem")) {
		copy_value(probe, "LABEL", found.label, sizeof found.label);
		copy_value(probe, "UUID", found.uuid, sizeof found.uuid);
	}
	copy_value(probe, "PTTYPE", found.pttype, sizeof found.pttype);
	*ret = found;
	return 0;
}

int blkid_probe_device(const char *device, struct blkid_found *ret, struct fault *f)
{
	_fd_ int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(f, "%s", device);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return fault_set(f, ENOTBLK, "%s: neither a block device nor a file", device);
	return blkid_probe_range(fd, device, 0, 0, ret, f);
}

/* A device that vanished or has no medium (a card reader's empty slot) has no label; one that
 * cannot be read is an error: the label may be on it. */
static int add_if_labelled(const char *device, const char *const *labels, struct strv *devices,
			   struct fault *f)
{
	struct blkid_found found = { 0 };
	struct fault why = { 0 };
	int r = blkid_probe_device(device, &found, &why);

	if (r == -ENOENT || r == -ENXIO || r == -ENOMEDIUM)
		return 0;
	if (r < 0)
		return fault_set(f, why.code, "%s", why.text);
	for (; *labels; labels++)
		if (str_eq(found.label, *labels))
			strv_add(devices, device);
	return 0;
}

int blkid_find_label(const char *const *labels, struct strv *devices, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	_str_ struct str text = { 0 };
	char *line, *save = NULL;
	int r = fs_open(&root, "/", f);

	if (r >= 0)
		r = fs_read(&root, "/proc/partitions", PARTITIONS_MAX, &text, f);
	if (r < 0)
		return r;
	for (line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[64], path[80];

		/* "major minor #blocks name"; the heading and the empty line have no numbers */
		if (sscanf(line, "%*u %*u %*u %63s", name) != 1)
			continue;
		for (char *p = name; *p; p++)
			if (*p == '!') /* the kernel's way to write a slash: cciss!c0d0 */
				*p = '/';
		snprintf(path, sizeof path, "/dev/%s", name);
		r = add_if_labelled(path, labels, devices, f);
		if (r < 0)
			return r;
	}
	strv_sort(devices);
	return 0;
}
