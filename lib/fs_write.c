/* Changes on the disk that no power cut leaves half done: temporary file, fsync, rename, fsync of
 * the directory. See fs.h. */
#include "lib/fs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

int (*fs_fault_hook)(const char *step, const char *path);

static int hook(const char *step, const char *path)
{
	int r = fs_fault_hook ? fs_fault_hook(step, path) : 0;

	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : 0;
}

static bool same_content(const struct fs *fs, const char *path, mode_t mode, const void *data,
			 size_t len)
{
	_secret_ struct str now = { 0 };
	struct stat st = { 0 };

	if (fs_stat(fs, path, &st, NULL) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != len ||
	    (st.st_mode & 07777) != mode)
		return false;
	return fs_read(fs, path, len, &now, NULL) == 0 && now.len == len &&
	       (!len || memcmp(now.p, data, len) == 0);
}

static int write_all(int fd, const char *path, const char *data, size_t len)
{
	while (len) {
		ssize_t n = hook("write", path) < 0 ? -1 : write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

#define PREFIX ".phoenix-"
#define RANDOM_DIGITS 16
#define TRIES 16

/* Two writers of one file never share a temporary name. */
static char *temporary_name(const char *name)
{
	unsigned long long r = 0;

	if (getrandom(&r, sizeof r, 0) < 0)
		r = (unsigned long long)getpid();
	return mem_printf(PREFIX "%s-%0*llx", name, RANDOM_DIGITS, r);
}

static bool is_temporary_of(const char *file, const char *prefix)
{
	size_t n = strlen(prefix);

	return str_starts(file, prefix) && strlen(file + n) == RANDOM_DIGITS &&
	       strspn(file + n, "0123456789abcdef") == RANDOM_DIGITS;
}

/* Removes what a power cut left of earlier tries to write NAME: it may hold a secret, and nobody
 * would look for it. A writer that lives has its file locked. */
static void remove_left_over(const struct fs *fs, const char *path)
{
	const char *name;
	_fd_ int dir = fs_open_parent(fs, path, &name, NULL);
	_free_ char *folder = mem_strndup(path, (size_t)(name - path));
	_free_ char *prefix = mem_printf(PREFIX "%s-", name);
	_strv_ struct strv names = { 0 };

	if (dir < 0 || fs_list(fs, *folder ? folder : "/", &names, NULL) < 0)
		return;
	strv_each (old, &names) {
		_fd_ int fd = -1;
		struct stat st;

		if (!is_temporary_of(old, prefix))
			continue;
		fd = openat(dir, old, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir, old, 0);
	}
}

/* A new file that stays locked while it is open. Another writer of the same file may take it for a
 * dead one's before it is locked: then again, under another name. */
static int create_locked(int dir, const char *name, char **tmp)
{
	for (int i = 0; i < TRIES; i++) {
		_fd_ int fd = -1;
		struct stat st;

		free(*tmp);
		*tmp = temporary_name(name);
		fd = openat(dir, *tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -1;
		/* not every file system locks; where none does, nobody removes either */
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
			continue;
		if (fstat(fd, &st) == 0 && st.st_nlink)
			return fd_take(&fd);
	}
	errno = EBUSY;
	return -1;
}

static int write_new(int fd, const char *path, mode_t mode, const void *data, size_t len)
{
	if (write_all(fd, path, data, len) < 0 || fchmod(fd, mode) < 0)
		return -1;
	return hook("fsync", path) < 0 ? -1 : fsync(fd);
}

static int sync_dir(int dir, const char *path)
{
	return hook("fsync-dir", path) < 0 ? -1 : fsync(dir);
}

/* As it should be, but on the disk? Its writer may have been killed before the last fsync. */
static int make_durable(const struct fs *fs, const char *path, struct fault *f)
{
	const char *name;
	_fd_ int dir = fs_open_parent(fs, path, &name, f);
	_fd_ int fd = dir < 0 ? dir : fs_openat(fs, path, O_RDONLY | O_NOFOLLOW, 0, f);

	if (fd < 0)
		return fd;
	if (hook("fsync", path) < 0 || fsync(fd) < 0 || sync_dir(dir, path) < 0)
		return fault_errno(f, "write %s%s%s", FS_SHOWN(fs, path));
	return 0;
}

/* In the directory DIR, as NAME, which is the last part of PATH. */
static int replace(int dir, const char *name, const char *path, mode_t mode, const void *data,
		   size_t len)
{
	_free_ char *tmp = NULL;
	_fd_ int fd = hook("create", path) < 0 ? -1 : create_locked(dir, name, &tmp);
	int error;

	if (fd >= 0 && write_new(fd, path, mode, data, len) == 0 && hook("rename", path) == 0 &&
	    renameat(dir, tmp, dir, name) == 0)
		return sync_dir(dir, path);
	error = errno;
	if (fd >= 0)
		unlinkat(dir, tmp, 0);
	errno = error;
	return -1;
}

int fs_write(const struct fs *fs, const char *path, mode_t mode, const void *data, size_t len,
	     struct fault *f)
{
	const char *slash = strrchr(path, '/'), *name;
	_free_ char *parent = slash && slash != path ? mem_strndup(path, (size_t)(slash - path))
						     : mem_strdup("/");
	_fd_ int dir = -1;
	int r;

	remove_left_over(fs, path);
	if (same_content(fs, path, mode, data, len))
		return make_durable(fs, path, f);
	r = fs_is_dir(fs, parent) ? 0 : fs_mkdirs(fs, parent, 0755, f);
	if (r < 0)
		return r;
	dir = fs_open_parent(fs, path, &name, f);
	if (dir < 0)
		return dir;
	if (replace(dir, name, path, mode, data, len) < 0)
		return fault_errno(f, "write %s%s%s", FS_SHOWN(fs, path));
	return 1;
}

int fs_write_text(const struct fs *fs, const char *path, mode_t mode, const char *text,
		  struct fault *f)
{
	return fs_write(fs, path, mode, text, strlen(text), f);
}

static int make_one(const struct fs *fs, const char *path, mode_t mode, struct fault *f)
{
	const char *name;
	_fd_ int dir = fs_open_parent(fs, path, &name, f);
	int r;

	if (dir < 0)
		return dir;
	if (hook("mkdir", path) < 0)
		return fault_errno(f, "mkdir %s%s%s", FS_SHOWN(fs, path));
	/* the mode twice: mkdir leaves out what the umask forbids */
	r = mkdirat(dir, name, mode);
	if ((r < 0 && errno != EEXIST) || (r == 0 && fchmodat(dir, name, mode, 0) < 0) ||
	    sync_dir(dir, path) < 0)
		return fault_errno(f, "mkdir %s%s%s", FS_SHOWN(fs, path));
	return 1;
}

int fs_mkdirs(const struct fs *fs, const char *path, mode_t mode, struct fault *f)
{
	_free_ char *part = mem_strdup(path);
	_fd_ int fd = -1;
	struct stat st;
	int changed = 0, r;

	for (char *p = part + strspn(part, "/"); *p;) {
		char *end = p + strcspn(p, "/"), cut = *end;

		*end = 0;
		if (!fs_is_dir(fs, part)) {
			r = make_one(fs, part, cut && end[strspn(end + 1, "/") + 1] ? 0755 : mode,
				     f);
			if (r < 0)
				return r;
			changed = 1;
		}
		*end = cut;
		p = end + strspn(end, "/");
	}
	fd = fs_openat(fs, path, O_RDONLY | O_DIRECTORY, 0, f);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0))
		return fault_errno(f, "chmod %s%s%s", FS_SHOWN(fs, path));
	return changed || (st.st_mode & 07777) != mode;
}

int fs_symlink(const struct fs *fs, const char *path, const char *target, struct fault *f)
{
	const char *name;
	_fd_ int dir = fs_open_parent(fs, path, &name, f);
	_free_ char *tmp = NULL;
	char now[4096];
	ssize_t n;

	if (dir < 0)
		return dir;
	n = readlinkat(dir, name, now, sizeof now - 1);
	if (n >= 0) {
		now[n] = 0;
		if (str_eq(now, target))
			return 0;
	}
	tmp = temporary_name(name);
	if (hook("create", path) < 0 || symlinkat(target, dir, tmp) < 0)
		return fault_errno(f, "symlink %s%s%s", FS_SHOWN(fs, path));
	if (hook("rename", path) < 0 || renameat(dir, tmp, dir, name) < 0 ||
	    sync_dir(dir, path) < 0) {
		int r = fault_errno(f, "symlink %s%s%s", FS_SHOWN(fs, path));

		unlinkat(dir, tmp, 0);
		return r;
	}
	return 1;
}

int fs_remove(const struct fs *fs, const char *path, struct fault *f)
{
	struct fault local;
	const char *name;
	_fd_ int dir = fs_open_parent(fs, path, &name, &local);

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return fault_set(f, local.code, "%s", local.text);
	remove_left_over(fs, path);
	if (hook("unlink", path) < 0 || unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : fault_errno(f, "remove %s%s%s", FS_SHOWN(fs, path));
	if (sync_dir(dir, path) < 0)
		return fault_errno(f, "remove %s%s%s", FS_SHOWN(fs, path));
	return 1;
}

int fs_shred(const struct fs *fs, const char *path, struct fault *f)
{
	static const char zeros[4096];
	_fd_ int fd = fs_in_root(fs, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	if (fstat(fd, &st) < 0)
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	for (off_t left = S_ISREG(st.st_mode) ? st.st_size : 0; left > 0;) {
		size_t n = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;

		if (write_all(fd, path, zeros, n) < 0)
			return fault_errno(f, "overwrite %s%s%s", FS_SHOWN(fs, path));
		left -= (off_t)n;
	}
	if (hook("fsync", path) < 0 || fsync(fd) < 0)
		return fault_errno(f, "overwrite %s%s%s", FS_SHOWN(fs, path));
	return fs_remove(fs, path, f);
}

int fs_rename(const struct fs *fs, const char *from, const char *to, struct fault *f)
{
	const char *a, *b;
	_fd_ int da = fs_open_parent(fs, from, &a, f);
	_fd_ int db = da < 0 ? -1 : fs_open_parent(fs, to, &b, f);

	if (da < 0 || db < 0)
		return da < 0 ? da : db;
	if (hook("rename", from) < 0 || renameat2(da, a, db, b, RENAME_NOREPLACE) < 0 ||
	    sync_dir(db, to) < 0 || sync_dir(da, from) < 0)
		return fault_errno(f, "rename %s%s%s to %s", FS_SHOWN(fs, from), to);
	return 0;
}
