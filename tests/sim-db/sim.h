/* Three pods with the product's own core (phoenix-job/pg_core.h), an API, links and clocks that are
 * made up, and an oracle for INV-3. Time passes in steps of some milliseconds; a run is its number.
 *
 * Data is a list of commits. A primary appends, standbys copy; what a standby has that its primary
 * has not is cut off. Each term begins with an entry of its own, as the product's does. */
#pragma once

#include "phoenix-job/pg_core.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define ENTRIES 6000
#define MESSAGES 1024
#define STEP_MS 10
#define LAG 3 /* commits that a fresh standby may lack (async) */

struct entry {
	int32_t term, recorded, id; /* id 0: written by the primary itself */
};

struct volume {
	struct entry log[ENTRIES];
	int n;
};

enum busy { IDLE, STARTING, PROMOTING, STOPPING };

struct pod {
	bool on;
	int64_t until;		 /* off or paused until */
	bool paused, all_paused; /* the supervisor alone, or PostgreSQL as well */
	bool api;		 /* can reach it */
	double rate;
	int64_t offset;
	struct pg_core core;
	struct pg_vote vote; /* on the volume */
	int nonce;
	/* PostgreSQL */
	bool known; /* it has been up since the pod started, or there is no data */
	enum pg_server server;
	enum busy busy;
	int64_t busy_until, promote_term, mark_at, mark;
	int from; /* which primary it streams from; -1 = none */
	bool names[PG_PODS], wished[PG_PODS];
	int64_t names_at; /* when what was wished is in force; 0 = it is */
	int acked;	  /* entries of its log that were answered or given up */
	int64_t permit;	  /* the page */
	struct volume volume;
};

enum kind { API_READ, API_WRITE, API_ANSWER, PEER_ASK, PEER_ANSWER };
struct message {
	bool used;
	enum kind kind;
	int64_t at, sent; /* when it arrives; when it was sent by the asker's clock */
	int from, to, request;
	struct pg_lease lease;
	bool there, written;
	struct pg_ask q;
	struct pg_answer a;
};

struct stats {
	long runs, acks, promotions, failsafe, words, restores;
};

struct world {
	uint64_t seed, run;
	int64_t now;
	enum pg_mode mode;
	bool verbose;
	struct stats *stats;
	struct pod pods[PG_PODS];
	bool linked[PG_PODS][PG_PODS];
	bool api_up;
	bool emptied, restored;
	bool idle;  /* nobody writes: no pod's data is further than another's */
	bool tight; /* hardly more between two times than clocks differ */
	bool quick; /* PostgreSQL takes no time */
	int slow;   /* whose messages take long; -1 = nobody's */
	int64_t squeeze_at, forget_at;
	int squeezed, forgets;
	/* a told schedule: NULL = none */
	const struct story *story;
	int scene, cast[PG_PODS];
	int64_t scene_at, slow_until;
	bool quiet; /* no more faults, no delays to speak of */
	struct pg_lease lease, snapshot;
	uint64_t version, snapshot_version;
	int64_t noted; /* renewals that were not told */
	int request[PG_PODS];
	int64_t requested[PG_PODS];
	struct message messages[MESSAGES];
	int messages_used; /* none beyond */
	/* oracle */
	int next_id;
	int64_t acked_term;
	int acked_by;
	bool acked[ENTRIES], must[ENTRIES];
	int64_t last_ack;
	char broken[300];
};

/* world.c */
uint64_t draw(struct world *w);
int below(struct world *w, int n);
bool chance(struct world *w, int per_mille);
void note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int64_t local(const struct world *w, int i);
bool reach(const struct world *w, int i, int j);
struct message *post(struct world *w, enum kind kind, int from, int to);
void deliver(struct world *w);
/* pod.c */
void pod_start(struct world *w, int i);
void pod_stop(struct world *w, int i);
void pod_step(struct world *w, int i);
void pod_do(struct world *w, int i, const struct pg_wish *wish);
/* data.c */
struct pg_place volume_place(const struct volume *v);
void volume_add(struct volume *v, int64_t term, int64_t recorded, int id);
bool volume_has(const struct volume *v, int id);
void data_step(struct world *w, int i);
void recorded(struct world *w, int i, const struct pg_lease *l);
/* faults.c */
void fault(struct world *w);
void drill(struct world *w);
void empty(struct world *w, int i);
void restore(struct world *w);
void delete (struct world *w);
void squeeze_on(struct world *w);
void heal(struct world *w);
/* stories.c */
void story_choose(struct world *w, int number);
void story_on(struct world *w);
