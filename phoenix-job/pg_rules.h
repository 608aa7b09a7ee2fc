/* The rules of INV-3 by name, so that a test can leave one out and must notice (make
 * sim-db-mutants). In any other build PG_RULE is true and costs nothing. */
#pragma once

enum pg_rule {
	PG_RULE_EXPIRY,	 /* another's Lease is taken only after it stood unchanged long enough */
	PG_RULE_WATCHED, /* and was looked at meanwhile: an old state may look the same */
	PG_RULE_OLD_RELEASE, /* a released Lease older than data that was seen is waited out, too */
	PG_RULE_FENCE,	     /* a permit counts from before the renewal was sent */
	PG_RULE_LATE_ANSWER, /* whose permit has ended gets no other by a late answer */
	PG_RULE_VOTE,	     /* holding the Lease is not enough: another pod has to agree */
	PG_RULE_ONE_VOTE,    /* one vote a term */
	PG_RULE_VOTE_KEPT,   /* and a restart does not forget it */
	PG_RULE_PROMISE_KEPT, /* who has promised neither takes the Lease nor votes */
	PG_RULE_PROMISE_SENT, /* the permit of a promise counts from before it was asked for */
	PG_RULE_SILENCE,      /* what has just started may have promised before */
	PG_RULE_KNOWN,	      /* no vote, no take-over, no say by who does not know its own data */
	PG_RULE_BETTER,	      /* no vote for one whose data is behind the voter's */
	PG_RULE_ELIGIBLE,     /* only what the last primary recorded is promoted */
	PG_RULE_NEW_TERM,     /* a term is higher than any of which data or a vote is known */
	PG_RULE_NAMES_FIRST,  /* sync: recorded is what commits wait for, once it has all before */
	PG_RULE_UNRECORD,     /* sync: commits go on waiting for what is recorded */
	PG_RULE_MARK, /* who may write has its record in the Lease, and its number in the data */
	PG_RULE_OLD_RECORD, /* a record older than data's mark counts as none, and stops nobody */
	PG_RULE_ABSENT,	    /* without any record only the best of all three is promoted */
	PG_RULE_COUNT,
};

#ifdef PG_MUTANTS
extern unsigned pg_removed; /* bit N set: rule N is removed. Tests only */
#define PG_RULE(r) (!(pg_removed & (1u << (r))))
#else
#define PG_RULE(r) true
#endif
const char *pg_rule_name(enum pg_rule r);
