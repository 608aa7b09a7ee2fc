/* Who uses a disk, and how it is called: what the kernel and lsblk tell about a block device. */
#pragma once

#include "lib/fault.h"

/* 0, or -EINVAL: PATH is a partition (names its disk). */
int target_whole_disk(const char *path, struct fault *f);
/* Always a fault (-EBUSY): who has it, in words. */
int target_who_uses(const char *path, struct fault *f);
/* 0, or -EBUSY: a loop device stands on the file PATH. */
int target_file_in_use(const char *path, struct fault *f);
/* Model and serial number, "" where it has none; the caller's. */
int target_name(const char *path, char **model, char **serial, struct fault *f);
