/* See decide.h. */
#include "firstboot/decide_internal.h"

#include "lib/str.h"

#include <stdarg.h>
#include <stdio.h>

void scene_say(struct scene *s, enum action a, const char *fmt, ...)
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

bool scene_may_follow(const struct scene *s, int i)
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

int scene_first_to_follow(const struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (scene_may_follow(s, i))
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

bool scene_is_missing(const struct scene *s, int i)
{
	return s->words->missing[i] && !s->views[i].answered && !lists_node(s->me, i);
}

const char *scene_incarnation(const struct node_view *v)
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
		scene_say(s, ACT_STOP,
			  "%s belongs to generation %d of cluster %s, this disk to %d of %s: the "
			  "others went on without it. `phoenix abandon %s` on %s keeps its data "
			  "aside and lets it join",
			  s->names[i], v->generation, scene_incarnation(v), me->generation,
			  scene_incarnation(me), scene_incarnation(me), s->names[s->self]);
		s->out->even_running = true;
		return true;
	}
	return false;
}

static void say_old_disk(struct scene *s, const char *what, const char *who)
{
	scene_say(s, ACT_STOP,
		  "by its own data this node is the only voter, but %s %s: this looks like an old "
		  "disk or snapshot. `phoenix abandon %s` on %s keeps its data aside and joins "
		  "afresh; if this data is the one to keep: `phoenix recover --keep %s`",
		  who, what, scene_incarnation(s->me), s->names[s->self], s->names[s->self]);
}

/* May the lone voter trust that I is in no newer cluster? An old first disk or a snapshot
 * coming back believes that it is a whole cluster by itself. */
static bool lone_clears(struct scene *s, int i)
{
	const struct node_view *v = &s->views[i];

	/* Durably, and by records that were read even where the data was not. */
	if (v->answered && v->state != NODE_BLANK && in_retirement(v) &&
	    v->retired >= s->me->generation && v->retired_for == s->self)
		return true;
	if (!v->answered || v->state == NODE_UNKNOWN) {
		if (scene_is_missing(s, i))
			return true;
		scene_say(s, ACT_WAIT,
			  "by its own data this node is the only voter; before it starts %s must "
			  "answer that it is blank (an old disk could be coming back): %s. If it "
			  "is destroyed: `phoenix form --with-missing %s`",
			  s->names[i], v->answered ? "it cannot read its own disk" : "no answer",
			  s->names[i]);
		return false;
	}
	if (v->state == NODE_JOINING && !v->removed && v->n_voters == 1 &&
	    v->voters[0].id == s->me->self)
		return true;
	/* A learner's etcd tells nobody who else is a member. It becomes a voter, or its K3s is
	 * stopped when nobody answers it: then its disk can be read. */
	if (v->state == NODE_JOINING && !v->removed && !v->n_voters) {
		scene_say(
			s, ACT_WAIT,
			"by its own data this node is the only voter, and %s is joining a cluster "
			"and cannot tell yet which: waits until it is a voter or gives up",
			s->names[i]);
		return false;
	}
	if (has_data(v)) {
		say_old_disk(s, "has cluster data too", s->names[i]);
		return false;
	}
	if (v->promise.node >= 0 && v->promise.node != s->self) {
		scene_say(s, ACT_STOP,
			  "by its own data this node is the only voter, but %s is promised to %s, "
			  "which may have formed a newer cluster. If it never did: `phoenix forget "
			  "%s` on %s; else `phoenix abandon %s` on %s keeps the data here aside "
			  "and joins afresh",
			  s->names[i], s->names[v->promise.node], v->promise.formation, s->names[i],
			  scene_incarnation(s->me), s->names[s->self]);
		return false;
	}
	return true;
}

static void decide_retired(struct scene *s, int peer)
{
	const char *kept = s->names[s->me->retired_for];

	s->out->even_running = true;
	if (peer >= 0)
		scene_say(s, ACT_MOVE_ASIDE,
			  "retired for generation %d, and %s is ready: the old data is kept aside",
			  s->me->retired, s->names[peer]);
	else
		scene_say(s, ACT_STOP,
			  "retired for generation %d in favour of %s: waits until that generation "
			  "is ready to be joined. If the recovery was interrupted: `phoenix "
			  "recover --keep %s` again, or --keep another node if its data is lost",
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
		scene_say(
			s, ACT_MOVE_ASIDE,
			"its incarnation %s was abandoned: what is left of its data is kept aside",
			s->me->cluster);
	else if (s->me->damaged && in_retirement(s->me))
		decide_retired(s, scene_first_to_follow(s));
	else if (s->me->damaged)
		scene_say(
			s, ACT_WAIT,
			"the cluster data on this disk is damaged: it is not started, and this "
			"node neither forms nor joins. If the others have a quorum, or a copy is "
			"not to be had: `phoenix abandon %s` on %s keeps it aside and joins afresh",
			scene_incarnation(s->me), s->names[s->self]);
	else
		scene_say(s, ACT_WAIT,
			  "cannot tell what is on the data disk: neither forms nor joins");
}

static void decide_with_data(struct scene *s)
{
	const char *me = s->names[s->self];
	int peer = scene_first_to_follow(s);

	if (is_abandoned(s)) {
		scene_say(s, ACT_MOVE_ASIDE,
			  "its incarnation %s was abandoned: the old data is kept aside",
			  s->me->cluster);
		s->out->even_running = true;
		return;
	}
	if (in_retirement(s->me) && RULE(RULE_RETIRED_STAYS)) {
		decide_retired(s, peer);
		return;
	}
	if (superseded(s))
		return;
	/* Nothing was ever promised to others with such a log, neither a vote nor an entry; and
	 * etcd would never come out of it by itself. */
	if (s->me->empty_log && RULE(RULE_EMPTY_LOG)) {
		scene_say(s, ACT_MOVE_ASIDE,
			  "its etcd ended before it wrote anything: the empty data is kept aside");
		return;
	}
	/* Never because a peer's list lacks this node: that answer can be older than our joining.
	 */
	if (s->me->removed) {
		if (peer >= 0)
			scene_say(s, ACT_MOVE_ASIDE,
				  "removed from the cluster of %s: the old data is kept aside",
				  s->names[peer]);
		else
			scene_say(s, ACT_WAIT,
				  "removed from the cluster: waits until a member is ready to be "
				  "joined");
		return;
	}
	if (view_is_lone(s->me) && RULE(RULE_LONE_VOTER_ASKS))
		for (int i = 0; i < NODE_COUNT; i++)
			if (i != s->self && !lone_clears(s, i))
				return;
	if (s->me->state == NODE_MEMBER)
		scene_say(s, ACT_START,
			  "member by its own data, which names %d voter%s: more than half must be "
			  "up. If those are lost for good: `phoenix recover --keep %s`; if only "
			  "this one does not come up: `phoenix abandon %s` on %s keeps its data "
			  "aside and joins afresh",
			  s->me->n_voters, s->me->n_voters == 1 ? "" : "s", me,
			  scene_incarnation(s->me), me);
	else
		scene_say(
			s, ACT_START,
			"learner by its own data: starts and catches up. If no member knows it any "
			"more: `phoenix abandon %s` on %s keeps the data aside and joins afresh",
			scene_incarnation(s->me), me);
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
