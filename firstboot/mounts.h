/* What is mounted where, from /proc/self/mountinfo: the kernel's own word. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <sys/types.h>

struct mount {
	dev_t device; /* major and minor of the file system */
	char *root;   /* which of its directories is mounted: "/" or, for a bind mount, another */
	char *source; /* as given by whoever mounted it: for messages only */
	char type[32];
	bool read_only; /* the mount or the whole file system */
};
#define _mount_ _cleanup_(mount_free)

/* What covers the mount point PATH at last. 1 found, 0 nothing is mounted exactly there, -errno. */
int mount_at(const char *path, struct mount *ret, struct fault *f);
/* The first place where DEVICE is mounted, or NULL. Caller's. */
char *mount_of(dev_t device);
/* Mount points at and below PATH, in the order in which they were mounted: to be undone from the
 * last on. */
int mount_below(const char *path, struct strv *points, struct fault *f);
void mount_free(struct mount *m);
/* For tests: another file than /proc/self/mountinfo; NULL puts it back. */
extern const char *mount_table;
