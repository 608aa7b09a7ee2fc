/* What a disk looks like after a flash: which partitions come from the image, where the seed goes,
 * what is kept. A pure function, because a mistake here overwrites somebody's data.
 *
 *	| table | image: boot, ESP, root ... grown | CIDATA | phoenix-data .............. | table |
 *	                                           system area's end
 *
 * The system area has room for larger images to come; phoenix-data begins behind it and outlives
 * every later flash. */
#pragma once

#include "lib/ptable.h"

#define LAYOUT_ROOT "phoenix-root"
#define LAYOUT_SEED "CIDATA"
#define LAYOUT_DATA "phoenix-data"

/* On a disk that is smaller than twice this, the system area is half of it. */
#define LAYOUT_SYSTEM (12ULL << 30)
/* Below this nothing of a cluster's data would fit. */
#define LAYOUT_DATA_MIN (1ULL << 30)

struct layout_wish {
	const struct ptable *image; /* checked by layout_image */
	const struct ptable *disk;  /* what it has now; without entries: nothing */
	uint64_t disk_size, seed_size;
	bool wipe;    /* keep nothing */
	bool no_data; /* the node's data goes to another disk: make no data partition here */
};

struct layout {
	struct ptable table;   /* in the end */
	struct ptable interim; /* while the disk is written: what is kept, nothing to boot */
	uint64_t image_end;    /* image bytes from PTABLE_HEAD to here are written */
	struct partition seed; /* as in `table` */
	struct partition data; /* size 0: there is none */
	bool kept;	       /* `data` was there before and stays as it is */
};
#define _layout_ _cleanup_(layout_free)

/* Is this the table of an image of ours, for this kind of machine? -EINVAL says what it is. */
int layout_image(const struct ptable *image, const char *name, struct fault *f);
/* -ENOSPC: too small, or the kept partition is in the way; -ENOTUNIQ: several data partitions;
 * -EUCLEAN: one that is not wholly on the disk. NAME is the disk's, for messages. */
int layout_make(const struct layout_wish *w, const char *name, struct layout *ret, struct fault *f);
void layout_free(struct layout *l);
