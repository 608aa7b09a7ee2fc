/* See fs.h. */
#include "lib/fs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int fs_in_root(const struct fs *fs, const char *path, int flags, mode_t mode)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
				.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
				.resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, fs->fd, path, &how, sizeof how);
}

int fs_openat(const struct fs *fs, const char *path, int flags, mode_t mode, struct fault *f)
{
	int fd = fs_in_root(fs, path, flags, mode);

	return fd < 0 ? fault_errno(f, "%s%s%s", FS_SHOWN(fs, path)) : fd;
}

int fs_open_parent(const struct fs *fs, const char *path, const char **name, struct fault *f)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup("/");

	*name = slash ? slash + 1 : path;
	if (!**name)
		return fault_set(f, EINVAL, "%s%s%s: ends in a slash", FS_SHOWN(fs, path));
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
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	if (!S_ISREG(st.st_mode))
		return fault_set(f, EINVAL, "%s%s%s: not a regular file", FS_SHOWN(fs, path));
	str_add_n(out, "", 0);
	while ((n = read(fd, buf, sizeof buf)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
		else if (out->len - start + (size_t)n > max)
			r = fault_set(f, EFBIG, "%s%s%s: larger than %zu bytes", FS_SHOWN(fs, path),
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

int fs_stat(const struct fs *fs, const char *path, struct stat *st, struct fault *f)
{
	_fd_ int fd = fs_in_root(fs, path, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, st) < 0)
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	return 0;
}

int fs_readlink(const struct fs *fs, const char *path, char **ret, struct fault *f)
{
	_fd_ int fd = fs_in_root(fs, path, O_PATH | O_NOFOLLOW, 0);
	char target[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	if (!S_ISLNK(st.st_mode))
		return fault_set(f, EINVAL, "%s%s%s: not a symlink", FS_SHOWN(fs, path));
	n = readlinkat(fd, "", target, sizeof target);
	if (n < 0)
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	*ret = mem_strndup(target, (size_t)n);
	return 0;
}

bool fs_exists(const struct fs *fs, const char *path)
{
	struct stat st;

	return fs_stat(fs, path, &st, NULL) == 0;
}

bool fs_is_dir(const struct fs *fs, const char *path)
{
	_fd_ int fd = fs_in_root(fs, path, O_PATH | O_DIRECTORY, 0);

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
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	}
	while (errno = 0, (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			strv_add(names, e->d_name);
	error = errno; /* a folder that cannot be read is not an empty one */
	closedir(d);
	errno = error;
	if (error)
		return fault_errno(f, "%s%s%s", FS_SHOWN(fs, path));
	strv_sort(names);
	return 0;
}
