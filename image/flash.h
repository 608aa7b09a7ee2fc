/* Puts an image and a seed on a disk, in an order in which a cut at any moment leaves either the
 * old system, or a disk that does not boot and keeps its data partition, or the new one:
 *
 *	a table with nothing but what is kept -> image, seed -> read back -> the real table
 */
#pragma once

#include "image/layout.h"
#include "image/source.h"
#include "image/target.h"

#include <signal.h>

enum flash_phase { FLASH_WRITE, FLASH_VERIFY };

struct flash {
	struct target *target;
	struct source *source;
	const struct layout *layout;
	const struct str *seed; /* bytes of the CIDATA file system */
	/* Called after each piece: DONE of TOTAL bytes. */
	void (*progress)(void *user, enum flash_phase phase, uint64_t done, uint64_t total);
	void *user;
	const volatile sig_atomic_t *stop; /* a signal number: stop as soon as possible */
};

/* Does it. *BEGUN (false at first) is set when the disk has lost its old table: an error from then
 * on leaves a disk that does not boot. -EINTR: stopped. */
int flash_write(const struct flash *x, bool *begun, struct fault *f);
