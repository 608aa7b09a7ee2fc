/* The seed that goes onto a disk: the CIDATA file system that `phoenix seed` wrote, and what it
 * says. */
#pragma once

#include "cloud-init/seed.h"

struct flash_seed {
	char *path;	  /* of the image */
	struct str bytes; /* erased on free */
	struct seed *seed;
};
#define _flash_seed_ _cleanup_(flash_seed_free)

/* PATH is a node's image, or its folder: then the image beside it. -EINVAL: it is none. */
int flash_seed_read(const char *path, struct flash_seed *ret, struct fault *f);
/* The same of BYTES, which are taken over and never touch a disk; NAME is for messages. */
int flash_seed_of(const char *name, struct str *bytes, struct flash_seed *ret, struct fault *f);
void flash_seed_free(struct flash_seed *s);
