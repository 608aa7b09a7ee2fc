/* What reading (fs.c) and writing (fs_write.c) share. */
#pragma once

#include "lib/fs.h"

/* Messages name the path a person would look at, with the root in front when it is not "/": the
 * three arguments of "%s%s%s". */
#define FS_SHOWN(fs, path) FS_ROOT(fs), *FS_ROOT(fs) && *(path) != '/' ? "/" : "", path
#define FS_ROOT(fs) (str_eq((fs)->path, "/") ? "" : (fs)->path)

/* openat2 below the root, as system calls answer: -1 and errno. */
int fs_in_root(const struct fs *fs, const char *path, int flags, mode_t mode);
/* A descriptor of PATH's directory, and in *NAME the last part of PATH. */
int fs_open_parent(const struct fs *fs, const char *path, const char **name, struct fault *f);
