/* The supervisor of a database pod: the core (pg_core.h) with hands and ears. Each ear and hand is a
 * thread of its own, since each may have to wait for somebody who does not answer: the API, a peer,
 * PostgreSQL. They meet in this struct, under one lock that nobody holds while waiting. */
#pragma once

#include "phoenix-job/permit.h"
#include "phoenix-job/pg_core.h"
#include "phoenix-job/pg_files.h"
#include "phoenix-job/pg_look.h"
#include "phoenix-job/pg_process.h"
#include "phoenix-job/pg_wire.h"

#include "lib/kube.h"
#include "lib/tls.h"

#include <pthread.h>

struct pg_super {
	struct pg_unit unit;
	struct fs fs;
	struct permit *permit;
	struct tls *tls;
	char user[64]; /* of the operating system */

	pthread_mutex_t lock;
	pthread_cond_t wake; /* something is to be done */
	struct pg_core core;
	struct pg_wish wish; /* the last; of read_lease, write_lease, ask: see below */
	/* the API's thread */
	bool api_wanted;
	struct pg_wish api_wish;
	int64_t api_sent;
	/* one thread a peer */
	bool ask_wanted[PG_PODS];
	struct pg_ask question[PG_PODS];
	int64_t ask_sent[PG_PODS];
	/* of the pods, as the API last said; "": never heard of */
	char addresses[PG_PODS][64], uids[PG_PODS][64];
	bool pods_listed;
	char peer_system[PG_PODS][PG_SYSTEM_LEN];
	/* of the worker, who alone starts and ends PostgreSQL */
	struct pg_process process;
	bool starting;	      /* it has not answered yet since it was started */
	int64_t primary_term; /* of which this pod's PostgreSQL was made the primary */
	char system[PG_SYSTEM_LEN];
	bool blank;   /* nothing is on the volume */
	bool parted;  /* the data cannot follow: it is rewound, or cloned anew */
	bool damaged; /* nothing but a clone helps */
	struct pg_settings settings;
	char upstream[64];
	int64_t names_written; /* when */
	int64_t streams_not;   /* since when a standby does not stream; 0: it does */
	char doing[160];       /* what takes long, or what went wrong last */
	/* of the thread that looks */
	struct pg_sight sight;
	bool ended; /* nothing is left to do */
};

/* pg_api.c */
void *pg_api_thread(void *super);
void *pg_pods_thread(void *super);
/* pg_peers.c */
struct pg_peer_thread {
	struct pg_super *s;
	int peer;
};
void *pg_ask_thread(void *peer_thread);
void *pg_serve_thread(void *super);
int pg_serve_start(struct pg_super *s, struct fault *f);
/* pg_work.c */
void *pg_work_thread(void *super);
/* pg_make.c: from nothing, or anew */
int pg_make(struct pg_super *s, struct kube *k, struct fault *f);
int pg_clone(struct pg_super *s, struct fault *f);
/* Data that has parted from the primary's goes back to where they were one. -EAGAIN: later;
 * otherwise only a clone helps. Afterwards it may only be started to follow that primary, whose
 * address is in s->upstream. */
int pg_rewind(struct pg_super *s, struct fault *f);
/* Starts what is there as a standby (of UPSTREAM; NULL: of nobody), or as the primary it was. */
int pg_start(struct pg_super *s, bool standby, const char *upstream, struct fault *f);
int pg_write_conf(struct pg_super *s, struct fault *f);
/* Whom to stream or clone from: the primary of the highest term that was heard lately; -1. Called
 * with the lock held. */
int pg_upstream(const struct pg_super *s);
void pg_doing(struct pg_super *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
