/* The disk that the running system stands on. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <sys/types.h>

/* The disk that the file system mounted at PATH lies on; the caller's. *RET is NULL when nothing is
 * mounted exactly there. -ENOTBLK: on no disk (memory, a network), or on one that is not told. */
int self_disk_of(const char *path, char **ret, struct fault *f);
/* Is DEVICE (a path below /dev) DISK, or a partition of it? */
bool self_disk_has(const char *disk, const char *device);
