/* What `--plan` cannot see itself: the daemon of this very node knows whether the other nodes are
 * answered and K3s is what it should be. */
#pragma once

#include "firstboot/step.h"

/* As a step's check: the daemon's word about step NAME, asked over the node exchange. Without a
 * daemon that answers the step is needed, because of WHAT. */
int plan_ask_daemon(struct boot *b, const char *name, const char *what);
