/* The disk that is to be written, or a file that stands for one: what it is, what is on it, and
 * that nobody uses it. The kernel's word counts (an exclusive open); what lsblk tells is for the
 * person in front of it. */
#pragma once

#include "lib/ptable.h"

/* Name of the data partition, and label of its file system. */
#define TARGET_DATA "phoenix-data"

struct target {
	int fd;	    /* exclusive, read and write */
	char *path; /* resolved: /dev/sda */
	char *name; /* what a person types to confirm: "sda" */
	bool is_file;
	bool direct; /* past the page cache: target_direct */
	uint64_t size;
	char *model, *serial;  /* "" when it does not tell */
	struct strv carries;   /* what libblkid finds on it, a line each */
	struct ptable table;   /* without entries when it has none */
	char *data_elsewhere;  /* what has the data's file system label and is no partition of that
				  name: firstboot would take it for data; NULL: nothing */
	struct fault no_table; /* why its table cannot be used, when it has one that cannot */
};
#define _target_ _cleanup_(target_close)
#define TARGET_NONE      \
	{                \
		.fd = -1 \
	}

/* Opens PATH and looks, changing nothing. Refused: a partition, a disk that is mounted, swapped to
 * or part of something (-EBUSY, says where), that carries a member of a RAID, an LVM or a ZFS pool
 * although it is idle (-EEXIST), that is read-only, has sectors of another size than 512, or is
 * none (-EINVAL). */
int target_open(const char *path, struct target *ret, struct fault *f);
/* The same of a disk that may be in use, to look at only: RET cannot be written. */
int target_look(const char *path, struct target *ret, struct fault *f);
void target_close(struct target *t);

/* Past the page cache, as far as the file system below it can. */
void target_direct(struct target *t, bool on);
/* Whole pieces, or a fault that says at which byte. */
int target_write(struct target *t, const void *data, size_t n, uint64_t at, struct fault *f);
int target_read(struct target *t, void *data, size_t n, uint64_t at, struct fault *f);
/* Down to the medium, and out of the cache, so that a read after it tells what is really there. */
int target_sync(struct target *t, struct fault *f);
/* For tests of write order and of power cuts: called before each "write" (of DATA, N bytes, to AT)
 * and "sync"; a negative return is taken as that call's -errno. NULL outside tests. */
extern int (*target_fault_hook)(const char *step, const void *data, size_t n, uint64_t at);
/* Has the kernel look at the new partition table; that it cannot is no error. */
void target_rescan(struct target *t);
