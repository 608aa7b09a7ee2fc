/* Is the data partition mounted, ours, and where K3s writes? By the kernel's mount table and the
 * record on the partition, so that "blank" is never said of a disk that just is not there. */
#pragma once

#include "firstboot/data_record.h"
#include "firstboot/mounts.h"
#include "firstboot/step.h"

/* The directories of the data partition that K3s sees under its own paths. */
struct data_bind {
	const char *folder; /* below DATA_MOUNT, with its slash */
	const char *point;
	mode_t mode;
};
extern const struct data_bind data_binds[3];

/* 0 = this record names this node of this cluster; -EPERM tells whose it is. DEVICE is for the
 * text. */
int data_record_is_ours(const struct seed *s, const struct data_record *r, const char *device,
			struct fault *f);
/* What this node's record is to say. */
int data_record_ours(const struct seed *s, struct data_record *ret, struct fault *f);

/* 1: the data file system is mounted at DATA_MOUNT, writable; M describes it. 0: nothing is mounted
 * there. -errno: something is, but not a fit one. */
int data_mount_look(struct mount *m, struct fault *f);
/* 1: bind mount I is in place, from the file system M. 0: nothing is mounted there. */
int data_bind_look(const struct mount *m, size_t i, struct fault *f);

/* For the decision "unknown or blank": *OURS is true only by positive evidence: mounted, writable,
 * our record, every bind mount from it. Otherwise F says what is missing and the return is still
 * 0. Negative: could not look. */
int data_state(struct boot *b, bool *ours, struct fault *f);
