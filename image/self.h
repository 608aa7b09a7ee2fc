/* phoenix flash --self: a node renews its operating system from its own running system. What can be
 * found wrong is found while everything still runs, in self.c; the disk is written when nothing
 * else does, in self_exit.c. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>

struct self_request {
	const char *image, *seed, *sha256, *serial; /* seed NULL: the node's own */
	bool wipe, yes, plan;
};

/* Ends with EXIT_DONE when the machine has been told to restart (or with `plan` would be). */
int self_run(const struct self_request *q, struct fault *f);
/* The first and only process of a machine that goes down, started by /shutdown in the tree that
 * self_run left: writes the disk, then does what VERB says ("reboot"). Does not return when it has
 * begun. */
int self_exit(const char *verb, struct fault *f);
