/* One thread reads and unpacks while another writes: buffers go round between them, a bounded
 * number of them, so that a slow disk holds up the reading and memory stays what it is. */
#pragma once

#include "lib/fault.h"

#include <stddef.h>
#include <sys/types.h>

/* A piece of the stream; aligned for writing past the page cache. */
#define PUMP_PIECE (4U << 20)

struct pump;
#define _pump_ _cleanup_(pump_freep)

/* PRODUCE fills a whole buffer, less only at the end, 0 from then on, or -errno with the fault
 * filled; it is called by a thread of the pump's own, one call after another. */
struct pump *pump_new(ssize_t (*produce)(void *user, void *buf, size_t n, struct fault *f),
		      void *user);
/* The next piece, valid until the next call: its length, 0 at the end, or PRODUCE's error. */
ssize_t pump_next(struct pump *p, void **ret, struct fault *f);
/* Ends the thread; waits for a call of PRODUCE that is under way. */
void pump_freep(struct pump **p);
