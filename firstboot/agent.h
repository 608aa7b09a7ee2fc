/* The part of phoenix that talks: it keeps what this node knows of itself, answers the other two at
 * any moment (three threads on TCP 6440), and asks them. One lock guards the records, the own view
 * and the moment at which K3s is started from blank, so that a promise can never be given by a node
 * that is just ceasing to be blank. */
#pragma once

#include "firstboot/etcd_disk.h"
#include "firstboot/exchange.h"
#include "firstboot/records.h"
#include "firstboot/step.h"
#include "lib/timer.h"

#include <pthread.h>

#define SERVERS 3

struct agent {
	struct boot *boot; /* the main thread's */
	const struct fs *fs;
	const struct seed *seed;

	struct tls *tls;
	pthread_mutex_t lock; /* guards what follows */
	struct records rec;
	struct node_view me;
	bool marked;		 /* the cluster carries our id (main thread) */
	bool leaving_blank;	 /* K3s is being started on a blank disk: no promise from now on */
	bool starting;		 /* K3s is being started on its data: no retirement this moment */
	bool silent[NODE_COUNT]; /* did not answer the last look… */
	bool awake;		 /* …and has asked since: worth looking at once */
	char trouble[WHY_LEN];	 /* why the own state is unknown, or "" */
	char unsaved[WHY_LEN];	 /* why the record could not be written the last time, or "" */
	struct {
		char renewed[PULSE_LEN];
		int64_t since;
	} pulse[NODE_COUNT]; /* of each Node's lease: pulse.h */
	/* Kept connections: api[i] is of the thread that looks at node i; the own one and etcd's of
	 * the main thread. */
	struct http_client *api[NODE_COUNT], *etcd;
	struct json *status; /* last progress, for the others' `phoenix status` */
	char *status_text;   /* the same, to see a change */
	/* Of the main thread alone: when K3s was last started, and when it may be again. */
	int64_t started_ms, next_start;
	int64_t alone_since;	  /* since when no other K3s has answered; 0 = one does */
	int through;		  /* whom it joined through */
	char unpromoted[WHY_LEN]; /* why nobody makes this learner a voter, or "" */
	int64_t seen_ready;	  /* when its own K3s last said that it is ready */
	/* since when it runs, as far as was seen, and does not; 0 = not so. Not since its start:
	 * systemd starts it again without us, and a daemon that was restarted did not see it */
	int64_t unready_since;
	struct backoff restarts;
	int listener;
	pthread_t threads[SERVERS];
};

/* What one round of questions brought. */
struct round {
	struct node_view views[NODE_COUNT]; /* own one included */
	struct words words;
	bool recovering; /* by the same record as the words */
	char formation[ID_LEN];
	struct pulse pulse[NODE_COUNT];	   /* of this node's own lease, as each other saw it */
	int64_t clock_ahead[NODE_COUNT];   /* own clock less that node's, seconds; 0 = not known */
	char trouble[NODE_COUNT][WHY_LEN]; /* why a node does not count as answering, for people; ""
					      = it does */
};

int agent_start(struct boot *b, struct agent **ret, struct fault *f);
/* Looks at the own disk (or at the running etcd) again. Never fails: what cannot be read is
 * NODE_UNKNOWN, with the reason in trouble. */
void agent_refresh(struct agent *a);
/* Asks both others side by side, and whether each can be joined: three questions of 1.5 s each. */
void agent_look(struct agent *a, struct round *ret);
/* True, once: a node that did not answer the last look has asked something since. */
bool agent_heard(struct agent *a);
/* Writes NEXT durably and takes it over; under the lock. What fails is remembered, to be told on
 * this node too: what it could not promise only the one who asked would know. */
int agent_save(struct agent *a, const struct records *next, struct fault *f);
/* Changes the records durably under the lock: CHANGE edits a copy; nothing is kept when the write
 * fails. */
int agent_record(struct agent *a, void (*change)(struct records *r, const void *arg),
		 const void *arg, struct fault *f);
/* TEXT is the progress as JSON text; without change nothing happens. */
void agent_set_status(struct agent *a, const struct str *text);
/* Names of the three nodes, for decide(). */
void agent_names(const struct agent *a, const char *names[NODE_COUNT]);
/* Whose member that is, by name or address; -1 = no node of this description. */
int agent_node_of(const struct agent *a, const struct etcd_member *m);
/* NODE's member of that id in D; NULL = none, or it is another node's. */
const struct etcd_member *agent_member(const struct agent *a, const struct etcd_disk *d, int node,
				       uint64_t id);
const struct node_config *agent_node(const struct agent *a, int i);

/* The answers (answers.c): called by the server threads. */
int agent_answer(void *agent, const char *peer, const char *request, size_t len,
		 struct str *answer);
