/* See decide.h: what a node grants to others (a promise) and to its operator (a recovery), and the
 * names of things. */
#include "firstboot/decide_internal.h"

#include "lib/str.h"

#include <stdio.h>

#ifdef DECIDE_MUTANTS
#ifdef DECIDE_REMOVED /* a build for the lab, without this one rule (tests/lab/mutants) */
unsigned decide_removed = 1u << DECIDE_REMOVED;
#else
unsigned decide_removed;
#endif
#endif

const char *rule_name(enum rule r)
{
	static const char *const names[] = {
		[RULE_UNKNOWN_WAITS] = "unknown-waits",
		[RULE_BLANK_IS_POSITIVE] = "blank-is-positive",
		[RULE_FIRST_FORMS] = "first-forms",
		[RULE_ALL_PROMISE] = "all-promise",
		[RULE_PROMISE_HOLDS] = "promise-holds",
		[RULE_PROMISE_BLANK_ONLY] = "promise-blank-only",
		[RULE_NO_DATA_ELSEWHERE] = "no-data-elsewhere",
		[RULE_LONE_VOTER_ASKS] = "lone-voter-asks",
		[RULE_GENERATION] = "generation",
		[RULE_OTHER_CLUSTER] = "other-cluster",
		[RULE_RETIRED_STAYS] = "retired-stays",
		[RULE_MARKER] = "marker",
		[RULE_JOIN_NEEDS_READY] = "join-needs-ready",
		[RULE_OLD_GENERATION] = "old-generation",
		[RULE_OWN_PROMISE] = "own-promise",
		[RULE_RECOVER_ASKS] = "recover-asks",
		[RULE_EMPTY_LOG] = "empty-log",
	};

	return (unsigned)r < ARRAY_LEN(names) ? names[r] : "?";
}

const char *node_state_name(enum node_state s)
{
	static const char *const names[] = { "unknown", "blank", "joining", "member" };

	return (unsigned)s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *action_name(enum action a)
{
	static const char *const names[] = { "wait", "stop", "start",	  "ask-promises",
					     "form", "join", "move-aside" };

	return (unsigned)a < ARRAY_LEN(names) ? names[a] : "?";
}

int decide_promise(const struct node_view *local, int from, const struct promise *asked,
		   int generation, const char *abandons, char why[WHY_LEN])
{
	const struct promise *p = &local->promise;
	int seen = local->retired > local->generation ? local->retired : local->generation;

	if (local->state != NODE_BLANK && RULE(RULE_PROMISE_BLANK_ONLY)) {
		snprintf(why, WHY_LEN, "this node is not blank but %s",
			 node_state_name(local->state));
		return 0;
	}
	if (p->node >= 0 && p->node != from && RULE(RULE_PROMISE_HOLDS)) {
		snprintf(why, WHY_LEN, "promised to another node (formation %s)", p->formation);
		return 0;
	}
	if (*local->marker && !str_eq(local->marker, abandons) && RULE(RULE_MARKER)) {
		snprintf(why, WHY_LEN,
			 "this disk belonged to incarnation %s; `phoenix abandon %s` gives it up",
			 local->marker, local->marker);
		return 0;
	}
	if (generation < seen && RULE(RULE_OLD_GENERATION)) {
		snprintf(why, WHY_LEN, "this disk has seen generation %d, asked for %d", seen,
			 generation);
		return 0;
	}
	return p->node == from && str_eq(p->formation, asked->formation) ? 2 : 1;
}

bool recover_is_void(int self, const struct node_view views[NODE_COUNT], int generation)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (i != self && views[i].answered && (has_data(&views[i]) || *views[i].marker) &&
		    views[i].generation >= generation)
			return true;
	return false;
}

int decide_recover(int self, const struct node_view views[NODE_COUNT], const struct words *words,
		   int generation, const char *const names[NODE_COUNT], char why[WHY_LEN])
{
	size_t len = 0;

	why[0] = 0;
	if (views[self].state != NODE_MEMBER) {
		snprintf(why, WHY_LEN, "%s is not a voter by its own data: nothing to keep",
			 names[self]);
		return 0;
	}
	if (views[self].retired >= generation) {
		snprintf(why, WHY_LEN,
			 "%s itself was retired for generation %d: start again with a higher one",
			 names[self], views[self].retired);
		return 0;
	}
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &views[i];
		bool retired = v->answered && v->retired >= generation && v->retired_for == self;
		/* One that promised could help another to form beside us: being asked to retire ends that. */
		bool blank = v->answered && v->state == NODE_BLANK &&
			     (v->promise.node < 0 || v->promise.node == self);

		if (i == self || retired || blank || (words->missing[i] && !v->answered))
			continue;
		if (RULE(RULE_RECOVER_ASKS))
			len += (size_t)snprintf(
				why + len, WHY_LEN - len, "%s%s %s", len ? "; " : "", names[i],
				!v->answered ? "does not answer and is not declared destroyed"
				: v->state == NODE_BLANK ? "has promised to help another to form"
							 : "is not retired");
		if (len >= WHY_LEN)
			break;
	}
	return !len;
}

bool view_is_founding(const struct node_view *me, int i, const struct node_view *v)
{
	const struct promise *ours = &me->promise, *its = &v->promise;

	return me->state == NODE_BLANK && !*me->marker && v->serves_list && *v->cluster &&
	       ours->node == i && str_eq(ours->cluster, v->cluster) && its->node == i &&
	       *its->formation && str_eq(its->formation, ours->formation);
}
