/* What is on a block device, by libblkid. Positive evidence only: "could not read" is an error,
 * never "empty". */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <sys/types.h>

struct blkid_found {
	char type[32]; /* "ext4", "vfat", "swap", "LVM2_member", …; "" when none, or ambivalent */
	char label[128], uuid[64]; /* of a file system */
	char pttype[16];	   /* "gpt", "dos"; "" none */
	bool any;	 /* any signature: file system, partition table, RAID, LVM, swap, … */
	bool ambivalent; /* several contradicting signatures */
};
/* Probes DEVICE (path; also a regular file, for tests) reading all known signatures. -ENOMEDIUM
 * when it has no size (an empty card reader). */
int blkid_probe_device(const char *device, struct blkid_found *ret, struct fault *f);
/* The same of SIZE bytes (0: all that follow) from START on, such as a partition: FD is a device or
 * file called NAME. */
int blkid_probe_range(int fd, const char *name, off_t start, off_t size, struct blkid_found *ret,
		      struct fault *f);
/* All devices of /proc/partitions that exist below /dev and whose file system's label is one of
 * LABELS (different, not empty, NULL at the end); sorted. Two are a fact the caller must judge (an
 * old disk beside the new one), not the first one's luck. A device that cannot be read is an error:
 * the label may be on it. */
int blkid_find_label(const char *const *labels, struct strv *devices, struct fault *f);
