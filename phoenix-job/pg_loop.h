/* The supervisor itself; see pg_super.h. */
#pragma once

#include "lib/fault.h"

#define PG_STATUS "/run/phoenix/pg.json" /* for the probes and for `phoenix status' */

struct permit;
/* Until this pod is asked to end. PERMIT is kept by it from now on. */
int pg_loop(struct permit *permit, struct fault *f);
