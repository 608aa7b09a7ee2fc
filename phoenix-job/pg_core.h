/* Who is the primary: the part of `phoenix pg' that INV-3 hangs on. It does nothing itself. What it
 * is told (an answer of the API, a question of a peer, what PostgreSQL does, that time has passed)
 * changes a state, and the state says what is to be done. So the pod and the simulation
 * (tests/sim-db) run the same code. No clocks, files or network in here; each time is the pod's
 * own (lib/timer.h), and no two pods' times are compared.
 *
 * The Lease `postgres' is written by its holder alone, by compare-and-swap. A holder is a pod UID
 * and a nonce, drawn anew whenever a holding ended, so nobody inherits. Another pod takes it when it
 * stood unchanged for lease_ms and a tenth and was looked at all the while, since an old state of
 * the API hides what was written in between. Each take-over begins a *term*, one higher than any
 * before; a primary writes its term into the database first of all, so that data says by itself
 * what it belongs to (timeline numbers do not: two pods can choose the same one).
 *
 * A pod may write only with a *permit*, a point in time (phoenix-job/permit.h). It gets one
 *   - by a renewal of the Lease that was confirmed: from before it was sent, for fence_ms;
 *   - while the API does not answer: by a peer's *promise*, neither to take the Lease nor to vote
 *     for promise_ms: from before it was asked for, for promise_ms less the margin.
 * A new primary needs the Lease *and the vote* of another pod. Of three pods one has given the
 * promise or the vote, and nobody gives both: that is what keeps a primary without API and a new
 * one apart. A pod that has just started neither votes nor takes anything for promise_ms, since it
 * may have promised before; it promises at once, so that no healthy primary ends because a peer is
 * restarted while the API is away. A vote outlasts a restart: given again in one term, for which an
 * old state of the API is enough, it makes two primaries of that term.
 *
 * The *record* in the Lease says what may follow: the primary's term, its position, and which pods'
 * data holds every acknowledged commit (sync) or all but the last second's (async). */
#pragma once

#include "phoenix-job/pg_rules.h"

#include <stdbool.h>
#include <stdint.h>

#define PG_PODS 3
#define PG_HOLDER_LEN 96
/* What lies beyond was written by nobody of ours. leaseTransitions has 32 bits. */
#define PG_TERM_MAX INT32_MAX
#define PG_NUMBER_MAX (INT64_MAX / 2)

enum pg_mode { PG_ASYNC, PG_SYNC };

struct pg_times {
	int64_t lease_ms;   /* unchanged for this and a tenth: expired */
	int64_t fence_ms;   /* a renewal permits this long: less than lease_ms */
	int64_t renew_ms;   /* between renewals, looks, questions */
	int64_t promise_ms; /* what a promise is given for */
	int64_t margin_ms;  /* and what of it is not used */
};
#ifdef PG_MUTANTS /* the simulation makes them as tight as can be */
extern struct pg_times pg_times;
#else
extern const struct pg_times pg_times;
#endif
/* 5000, 4500, 750, 5000, 500: facts on failure detection */

/* How far data has come. A primary writes its term first of all, and acknowledges nothing before
 * its record stands in the Lease and the record's number in the data. So what lies beyond the
 * number that data is marked with nobody was told of, and a record with a lower one is an old
 * record. */
struct pg_place {
	int64_t term, recorded;
	uint64_t position; /* flushed */
};
/* < 0, 0, > 0: by what may have been acknowledged. */
int pg_place_compare(struct pg_place a, struct pg_place b);

/* What the last primary wrote into the Lease. */
struct pg_record {
	bool known;
	int64_t number; /* the term, then how often a pod was taken out of it */
	struct pg_place place;
	bool eligible[PG_PODS]; /* the writer itself always is */
	uint64_t has[PG_PODS];	/* what of it each had flushed */
};

struct pg_lease {
	bool exists;
	char holder[PG_HOLDER_LEN]; /* "" = nobody */
	bool released;		    /* by its holder, whose PostgreSQL is down; not by an editor */
	int64_t term, renewals;
	uint64_t version; /* for compare-and-swap; 0 = it is to be created */
	char uid[40];	  /* of the object: without it a deleted one would be made again */
	struct pg_record record;
};

enum pg_server {
	PG_DOWN,
	PG_STANDBY,
	PG_PRIMARY, /* out of recovery, its term written */
};

/* What pods ask each other, and what they answer. */
enum pg_question { PG_TELL, PG_VOTE, PG_PROMISE };
struct pg_ask {
	enum pg_question what;
	int from;
	char holder[PG_HOLDER_LEN]; /* who asks, as it stands in the Lease */
	int64_t term;
	struct pg_place place;
	struct pg_record record; /* PG_VOTE: what the Lease says */
};
struct pg_answer {
	bool yes;   /* to PG_VOTE, PG_PROMISE */
	bool known; /* what its volume holds */
	struct pg_place place;
	enum pg_server server;
	int64_t term; /* the highest that it has data of or voted in */
};

/* The last vote that was given. It outlasts the program: the caller keeps it on the volume. */
struct pg_vote {
	int64_t term; /* 0 = none yet */
	char holder[PG_HOLDER_LEN];
};

/* What is to be done, each once: the caller does it and tells what came of it. */
struct pg_wish {
	bool read_lease, write_lease;
	struct pg_lease lease; /* write_lease: this, if VERSION still stands there */
	bool ask[PG_PODS];
	struct pg_ask question; /* to each of ask */
	enum { PG_LEAVE, PG_RUN, PG_RESTART, PG_PROMOTE, PG_STOP } server;
	/* PG_RUN: as a standby. PG_RESTART: as the primary it was. PG_PROMOTE: to TERM. PG_STOP:
	 * at once. */
	int64_t term;
	int64_t mark; /* a record's number that is to be written into the data; 0 = none */
	bool set_names;
	bool names[PG_PODS]; /* commits wait for each of these; empty: for none */
};

struct pg_core {
	/* the caller's */
	int self;
	enum pg_mode mode;
	char holder[PG_HOLDER_LEN]; /* another one each time need_holder is found true */
	bool leaving;		    /* asked to end: stop, then release */

	/* told by the caller at any time */
	enum pg_server server;
	/* what the volume holds is known: PostgreSQL has been up here since this program started, or
	 * the volume is empty. Before that this pod takes nothing and has no vote, since it could not
	 * say that another's data is behind its own; it may promise */
	bool place_known;
	struct pg_place place; /* {0}: no data, or not known */
	/* of a primary, each standby: streams from it, as good as all there (async), flushed */
	bool streams[PG_PODS], fresh[PG_PODS];
	uint64_t flushed[PG_PODS];
	bool names_set; /* all of PostgreSQL's processes know the names that were wished */

	/* its own */
	int64_t started, permit_until;
	bool need_holder;
	/* the Lease */
	bool looked, unknown, in_flight;
	struct pg_lease seen, written;
	int64_t seen_since, looked_at, sent;
	bool holds, voted_us, recorded;
	int64_t term, held_from, taken, restarted;
	/* given to others */
	int64_t promised_until;
	struct pg_vote vote;
	/* heard of others; 0 = never */
	int64_t asked, heard[PG_PODS];
	struct pg_answer peers[PG_PODS];
	/* sync */
	bool names[PG_PODS], watched[PG_PODS], pending[PG_PODS];
	uint64_t watched_from[PG_PODS];
	char why[160]; /* what it waits for */
};

/* VOTE: the last one that was kept. */
void pg_core_start(struct pg_core *c, int self, enum pg_mode mode, int64_t now, const char *holder,
		   const struct pg_vote *vote);
/* Time has passed, or something was told: what now? */
void pg_core_tick(struct pg_core *c, int64_t now, struct pg_wish *ret);
/* The API's answer to a request that was sent at SENT. LEASE is what stands there now, or NULL: no
 * answer (of a write: its outcome is unknown). WRITTEN: our write was done. */
void pg_core_api(struct pg_core *c, int64_t now, int64_t sent, const struct pg_lease *lease,
		 bool written);
/* A peer asks. Is c->vote another one afterwards, it is kept on the volume before the answer goes
 * out; if it cannot be, no answer does. */
void pg_core_ask(struct pg_core *c, int64_t now, const struct pg_ask *q, struct pg_answer *ret);
/* A peer answered what was asked at SENT. */
void pg_core_answer(struct pg_core *c, int64_t now, int64_t sent, int peer, const struct pg_ask *q,
		    const struct pg_answer *a);
bool pg_core_may_write(const struct pg_core *c, int64_t now);
