/* A flash from its inputs to its end: what `phoenix flash`, a machine that installs itself from the
 * network, and a node that renews itself have in common. Nobody is asked anything here. */
#pragma once

#include "image/flash.h"
#include "image/flash_seed.h"

struct flash_job {
	struct source *source;
	struct flash_seed seed;
	struct target target;
	struct layout layout;
	bool owned; /* the kept data partition has this node's record on it */
};
#define _flash_job_ _cleanup_(flash_job_free)
#define FLASH_JOB_NONE                \
	{                             \
		.target = TARGET_NONE \
	}

/* Everything is opened: what will be where? WIPE: nothing is kept. Refuses an image that is not
 * ours, a data partition that is another node's or in the way, a damaged table (-EUCLEAN). */
int flash_job_plan(struct flash_job *j, bool wipe, struct fault *f);
/* Writes, with a progress meter on stderr; a signal (INT, TERM, HUP) stops it. *BEGUN as for
 * flash_write. TELL (may be NULL) is called now and then, with the percentage of a phase. */
int flash_job_write(struct flash_job *j,
		    void (*tell)(void *user, enum flash_phase phase, unsigned percent), void *user,
		    bool *begun, struct fault *f);
const struct node_config *flash_job_node(const struct flash_job *j);
void flash_job_free(struct flash_job *j);
