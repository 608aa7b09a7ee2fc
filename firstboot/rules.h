/* The safety rules by name, so that a test can leave one out and must notice: those of the decision
 * in the simulation (make sim-mutants), and on real nodes where one case guards a rule
 * (tests/lab/mutants). In any other build RULE is true and costs nothing. */
#pragma once

enum rule {
	RULE_UNKNOWN_WAITS,	/* a node that could not look does nothing */
	RULE_BLANK_IS_POSITIVE, /* silence is not "blank": every node not declared missing must
				   answer */
	RULE_FIRST_FORMS,	/* only the first of those not declared missing forms */
	RULE_ALL_PROMISE,   /* every node not declared missing must have promised this formation */
	RULE_PROMISE_HOLDS, /* a promise given to one node is not given to another */
	RULE_PROMISE_BLANK_ONLY, /* only a blank node promises */
	RULE_NO_DATA_ELSEWHERE,	 /* nothing forms while a peer has data */
	RULE_LONE_VOTER_ASKS,	 /* a lone voter starts only if no other node can be part of a newer
				    cluster */
	RULE_GENERATION,	 /* a node with data stops when it sees a higher generation */
	RULE_OTHER_CLUSTER, /* a node with data stops when it sees another cluster that is ready */
	RULE_RETIRED_STAYS, /* retired data is never started */
	RULE_MARKER,	    /* another incarnation's marker forbids forming */
	RULE_JOIN_NEEDS_READY, /* join only through an API that is ready, or while the cluster that
				  we promised is being founded, through an etcd that answers */
	RULE_OLD_GENERATION,   /* never join a cluster older than what this disk has seen */
	RULE_OWN_PROMISE,      /* a node that promised another does not form */
	RULE_RECOVER_ASKS,     /* recover needs every other node retired or declared destroyed */
	RULE_EMPTY_LOG,	       /* an etcd that never wrote an entry is begun anew */
	RULE_COUNT,

	/* Beside the decision: */
	RULE_NAMESAKE =
		RULE_COUNT, /* a node whose lease is renewed while one watches is alive (stale.c) */
	RULE_DESCRIPTION,   /* another description is another cluster (answers.c, exchange.c) */
	RULE_FOREIGN_DISK,  /* what carries any signature is not formatted (data_disk.c) */
};

#ifdef DECIDE_MUTANTS
extern unsigned decide_removed; /* bit N set: rule N is removed. Tests only */
#define RULE(r) (!(decide_removed & (1u << (r))))
#else
#define RULE(r) true
#endif
/* Of a rule of the decision. */
const char *rule_name(enum rule r);
