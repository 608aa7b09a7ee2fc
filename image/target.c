/* See target.h. */
#include "image/target.h"

#include "image/target_use.h"
#include "lib/blkid.h"
#include "lib/fs.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Exclusive: the kernel refuses a disk of which anything is mounted, swapped to or held, in
 * whatever name space; of a file a lock keeps a second run of us away. */
static int open_exclusive(struct target *t, struct fault *f)
{
	t->fd = open(t->path, O_RDWR | O_CLOEXEC | O_NOCTTY | (t->is_file ? 0 : O_EXCL));
	if (t->fd < 0 && errno == EBUSY)
		return target_who_uses(t->path, f);
	if (t->fd < 0)
		return fault_errno(f, "%s", t->path);
	if (t->is_file && flock(t->fd, LOCK_EX | LOCK_NB) < 0)
		return fault_set(f, EBUSY, "%s is being written by another program", t->path);
	return t->is_file ? target_file_in_use(t->path, f) : 0;
}

static int measure(struct target *t, struct fault *f)
{
	int sector = 0, read_only = 0;
	struct stat st;

	if (t->is_file) {
		if (fstat(t->fd, &st) < 0)
			return fault_errno(f, "%s", t->path);
		t->size = (uint64_t)st.st_size / PTABLE_SECTOR * PTABLE_SECTOR;
		return 0;
	}
	if (ioctl(t->fd, BLKGETSIZE64, &t->size) < 0 || ioctl(t->fd, BLKSSZGET, &sector) < 0 ||
	    ioctl(t->fd, BLKROGET, &read_only) < 0)
		return fault_errno(f, "%s", t->path);
	if (read_only)
		return fault_set(f, EROFS, "%s is read-only", t->path);
	if (sector != PTABLE_SECTOR)
		return fault_set(f, EINVAL,
				 "%s has sectors of %d bytes: the image is made for %d, so no "
				 "machine would boot from it",
				 t->path, sector, PTABLE_SECTOR);
	return 0;
}

static void describe(struct target *t, const char *where, uint64_t size,
		     const struct blkid_found *found)
{
	char bytes[32];

	units_bytes(size, bytes, sizeof bytes);
	if (!found->any)
		strv_addf(&t->carries, "%s: %s, nothing that is known", where, bytes);
	else
		strv_addf(&t->carries, "%s: %s, %s%s%s%s", where, bytes,
			  found->ambivalent ? "several contradicting signatures"
			  : *found->type    ? found->type
			  : *found->pttype  ? found->pttype
					    : "a signature",
			  *found->label ? " (" : "", found->label, *found->label ? ")" : "");
}

/* What stands for a part of a larger whole, elsewhere: nobody sees from this disk alone what would
 * be lost. */
static bool is_member(const struct blkid_found *found)
{
	return str_ends(found->type, "_member") || str_eq(found->type, "bcache") ||
	       str_eq(found->type, "drbd");
}

/* One range of it; WHERE names it for a person. */
/* NAME is the partition's, NULL for the whole disk. */
static int look(struct target *t, const char *where, const char *name, uint64_t start,
		uint64_t size, struct fault *f)
{
	struct blkid_found found = { 0 };
	int r = blkid_probe_range(t->fd, t->path, (off_t)start, (off_t)size, &found, f);

	if (r < 0)
		return r;
	if (is_member(&found))
		return fault_set(f, EEXIST,
				 "%s: %s is a member of something larger (%s) that is not in use "
				 "now; if all of it may go: wipefs -a %s",
				 t->path, where, found.type, t->path);
	if (str_eq(found.label, TARGET_DATA) && !str_eq(name, TARGET_DATA) && !t->data_elsewhere)
		t->data_elsewhere = mem_strdup(where);
	if (start || size != t->size || !*found.pttype)
		describe(t, where, size, &found);
	return 0;
}

static int look_at_all(struct target *t, struct fault *f)
{
	int r = look(t, "the whole disk", NULL, 0, t->size, f);

	if (r < 0)
		return r;
	r = ptable_read(t->fd, t->size, t->path, &t->table, &t->no_table);
	if (r < 0)
		strv_addf(&t->carries, "%s", t->no_table.text);
	for (size_t i = 0; i < t->table.n; i++) {
		const struct partition *p = &t->table.v[i];
		_free_ char *where = *p->name ? mem_printf("partition %zu (%s)", i + 1, p->name)
					      : mem_printf("partition %zu", i + 1);

		/* an extended partition of an MBR has no size of its own */
		if (p->size <= PTABLE_SECTOR * 2 || p->start + p->size > t->size)
			continue;
		r = look(t, where, p->name, p->start, p->size, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int identify(const char *path, struct target *t, struct fault *f)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(path, real) || stat(real, &st) < 0)
		return fault_errno(f, "%s", path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return fault_set(f, EINVAL, "%s is neither a disk nor a file that stands for one",
				 path);
	t->path = mem_strdup(real);
	t->is_file = S_ISREG(st.st_mode);
	t->name = mem_strdup(basename(real));
	return t->is_file ? 0 : target_whole_disk(t->path, f);
}

static int open_to_look(struct target *t, struct fault *f)
{
	t->fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return t->fd < 0 ? fault_errno(f, "%s", t->path) : 0;
}

static int open_by(int (*way)(struct target *t, struct fault *f), const char *path,
		   struct target *ret, struct fault *f)
{
	_target_ struct target t = TARGET_NONE;
	int r = identify(path, &t, f);

	if (r >= 0)
		r = way(&t, f);
	if (r >= 0)
		r = measure(&t, f);
	if (r >= 0)
		r = t.is_file ? 0 : target_name(t.path, &t.model, &t.serial, f);
	if (r >= 0)
		r = look_at_all(&t, f);
	if (r < 0)
		return r;
	*ret = t;
	t = (struct target)TARGET_NONE;
	return 0;
}

int target_open(const char *path, struct target *ret, struct fault *f)
{
	return open_by(open_exclusive, path, ret, f);
}

int target_look(const char *path, struct target *ret, struct fault *f)
{
	return open_by(open_to_look, path, ret, f);
}

void target_close(struct target *t)
{
	fd_closep(&t->fd);
	free(t->path);
	free(t->name);
	free(t->model);
	free(t->serial);
	free(t->data_elsewhere);
	strv_free(&t->carries);
	ptable_free(&t->table);
	*t = (struct target)TARGET_NONE;
}

void target_direct(struct target *t, bool on)
{
	int flags = fcntl(t->fd, F_GETFL);

	t->direct = on && flags >= 0 && fcntl(t->fd, F_SETFL, flags | O_DIRECT) == 0;
	if (!t->direct && flags >= 0)
		fcntl(t->fd, F_SETFL, flags & ~O_DIRECT);
}

int (*target_fault_hook)(const char *step, const void *data, size_t n, uint64_t at);

static bool cut(const char *step, const void *data, size_t n, uint64_t at)
{
	int r = target_fault_hook ? target_fault_hook(step, data, n, at) : 0;

	errno = -r;
	return r < 0;
}

static int failed(const struct target *t, const char *what, uint64_t at, struct fault *f)
{
	return fault_errno(f, "%s %s at byte %llu", what, t->path, (unsigned long long)at);
}

int target_write(struct target *t, const void *data, size_t n, uint64_t at, struct fault *f)
{
	if (cut("write", data, n, at))
		return failed(t, "write to", at, f);
	while (n) {
		ssize_t w = pwrite(t->fd, data, n, (off_t)at);

		if (w < 0 && errno == EINVAL && t->direct) {
			target_direct(t, false); /* taken when it was set, refused when it counts */
			continue;
		}
		if (w == 0)
			errno = ENOSPC; /* the disk became smaller */
		if (w <= 0 && errno != EINTR)
			return failed(t, "write to", at, f);
		if (w <= 0)
			continue;
		data = (const char *)data + w;
		at += (uint64_t)w;
		n -= (size_t)w;
	}
	return 0;
}

int target_read(struct target *t, void *data, size_t n, uint64_t at, struct fault *f)
{
	while (n) {
		ssize_t got = pread(t->fd, data, n, (off_t)at);

		if (got < 0 && errno == EINVAL && t->direct) {
			target_direct(t, false);
			continue;
		}
		if (got == 0)
			errno = EIO;
		if (got <= 0 && errno != EINTR)
			return failed(t, "read back", at, f);
		if (got <= 0)
			continue;
		data = (char *)data + got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int target_sync(struct target *t, struct fault *f)
{
	if (cut("sync", NULL, 0, 0) || fsync(t->fd) < 0)
		return fault_errno(f, "%s: what was written did not reach the disk", t->path);
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

void target_rescan(struct target *t)
{
	if (!t->is_file)
		ioctl(t->fd, BLKRRPART);
}
