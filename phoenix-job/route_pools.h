/* The four PgBouncer processes, by their consoles. A pool is brought to where the rules want it,
 * whatever state it is found in; one that cannot be reached is tried again at the next call.
 *
 * To point a pool elsewhere its file is rewritten and RELOAD said: connections to the old server are
 * closed when they are idle, the next statement makes a new one. (RECONNECT would do no more;
 * PAUSE, RELOAD, RESUME as for a planned move would make everybody wait for the longest
 * transaction.) */
#pragma once

#include "lib/fault.h"
#include "lib/fs.h"
#include "phoenix-job/route_rules.h"

struct route_pools;
#define _pools_ _cleanup_(route_pools_free)
/* WAKE: an eventfd, written when PAUSE is through. */
struct route_pools *route_pools_new(const struct fs *fs, int wake);
void route_pools_free(struct route_pools **pools);
/* Makes it so. PAUSE is begun and ends by itself after PAUSE_MS at the latest. */
int route_pools_apply(struct route_pools *pools, enum route_pool p, const struct route_wish *wish,
		      int64_t pause_ms, struct fault *f);
/* All statements have ended, and those that follow wait. */
bool route_pools_paused(const struct route_pools *pools, enum route_pool p);
/* To be called about when it says: PgBouncer tries a server again only when something happens.
 * Returns the ms until the next call; -1: none is needed. */
int64_t route_pools_nudge(struct route_pools *pools);

struct route_use {
	int64_t active, waiting; /* clients */
};
/* Compares what PgBouncer says of itself with what it was brought to; what differs (somebody's hand,
 * another agent's PAUSE) is put right by the next apply. RET may be NULL. */
int route_pools_check(struct route_pools *pools, enum route_pool p, struct route_use *ret,
		      struct fault *f);
/* The process is another one. */
void route_pools_restarted(struct route_pools *pools, enum route_pool p);
