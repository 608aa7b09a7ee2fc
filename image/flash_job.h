/* A flash from its inputs to its end: what `phoenix flash`, a machine that installs itself from the
 * network, and a node that renews itself have in common. Nobody is asked anything here. */
#pragma once

#include "firstboot/data_record.h"
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

/* What is known of the node before its seed is there: network boot asks for that last. */
struct flash_wish {
	const struct data_record *owner;
	const char *data;  /* its second disk; NULL: it has none */
	bool data_is_ours; /* ...which has its data: what else is called so is a left-over */
	uint64_t seed_size;
	bool wipe; /* nothing is kept */
};
/* Disk and image are opened: what will be where? Refuses a data partition that is another node's or
 * in the way, or that the node would not take for its data, and a damaged table (-EUCLEAN). */
int flash_job_plan(struct flash_job *j, const struct flash_wish *w, struct fault *f);
/* Writes, with a progress meter on stderr; a signal (INT, TERM, HUP) stops it. *BEGUN as for
 * flash_write. TELL (may be NULL) is called now and then, with the percentage of a phase. */
int flash_job_write(struct flash_job *j,
		    void (*tell)(void *user, enum flash_phase phase, unsigned percent), void *user,
		    bool *begun, struct fault *f);
const struct node_config *flash_job_node(const struct flash_job *j);
void flash_job_free(struct flash_job *j);
