/* Files below a root directory. Everything that phoenix reads or writes on a machine goes through
 * a `struct fs`, so that `--root DIR` (tests, image building, --plan against a mounted disk) sees
 * exactly the code that runs on a node. Paths are resolved *inside* the root (openat2 with
 * RESOLVE_IN_ROOT): an absolute symlink in a foreign tree cannot lead out of it.
 * Writes are atomic and durable: temporary file, fsync, rename, fsync of the directory. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct fs {
	int fd;	    /* the root directory */
	char *path; /* as given, for messages */
};
#define _fs_ _cleanup_(fs_close)
#define _fd_ _cleanup_(fd_closep)

/* Opens the directory ROOT ("/" on a node). */
int fs_open(struct fs *fs, const char *root, struct fault *f);
void fs_close(struct fs *fs);
void fd_closep(int *fd); /* cleanup: closes when >= 0 */
/* Gives a descriptor away from its cleanup. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* openat2 below the root; FLAGS as for open (O_CLOEXEC is added). Returns the descriptor or -errno.
 */
int fs_openat(const struct fs *fs, const char *path, int flags, mode_t mode, struct fault *f);
/* Reads a whole regular file of at most MAX bytes into OUT (appended). Larger is -EFBIG, absent is
 * -ENOENT, a directory or device is -EINVAL. */
int fs_read(const struct fs *fs, const char *path, size_t max, struct str *out, struct fault *f);
/* Replaces PATH by DATA with MODE, atomically and durably; missing directories are made (0755).
 * Returns 1 when the file changed, 0 when content and mode were already so. What a killed writer of
 * PATH left beside it is removed. */
int fs_write(const struct fs *fs, const char *path, mode_t mode, const void *data, size_t len,
	     struct fault *f);
int fs_write_text(const struct fs *fs, const char *path, mode_t mode, const char *text,
		  struct fault *f);
/* Makes a directory and its parents (these 0755). Returns 1 when something was made or its mode
 * changed, 0 when it was there. */
int fs_mkdirs(const struct fs *fs, const char *path, mode_t mode, struct fault *f);
/* Symlink PATH -> TARGET, replaced atomically. Returns 1 changed, 0 already so. */
int fs_symlink(const struct fs *fs, const char *path, const char *target, struct fault *f);
/* Where the symlink PATH leads, as it is written there. -EINVAL when it is none. */
int fs_readlink(const struct fs *fs, const char *path, char **ret, struct fault *f);
/* Durable unlink; absent is no error. Returns 1 removed, 0 absent. */
int fs_remove(const struct fs *fs, const char *path, struct fault *f);
/* Overwrites the content with zeros, syncs, then unlinks. For secrets on media that honour it. */
int fs_shred(const struct fs *fs, const char *path, struct fault *f);
/* Durable rename within the root (both directories are synced). Never replaces: -EEXIST. */
int fs_rename(const struct fs *fs, const char *from, const char *to, struct fault *f);
/* lstat; 0, or -ENOENT (fault filled) and others. */
int fs_stat(const struct fs *fs, const char *path, struct stat *st, struct fault *f);
bool fs_exists(const struct fs *fs, const char *path);
bool fs_is_dir(const struct fs *fs, const char *path);
/* Names in a directory without "." and "..", sorted. Absent is -ENOENT. */
int fs_list(const struct fs *fs, const char *path, struct strv *names, struct fault *f);

/* For tests of write order and of power cuts: called before each step that changes the disk
 * ("create", "write", "fsync", "rename", "fsync-dir", "unlink", "mkdir"); a negative return is
 * taken as that call's -errno. NULL outside tests. */
extern int (*fs_fault_hook)(const char *step, const char *path);
