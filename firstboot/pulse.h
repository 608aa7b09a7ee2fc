/* Signs of life of the three Nodes, as a member of the cluster sees them: a re-flashed machine that
 * meets its own ghost (stale.h) asks how long the ghost has been still, instead of beginning to
 * watch only then. */
#pragma once

#include "firstboot/agent.h"

/* Looks at the leases that the kubelets renew, at most each two seconds; for the main thread of a
 * node whose K3s is ready. A look that fails changes nothing: what was seen stays true. */
void pulse_look(struct agent *a);
/* Puts what was seen into an answer. The agent's lock must be held. */
void pulse_tell(const struct agent *a, struct pulse ret[NODE_COUNT]);
