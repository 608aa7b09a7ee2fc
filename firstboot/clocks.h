/* Is a clock right? By itself nobody knows; what can be said is that it cannot be true, or that it
 * and another node's differ. */
#pragma once

#include "firstboot/agent.h"

/* Can it be NOW (Unix time, as the next two) on a machine whose certificate begins at EARLIEST or
 * whose program was installed then, and ends at LATEST? False with WHY, for people. */
bool clocks_plausible(int64_t now, int64_t earliest, int64_t latest, char why[200]);
/* Adds to F which other nodes' clocks are a minute or more away from this node's: a certificate
 * or token that is made here is "not valid yet", or no longer, there. Nothing, when none is.
 * Returns -F->code. */
int clocks_blame(const struct agent *a, const struct round *round, struct fault *f);
