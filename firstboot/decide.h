/* The decision that INV-1 hangs on: form a cluster, join one, start what this disk already is,
 * wait, or stop. Pure functions over observations, without clocks, files or network, so that
 * the node, the simulation (tests/sim) and the unit tests run the same code. Each rule has a
 * name (enum rule) by which a mutant build removes it and the simulation must notice.
 * docs/architecture.md tells the schedules behind the rules. */
#pragma once

#include "cloud-init/config.h"
#include "firstboot/rules.h"

#include <stdbool.h>
#include <stdint.h>

#define ID_LEN 33 /* 32 hex digits and NUL; "" = none */
#define VOTERS_MAX 9
#define WHY_LEN 400

enum node_state {
	NODE_UNKNOWN, /* could not look: partition missing, unreadable, data not understood */
	NODE_BLANK,   /* positive evidence: the data partition is there, is ours, and holds no etcd
			 data */
	NODE_JOINING, /* etcd data in which this node is not a voter (yet, or no more); also what a
			 node says from the moment it decided to form or join until it has seen its
			 data */
	NODE_MEMBER,  /* etcd data in which this node is a voter */
};

/* A node's word that it helps this one try to form and no other: durable before it is given. */
struct promise {
	int node;		/* index of the one it was given to; -1 = none */
	char formation[ID_LEN]; /* that node's formation id: new for each of its tries from blank */
	char cluster[ID_LEN];
};

struct voter {
	int node;    /* index by name or address; -1 = no node of this description */
	uint64_t id; /* etcd's member id: a re-flashed node's is another */
};

/* What a node says of itself (node exchange), and what it knows of itself. */
struct node_view {
	bool answered; /* an authenticated answer of the same description; false: nothing below is
			  known */
	enum node_state state;
	bool removed; /* its etcd data says that this member was removed from the cluster */
	/* Its etcd made a log and ended before it wrote anything into it, on a disk that was never
	 * part of a cluster. Known of the own node only. */
	bool empty_log;
	/* Unknown because its etcd data is not understood, on a disk whose records are. Known of
	 * the own node only. */
	bool damaged;
	struct promise promise;
	char cluster[ID_LEN]; /* the cluster its disk belongs to by phoenix's record, or "" */
	int generation; /* of that record; 0 = none. A joiner records both before its data comes */
	/* 0, or the generation in favour of which its etcd data was durably retired, and the node
	 * kept then. It is in force while it is above GENERATION: what joined since is not retired.
	 */
	int retired, retired_for;
	uint64_t self; /* own etcd member id; 0 = none */
	/* By its own etcd data; of one that does not run: by its whole log, committed or not. */
	struct voter voters[VOTERS_MAX], learners[VOTERS_MAX];
	int n_voters, n_learners;
	bool api_ready; /* WE asked its API: /v1-k3s/readyz is 200 under our CA */
	/* WE asked its K3s, under our CA: its etcd answered with a quorum (/db/info), and its list
	 * has that node as a voter and none of ours (by name; of one without a name yet, address).
	 */
	bool serves_list;
	/* An earlier incarnation that this disk belonged to (formed, not only promised), while it
	 * holds no etcd data of it any more; "" = none, or this node was told to abandon it. */
	char marker[ID_LEN];
};

/* An operator's word, recorded durably; it holds until three voters. */
struct words {
	/* Declared destroyed: never comes back with its data. Ends when another disk of that node
	 * answers with data or is in our own list; `recover` replaces all of them by what is true
	 * then. */
	bool missing[NODE_COUNT];
	/* This incarnation's data may be given up. Used up by moving it aside, or by joining. */
	char abandoned[ID_LEN];
	int generation; /* raised by the word; 0 = no word */
};

enum action {
	ACT_WAIT,	  /* not now: say what is missing, look again */
	ACT_STOP,	  /* never by itself: an operator's word is needed */
	ACT_START,	  /* start K3s on the data that is there */
	ACT_ASK_PROMISES, /* ask those in `ask` for their promise, self first and nobody when that
			     is refused; then look and decide again */
	ACT_FORM,	  /* one start with cluster-init */
	ACT_JOIN,	  /* blank: join through `through` */
	ACT_MOVE_ASIDE,	  /* stop K3s, rename etcd's data, then decide again */
};

struct decision {
	enum action action;
	bool even_running;    /* ACT_STOP: a K3s that already runs is to be stopped too */
	int through;	      /* ACT_JOIN: index */
	bool ask[NODE_COUNT]; /* ACT_ASK_PROMISES */
	char why[WHY_LEN];    /* for people: what is so, what is missing, which word would help */
};

/* SELF is this node's index; VIEWS[SELF] is what it knows of itself (answered = true) at this
 * moment, the others what they answered in this round. Between this and K3s's start on a blank
 * disk the caller makes sure, under the lock that guards promises, that it still is blank and
 * (ACT_FORM) still holds its own promise of FORMATION. FORMATION is our current formation id
 * ("" when none was begun since we were last blank); NAMES are for the texts. */
void decide(int self, const struct node_view views[NODE_COUNT], const struct words *words,
	    const char *formation, const char *const names[NODE_COUNT], struct decision *ret);

/* May this node promise FROM's FORMATION of CLUSTER (begun at GENERATION; ABANDONS = the
 * incarnation an operator gave up for it, or "")? LOCAL is this node's own view at this moment,
 * taken under the lock that also guards the start of K3s. 1 yes; 2 yes, and it holds already; 0
 * no, with WHY. */
int decide_promise(const struct node_view *local, int from, const struct promise *asked,
		   int generation, const char *abandons, char why[WHY_LEN]);

/* May `recover --keep SELF` reset this node's etcd to itself alone, as GENERATION? Every other
 * node must be retired for it, or blank and promised to nobody else, or declared destroyed in
 * WORDS. Of the others only answers to the request to retire count (answered = false for the
 * rest: what was seen before may have changed); a blank node that is asked ends its promises
 * and its own try. 1 yes; 0 no, with WHY naming each. */
int decide_recover(int self, const struct node_view views[NODE_COUNT], const struct words *words,
		   int generation, const char *const names[NODE_COUNT], char why[WHY_LEN]);

/* Did the others go on while this node was out of sight, to the GENERATION of its `recover` or
 * beyond? Then that word is void: the caller ends it, and decide() says what is so. */
bool recover_is_void(int self, const struct node_view views[NODE_COUNT], int generation);

/* Is node I, seen as V, just founding the cluster that this blank node promised it, so that its own
 * promise holds too? Then there is nothing of an earlier life of ours in it: it can be joined as
 * soon as its etcd answers, long before its API is ready. */
bool view_is_founding(const struct node_view *me, int i, const struct node_view *v);
/* Its own etcd data names this node and no other voter. */
bool view_is_lone(const struct node_view *v);
const char *node_state_name(enum node_state s);
const char *action_name(enum action a);
