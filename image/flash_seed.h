/* The seed that goes onto a disk: the CIDATA file system that `phoenix seed` wrote, and what it
 * says. And whether a data partition that is kept is this very node's. */
#pragma once

#include "cloud-init/seed.h"
#include "image/layout.h"

struct flash_seed {
	char *path;	  /* of the image */
	struct str bytes; /* erased on free */
	struct seed *seed;
};
#define _flash_seed_ _cleanup_(flash_seed_free)

/* PATH is a node's image, or its folder: then the image beside it. -EINVAL: it is none. */
int flash_seed_read(const char *path, struct flash_seed *ret, struct fault *f);
void flash_seed_free(struct flash_seed *s);

/* Is the data partition at DATA of DISK (a device or file) that of this seed's node? 1 yes; 0
 * nobody's yet: it carries no file system, or nothing was written to it; -EPERM another node's or
 * cluster's; -ENODATA cannot be told. Changes nothing. */
int flash_data_fits(const char *disk, const struct partition *data, const struct seed *seed,
		    struct fault *f);
