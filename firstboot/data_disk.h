/* Which device is, or is to become, the data partition. Looks only. */
#pragma once

#include "firstboot/step.h"

#include <sys/types.h>

struct data_disk {
	char *device; /* its real path below /dev */
	dev_t number;
	bool formatted; /* it carries a file system with our label; false: no signature at all */
	bool foreign;	/* it carries something else: only a seed's `wipe` may go over it */
	char what[200]; /* that, in words: "an ext4 file system (backup)" */
};
#define _disk_ _cleanup_(data_disk_free)

/* 0, -EAGAIN (a disk that may still appear), or a fault that says what to do: none, several,
 * another disk than the one described. Finding several notes on B what is left alone. */
int data_disk_find(struct boot *b, struct data_disk *ret, struct fault *f);
void data_disk_free(struct data_disk *d);
