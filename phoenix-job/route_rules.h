/* Where a pooler's pools point: what is decided, as a function of what is known. No clocks, files or
 * network in here.
 *
 * A pool points at a pod whose server was *verified*, or nowhere. Nowhere is an address on which
 * nobody listens: clients wait there for as long as PgBouncer lets them (query_wait_timeout),
 * whereas a server that starts or recovers answers them with an error. Nowhere stands in a file, so
 * it outlives PgBouncer and this program; PAUSE outlives neither and is for planned moves alone.
 *
 *   - rw: at the Lease's holder, while it says itself that it is the primary of the Lease's term.
 *     The Lease names a pod by its UID: another pod with its name or its address is not the holder.
 *   - ro1, ro2: at the standby of the lower, the higher ordinal, while it streams from that primary
 *     and keeps up; otherwise where rw points, at once: Pgpool-II opens all pools for each session,
 *     so that one dead pool fails all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_PODS 5 /* three, and what is being replaced */
#define ROUTE_NAME 64
#define ROUTE_WHY 200

enum route_pool { ROUTE_SESSION, ROUTE_RW, ROUTE_RO1, ROUTE_RO2, ROUTE_POOLS };
/* "session", "rw", … */
const char *route_pool_name(enum route_pool p);

/* How old an answer may be; how far behind (in time) a standby is no longer read; how long it has
 * to be fit before it is read again. Milliseconds. */
#define ROUTE_FRESH_MS 3500
#define ROUTE_LAG_MS 1000
#define ROUTE_FIT_MS 1000

/* What a pod's server said. A look that gets no answer keeps what was said before and counts. */
struct route_server {
	bool told;  /* false: never, or it refused to answer since (down, starting, no permit) */
	int silent; /* looks in a row without any answer */
	int64_t told_at;	 /* when that look began */
	char system[ROUTE_NAME]; /* system identifier */
	bool recovery;
	int64_t term; /* of phoenix.term */
	int64_t timeline;
	uint64_t position; /* written by a primary, replayed by a standby */
	bool streams;	   /* a standby: its WAL receiver does */
	/* a primary: the addresses that stream from it */
	char standbys[ROUTE_PODS][ROUTE_NAME];
	int n_standbys;
};

struct route_pod {
	char name[ROUTE_NAME], uid[ROUTE_NAME], address[ROUTE_NAME];
	struct route_server server;
};

struct route_lease {
	bool known;
	char uid[ROUTE_NAME]; /* of the holder's pod; "" = nobody holds it */
	int64_t term;
};

/* A planned move, as its ConfigMap says. See docs/database.md. */
enum route_phase { ROUTE_NO_MOVE, ROUTE_FENCE, ROUTE_PAUSE, ROUTE_MOVED, ROUTE_OVER };
struct route_move {
	char id[ROUTE_NAME], to[ROUTE_NAME]; /* "" = no request */
	int64_t term, seconds;
	enum route_phase phase;
};

struct route_world {
	int64_t now;
	bool standbys_read; /* reads: standbys */
	char system[ROUTE_NAME];
	struct route_lease lease;
	struct route_pod pods[ROUTE_PODS]; /* by ordinal */
	int n;
	/* What the primary had written ROUTE_LAG_MS ago; 0 = not known. */
	uint64_t floor;
	bool moves_known; /* the ConfigMap was looked at */
	struct route_move move;
};

/* A pool's pod; "" = nowhere. */
struct route_target {
	char pod[ROUTE_NAME], uid[ROUTE_NAME], address[ROUTE_NAME];
};

/* What is kept from one decision to the next; {0} at the start. */
struct route_state {
	struct route_lease lease;
	struct route_target at[ROUTE_POOLS];
	/* where a ro pool was before: what is under way there may have to be cut */
	struct route_target left[ROUTE_POOLS];
	int64_t fit_since[ROUTE_POOLS];
	/* the request that was seen last, since when, and whether we take part */
	bool moves_known;
	char move[ROUTE_NAME];
	int64_t move_since;
	bool takes_part;
	bool paused;
	char paused_for[ROUTE_NAME];
	int64_t paused_term;
};

struct route_wish {
	struct route_target to;
	bool paused; /* statements wait in the pool: of ROUTE_RW alone */
	/* Connections to another server than TO are cut, also in the middle of a statement: nothing
	 * good can come from there any more. Said once. */
	bool kill;
	char why[ROUTE_WHY];
};

void route_decide(struct route_state *s, const struct route_world *w,
		  struct route_wish ret[ROUTE_POOLS]);
/* The Lease's holder is listed and verified; otherwise NULL, and WHY says what is missing. WORLD's
 * Lease is the one to judge by. */
const struct route_pod *route_primary(const struct route_world *w, char why[ROUTE_WHY]);
