/* What the agent says of itself: /run/phoenix/route.json, written by it, read by its probe. */
#pragma once

#include "lib/fault.h"
#include "lib/fs.h"
#include "phoenix-job/route_pools.h"

#define ROUTE_STATUS "/run/phoenix/route.json"

struct route_said {
	const struct route_world *w;
	const struct route_state *s;
	const struct route_wish *wishes; /* ROUTE_POOLS */
	struct route_use use[ROUTE_POOLS];
	const char *down; /* a program that does not run, or NULL */
	bool served;	  /* rw has had a primary since the start */
};
int route_status_write(const struct fs *fs, const struct route_said *said, struct fault *f);
/* 0: this pooler can serve as well as any; -EAGAIN: WHY not. That there is no primary is no reason:
 * clients wait here as well as elsewhere. */
int route_status_ready(const struct fs *fs, struct fault *f);
