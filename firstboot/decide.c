/* See decide.h. */
#include "firstboot/decide_internal.h"

#include "lib/str.h"

#include <stdarg.h>
#include <stdio.h>

struct scene {
	int self;
	const struct node_view *views, *me;
	const struct words *words;
	const char *formation;
	const char *const *names;
	struct decision *out;
};

static void say(struct scene *s, enum action a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct scene *s, enum action a, const char *fmt, ...)
{
	va_list ap;

	s->out->action = a;
	va_start(ap, fmt);
	vsnprintf(s->out->why, sizeof s->out->why, fmt, ap);
	va_end(ap);
}

bool view_is_lone(const struct node_view *v)
{
	return v->state == NODE_MEMBER && v->n_voters == 1 && v->voters[0].id == v->self;
}

/* Retired data is older than the generation in whose favour it was retired: what joined since
 * is not. */
static bool in_retirement(const struct node_view *v)
{
	return v->retired > v->generation;
}

/* A ready peer that this node may join or compare with: not of an older generation than this
 * disk saw (its own record, or the one it was retired for). */
static bool may_follow(const struct scene *s, int i)
{
	const struct node_view *v = &s->views[i];
	int seen = s->me->retired > s->me->generation ? s->me->retired : s->me->generation;

	if (i == s->self || !v->answered || in_retirement(v))
		return false;
	if (!view_is_founding(s->me, i, v) &&
	    (v->state != NODE_MEMBER || (RULE(RULE_JOIN_NEEDS_READY) && !v->api_ready)))
		return false;
	return !RULE(RULE_OLD_GENERATION) || v->generation >= seen;
}

static int first_to_follow(const struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (may_follow(s, i))
			return i;
	return -1;
}

static bool lists_node(const struct node_view *v, int node)
{
	for (int i = 0; i < v->n_voters; i++)
		if (v->voters[i].node == node)
			return true;
	for (int i = 0; i < v->n_learners; i++)
		if (v->learners[i].node == node)
			return true;
	return false;
}

/* The word that I is destroyed was about the disk of that time: a machine that answers, or has
 * joined by our own data, is another one. */
static bool is_missing(const struct scene *s, int i)
{
	return s->words->missing[i] && !s->views[i].answered && !lists_node(s->me, i);
}

/* What `abandon` is to be given: a disk may hold data without a record of the cluster it is of. */
static const char *incarnation(const struct node_view *v)
{
	if (*v->cluster)
		return v->cluster;
	return *v->marker ? v->marker : "unrecorded";
}

/* Somebody recovered or formed by force since this data was written, or a living cluster is not
 * the one of this data: it must not act again. A blank peer's generation counts only if it
 * belonged to that cluster (marker): one that merely tries to form has recorded the generation
 * of its try. */
static bool superseded(struct scene *s)
{
	const struct node_view *me = s->me;

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->views[i];
		bool newer = me->generation && v->generation > me->generation &&
			     (has_data(v) || *v->marker) && RULE(RULE_GENERATION);
		bool other = v->state == NODE_MEMBER && v->api_ready && *v->cluster &&
			     *me->cluster && !str_eq(v->cluster, me->cluster) &&
			     v->generation >= me->generation && RULE(RULE_OTHER_CLUSTER);

		if (i == s->self || !v->answered || !(newer || other))
			continue;
		say(s, ACT_STOP,
		    "%s belongs to generation %d of cluster %s, this disk to %d of %s: the others "
		    "went on without it. `phoenix abandon %s` on %s keeps its data aside and lets "
		    "it join",
		    s->names[i], v->generation, incarnation(v), me->generation, incarnation(me),
		    incarnation(me), s->names[s->self]);
		s->out->even_running = true;
		return true;
	}
	return false;
}

static void say_old_disk(struct scene *s, const char *what, const char *who)
{
	say(s, ACT_STOP,
	    "by its own data this node is the only voter, but %s %s: this looks like an old disk "
	    "or snapshot. `phoenix abandon %s` on %s keeps its data aside and joins afresh; if "
	    "this data is the one to keep: `phoenix recover --keep %s`",
	    who, what, incarnation(s->me), s->names[s->self], s->names[s->self]);
}

/* May the lone voter trust that I is in no newer cluster? An old first disk or a snapshot
 * coming back believes that it is a whole cluster by itself. */
static bool lone_clears(struct scene *s, int i)
{
	const struct node_view *v = &s->views[i];

	if (!v->answered || v->state == NODE_UNKNOWN) {
		if (is_missing(s, i))
			return true;
		say(s, ACT_WAIT,
		    "by its own data this node is the only voter; before it starts %s must answer "
		    "that it is blank (an old disk could be coming back): %s. If it is destroyed: "
		    "`phoenix form --with-missing %s`",
		    s->names[i], v->answered ? "it cannot read its own disk" : "no answer",
		    s->names[i]);
		return false;
	}
	if (has_data(v) && in_retirement(v) && v->retired >= s->me->generation &&
	    v->retired_for == s->self)
		return true;
	if (v->state == NODE_JOINING && !v->removed && v->n_voters == 1 &&
	    v->voters[0].id == s->me->self)
		return true;
	/* A learner's etcd tells nobody who else is a member. It becomes a voter, or its K3s is
	 * stopped when nobody answers it: then its disk can be read. */
	if (v->state == NODE_JOINING && !v->removed && !v->n_voters) {
		say(s, ACT_WAIT,
		    "by its own data this node is the only voter, and %s is joining a cluster and "
		    "cannot tell yet which: waits until it is a voter or gives up",
		    s->names[i]);
		return false;
	}
	if (has_data(v)) {
		say_old_disk(s, "has cluster data too", s->names[i]);
		return false;
	}
	if (v->promise.node >= 0 && v->promise.node != s->self) {
		say(s, ACT_STOP,
		    "by its own data this node is the only voter, but %s is promised to %s, which "
		    "may have formed a newer cluster. If it never did: `phoenix forget %s` on %s; "
		    "else `phoenix abandon %s` on %s keeps the data here aside and joins afresh",
		    s->names[i], s->names[v->promise.node], v->promise.formation, s->names[i],
		    incarnation(s->me), s->names[s->self]);
		return false;
	}
	return true;
}

static void decide_retired(struct scene *s, int peer)
{
	const char *kept = s->names[s->me->retired_for];

	s->out->even_running = true;
	if (peer >= 0)
		say(s, ACT_MOVE_ASIDE,
		    "retired for generation %d, and %s is ready: the old data is kept aside",
		    s->me->retired, s->names[peer]);
	else
		say(s, ACT_STOP,
		    "retired for generation %d in favour of %s: waits until that generation is "
		    "ready to be joined. If the recovery was interrupted: `phoenix recover --keep "
		    "%s` again, or --keep another node if its data is lost",
		    s->me->retired, kept, kept);
}

static bool is_abandoned(const struct scene *s)
{
	return *s->me->cluster && str_eq(s->me->cluster, s->words->abandoned);
}

/* What cannot be understood may still hold the only copy of something, so a person gives it up. */
static void decide_unknown(struct scene *s)
{
	if (s->me->damaged && is_abandoned(s))
		say(s, ACT_MOVE_ASIDE,
		    "its incarnation %s was abandoned: what is left of its data is kept aside",
		    s->me->cluster);
	else if (s->me->damaged && in_retirement(s->me))
		decide_retired(s, first_to_follow(s));
	else if (s->me->damaged)
		say(s, ACT_WAIT,
		    "the cluster data on this disk is damaged: it is not started, and this node "
		    "neither "
		    "forms nor joins. If the others have a quorum, or a copy is not to be had: "
		    "`phoenix "
		    "abandon %s` on %s keeps it aside and joins afresh",
		    incarnation(s->me), s->names[s->self]);
	else
		say(s, ACT_WAIT, "cannot tell what is on the data disk: neither forms nor joins");
}

static void decide_with_data(struct scene *s)
{
	const char *me = s->names[s->self];
	int peer = first_to_follow(s);

	if (is_abandoned(s)) {
		say(s, ACT_MOVE_ASIDE,
		    "its incarnation %s was abandoned: the old data is kept aside", s->me->cluster);
		s->out->even_running = true;
		return;
	}
	if (in_retirement(s->me) && RULE(RULE_RETIRED_STAYS)) {
		decide_retired(s, peer);
		return;
	}
	if (superseded(s))
		return;
	/* Nothing was ever promised to others with such a log, neither a vote nor an entry; and etcd
	 * would never come out of it by itself. */
	if (s->me->empty_log && RULE(RULE_EMPTY_LOG)) {
		say(s, ACT_MOVE_ASIDE,
		    "its etcd ended before it wrote anything: the empty data is kept aside");
		return;
	}
	/* Never because a peer's list lacks this node: that answer can be older than our joining. */
	if (s->me->removed) {
		if (peer >= 0)
			say(s, ACT_MOVE_ASIDE,
			    "removed from the cluster of %s: the old data is kept aside",
			    s->names[peer]);
		else
			say(s, ACT_WAIT,
			    "removed from the cluster: waits until a member is ready to be joined");
		return;
	}
	if (view_is_lone(s->me) && RULE(RULE_LONE_VOTER_ASKS))
		for (int i = 0; i < NODE_COUNT; i++)
			if (i != s->self && !lone_clears(s, i))
				return;
	if (s->me->state == NODE_MEMBER)
		say(s, ACT_START,
		    "member by its own data, which names %d voter%s: more than half must be up. If "
		    "those are lost for good: `phoenix recover --keep %s`; if only this one does "
		    "not come up: `phoenix abandon %s` on %s keeps its data aside and joins afresh",
		    s->me->n_voters, s->me->n_voters == 1 ? "" : "s", me, incarnation(s->me), me);
	else
		say(s, ACT_START,
		    "learner by its own data: starts and catches up. If no member knows it any "
		    "more: `phoenix abandon %s` on %s keeps the data aside and joins afresh",
		    incarnation(s->me), me);
}

/* Every other node must be known to have nothing before anything may form. */
static bool others_are_blank(struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->views[i];

		if (i == s->self)
			continue;
		if (v->answered && has_data(v) && RULE(RULE_NO_DATA_ELSEWHERE)) {
			say(s, ACT_WAIT,
			    "%s has cluster data but %s: waits to join it. If most of that "
			    "cluster's voters are lost: `phoenix recover --keep %s`; if all of its "
			    "data is to be given up: `phoenix abandon %s` on %s",
			    s->names[i],
			    v->api_ready ? "of an older generation than this disk has seen"
					 : "its API is not ready",
			    s->names[i], incarnation(v), s->names[i]);
			return false;
		}
		if (v->answered && v->state == NODE_UNKNOWN) {
			say(s, ACT_WAIT, "%s cannot read its own data disk", s->names[i]);
			return false;
		}
		if (!v->answered && !is_missing(s, i) && RULE(RULE_BLANK_IS_POSITIVE)) {
			say(s, ACT_WAIT,
			    "waits for %s: no answer. Forming needs every node's word; if it is "
			    "destroyed: `phoenix form --with-missing %s`",
			    s->names[i], s->names[i]);
			return false;
		}
	}
	return true;
}

/* A disk that belonged to a cluster whose data is gone: its own, or one that would refuse its
 * promise. */
static bool markers_forbid(struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->views[i];

		if (!v->answered || !*v->marker || str_eq(v->marker, s->words->abandoned) ||
		    !RULE(RULE_MARKER))
			continue;
		say(s, ACT_STOP,
		    "the disk of %s belonged to incarnation %s, whose data is not there: a new "
		    "cluster would be empty. Restore it, or give it up: `phoenix abandon %s` on %s",
		    s->names[i], v->marker, v->marker, s->names[i]);
		return true;
	}
	return false;
}

static bool promised_to(const struct promise *p, int node, const char *formation)
{
	return *formation && p->node == node && str_eq(p->formation, formation);
}

static void gather_promises(struct scene *s)
{
	int lacking = 0, other = -1;

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct promise *p = &s->views[i].promise;

		if (!s->views[i].answered || promised_to(p, s->self, s->formation))
			continue;
		if (p->node >= 0 && p->node != s->self && RULE(RULE_PROMISE_HOLDS)) {
			/* Who tries to form has to give that up first, then those who help it. */
			if (other < 0 || p->node == i)
				other = i;
			continue;
		}
		s->out->ask[i] = true;
		lacking++;
	}
	if (other >= 0 && (other != s->self || RULE(RULE_OWN_PROMISE))) {
		const struct promise *p = &s->views[other].promise;

		say(s, ACT_STOP,
		    "%s has promised %s and nobody else; if that node never formed or its disk is "
		    "gone: `phoenix forget %s` on %s",
		    s->names[other], s->names[p->node], p->formation, s->names[other]);
		return;
	}
	if (lacking && RULE(RULE_ALL_PROMISE)) {
		say(s, ACT_ASK_PROMISES, "asks %d node%s for the promise to form nothing else",
		    lacking, lacking == 1 ? "" : "s");
		return;
	}
	say(s, ACT_FORM, "all nodes are blank and promised: forms the cluster");
}

static void decide_blank(struct scene *s)
{
	int peer = first_to_follow(s), first = 0;

	if (peer >= 0) {
		for (int i = peer + 1; i < NODE_COUNT; i++) {
			if (!may_follow(s, i) ||
			    str_eq(s->views[i].cluster, s->views[peer].cluster))
				continue;
			say(s, ACT_STOP,
			    "%s and %s run and belong to different clusters: joins neither. Give "
			    "one up: `phoenix abandon %s` on %s, or `phoenix abandon %s` on %s",
			    s->names[peer], s->names[i], incarnation(&s->views[peer]),
			    s->names[peer], incarnation(&s->views[i]), s->names[i]);
			return;
		}
		s->out->through = peer;
		say(s, ACT_JOIN, "joins the cluster through %s", s->names[peer]);
		return;
	}
	if (!others_are_blank(s) || markers_forbid(s))
		return;
	/* Also when a blank machine has come in its place: the word was to form without it. */
	while (first < NODE_COUNT - 1 && first != s->self && s->words->missing[first])
		first++;
	if (s->self != first && RULE(RULE_FIRST_FORMS)) {
		say(s, ACT_WAIT, "%s forms the cluster; waits until it is ready to be joined",
		    s->names[first]);
		return;
	}
	gather_promises(s);
}

void decide(int self, const struct node_view views[NODE_COUNT], const struct words *words,
	    const char *formation, const char *const names[NODE_COUNT], struct decision *ret)
{
	struct scene s = { self, views, &views[self], words, formation, names, ret };

	*ret = (struct decision){ .action = ACT_WAIT, .through = -1 };
	switch (s.me->state) {
	case NODE_UNKNOWN:
		if (RULE(RULE_UNKNOWN_WAITS))
			decide_unknown(&s);
		else
			decide_blank(&s);
		break;
	case NODE_BLANK:
		decide_blank(&s);
		break;
	case NODE_JOINING:
	case NODE_MEMBER:
		decide_with_data(&s);
		break;
	}
}
