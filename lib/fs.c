/* See fs.h. */
#include "lib/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

int (*fs_fault_hook)(const char *step, const char *path);

static int hook(const char *step, const char *path)
{
	int r = fs_fault_hook ? fs_fault_hook(step, path) : 0;

	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : 0;
}

void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fs_open(struct fs *fs, const char *root, struct fault *f)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fault_errno(f, "%s", root);
	*fs = (struct fs){ .fd = fd, .path = mem_strdup(root) };
	return 0;
}

void fs_close(struct fs *fs)
{
	if (!fs->path)
		return;
	close(fs->fd);
	free(fs->path);
	*fs = (struct fs){ .fd = -1 };
}

static int open_in_root(const struct fs *fs, const char *path, int flags, mode_t mode)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
				.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
				.resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, fs->fd, path, &how, sizeof how);
}

/* Messages name the path a person would look at: with the root in front when it is not "/". */
#define SHOWN(fs) (str_eq((fs)->path, "/") ? "" : (fs)->path)

int fs_openat(const struct fs *fs, const char *path, int flags, mode_t mode, struct fault *f)
{
	int fd = open_in_root(fs, path, flags, mode);

	return fd < 0 ? fault_errno(f, "%s%s", SHOWN(fs), path) : fd;
}

/* Splits into an O_PATH descriptor of the directory and the last name. */
static int open_parent(const struct fs *fs, const char *path, const char **name, struct fault *f)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup("/");

	*name = slash ? slash + 1 : path;
	if (!**name)
		return fault_set(f, EINVAL, "%s%s: ends in a slash", SHOWN(fs), path);
	return fs_openat(fs, dir, O_DIRECTORY | O_RDONLY, 0, f);
}

int fs_read(const struct fs *fs, const char *path, size_t max, struct str *out, struct fault *f)
{
	/* O_NONBLOCK: a FIFO put where a file belongs must not hang the boot */
	_fd_ int fd = fs_openat(fs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, f);
	size_t start = out->len;
	struct stat st;
	char buf[8192];
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return fault_errno(f, "%s%s", SHOWN(fs), path);
	if (!S_ISREG(st.st_mode))
		return fault_set(f, EINVAL, "%s%s: not a regular file", SHOWN(fs), path);
	str_add_n(out, "", 0);
	while ((n = read(fd, buf, sizeof buf)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = fault_errno(f, "%s%s", SHOWN(fs), path);
		else if (out->len - start + (size_t)n > max)
			r = fault_set(f, EFBIG, "%s%s: larger than %zu bytes", SHOWN(fs), path,
				      max);
		if (r < 0)
			break;
		str_add_n(out, buf, (size_t)n);
	}
	explicit_bzero(buf, sizeof buf);
	if (r < 0) /* half a file is no answer */
		out->p[out->len = start] = 0;
	return r;
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

/* 16 random hex digits: two writers of one file never share a temporary name. */
static void temporary_name(char out[40], const char *prefix)
{
	unsigned long long r = 0;

	if (getrandom(&r, sizeof r, 0) < 0)
		r = (unsigned long long)getpid();
	snprintf(out, 40, "%s%016llx", prefix, r);
}

static int write_new(int dir, const char *tmp, const char *path, mode_t mode, const void *data,
		     size_t len)
{
	_fd_ int fd = -1;

	if (hook("create", path) < 0)
		return -1;
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
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
	_fd_ int dir = open_parent(fs, path, &name, f);
	_fd_ int fd = dir < 0 ? dir : fs_openat(fs, path, O_RDONLY | O_NOFOLLOW, 0, f);

	if (fd < 0)
		return fd;
	if (hook("fsync", path) < 0 || fsync(fd) < 0 || sync_dir(dir, path) < 0)
		return fault_errno(f, "write %s%s", SHOWN(fs), path);
	return 0;
}

int fs_write(const struct fs *fs, const char *path, mode_t mode, const void *data, size_t len,
	     struct fault *f)
{
	const char *slash = strrchr(path, '/'), *name;
	_fd_ int dir = -1;
	char tmp[40];

	if (same_content(fs, path, mode, data, len))
		return make_durable(fs, path, f);
	if (slash && slash != path) {
		_free_ char *parent = mem_strndup(path, (size_t)(slash - path));
		int r = fs_is_dir(fs, parent) ? 0 : fs_mkdirs(fs, parent, 0755, f);

		if (r < 0)
			return r;
	}
	dir = open_parent(fs, path, &name, f);
	if (dir < 0)
		return dir;
	temporary_name(tmp, ".phoenix-");
	if (write_new(dir, tmp, path, mode, data, len) < 0 || hook("rename", path) < 0 ||
	    renameat(dir, tmp, dir, name) < 0) {
		int r = fault_errno(f, "write %s%s", SHOWN(fs), path);

		unlinkat(dir, tmp, 0);
		return r;
	}
	if (sync_dir(dir, path) < 0)
		return fault_errno(f, "write %s%s", SHOWN(fs), path);
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
	_fd_ int dir = open_parent(fs, path, &name, f);
	int r;

	if (dir < 0)
		return dir;
	if (hook("mkdir", path) < 0)
		return fault_errno(f, "mkdir %s%s", SHOWN(fs), path);
	/* the mode twice: mkdir leaves out what the umask forbids */
	r = mkdirat(dir, name, mode);
	if ((r < 0 && errno != EEXIST) || (r == 0 && fchmodat(dir, name, mode, 0) < 0) ||
	    sync_dir(dir, path) < 0)
		return fault_errno(f, "mkdir %s%s", SHOWN(fs), path);
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
		return fault_errno(f, "chmod %s%s", SHOWN(fs), path);
	return changed || (st.st_mode & 07777) != mode;
}

int fs_symlink(const struct fs *fs, const char *path, const char *target, struct fault *f)
{
	const char *name;
	_fd_ int dir = open_parent(fs, path, &name, f);
	char now[4096], tmp[40];
	ssize_t n;

	if (dir < 0)
		return dir;
	n = readlinkat(dir, name, now, sizeof now - 1);
	if (n >= 0) {
		now[n] = 0;
		if (str_eq(now, target))
			return 0;
	}
	temporary_name(tmp, ".phoenix-");
	if (hook("create", path) < 0 || symlinkat(target, dir, tmp) < 0)
		return fault_errno(f, "symlink %s%s", SHOWN(fs), path);
	if (hook("rename", path) < 0 || renameat(dir, tmp, dir, name) < 0 ||
	    sync_dir(dir, path) < 0) {
		int r = fault_errno(f, "symlink %s%s", SHOWN(fs), path);

		unlinkat(dir, tmp, 0);
		return r;
	}
	return 1;
}

int fs_remove(const struct fs *fs, const char *path, struct fault *f)
{
	struct fault local;
	const char *name;
	_fd_ int dir = open_parent(fs, path, &name, &local);

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return fault_set(f, local.code, "%s", local.text);
	if (hook("unlink", path) < 0 || unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : fault_errno(f, "remove %s%s", SHOWN(fs), path);
	if (sync_dir(dir, path) < 0)
		return fault_errno(f, "remove %s%s", SHOWN(fs), path);
	return 1;
}

int fs_shred(const struct fs *fs, const char *path, struct fault *f)
{
	static const char zeros[4096];
	_fd_ int fd = open_in_root(fs, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : fault_errno(f, "%s%s", SHOWN(fs), path);
	if (fstat(fd, &st) < 0)
		return fault_errno(f, "%s%s", SHOWN(fs), path);
	for (off_t left = S_ISREG(st.st_mode) ? st.st_size : 0; left > 0;) {
		size_t n = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;

		if (write_all(fd, path, zeros, n) < 0)
			return fault_errno(f, "overwrite %s%s", SHOWN(fs), path);
		left -= (off_t)n;
	}
	if (hook("fsync", path) < 0 || fsync(fd) < 0)
		return fault_errno(f, "overwrite %s%s", SHOWN(fs), path);
	return fs_remove(fs, path, f);
}

int fs_rename(const struct fs *fs, const char *from, const char *to, struct fault *f)
{
	const char *a, *b;
	_fd_ int da = open_parent(fs, from, &a, f);
	_fd_ int db = da < 0 ? -1 : open_parent(fs, to, &b, f);

	if (da < 0 || db < 0)
		return da < 0 ? da : db;
	if (hook("rename", from) < 0 || renameat2(da, a, db, b, RENAME_NOREPLACE) < 0 ||
	    sync_dir(db, to) < 0 || sync_dir(da, from) < 0)
		return fault_errno(f, "rename %s%s to %s", SHOWN(fs), from, to);
	return 0;
}

int fs_stat(const struct fs *fs, const char *path, struct stat *st, struct fault *f)
{
	_fd_ int fd = open_in_root(fs, path, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, st) < 0)
		return fault_errno(f, "%s%s", SHOWN(fs), path);
	return 0;
}

bool fs_exists(const struct fs *fs, const char *path)
{
	struct stat st;

	return fs_stat(fs, path, &st, NULL) == 0;
}

bool fs_is_dir(const struct fs *fs, const char *path)
{
	_fd_ int fd = open_in_root(fs, path, O_PATH | O_DIRECTORY, 0);

	return fd >= 0;
}

int fs_list(const struct fs *fs, const char *path, struct strv *names, struct fault *f)
{
	int fd = fs_openat(fs, path, O_RDONLY | O_DIRECTORY, 0, f);
	struct dirent *e;
	int error;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return fault_errno(f, "%s%s", SHOWN(fs), path);
	}
	while (errno = 0, (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			strv_add(names, e->d_name);
	error = errno; /* a folder that cannot be read is not an empty one */
	closedir(d);
	errno = error;
	if (error)
		return fault_errno(f, "%s%s", SHOWN(fs), path);
	strv_sort(names);
	return 0;
}
