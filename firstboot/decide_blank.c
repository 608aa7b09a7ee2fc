/* See decide.h: what a node without data is to do, once its own disk is known to be blank: join, or
 * form together with the others. */
#include "firstboot/decide_internal.h"

#include "lib/str.h"

/* Every other node must be known to have nothing before anything may form. */
static bool others_are_blank(struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->views[i];

		if (i == s->self)
			continue;
		if (v->answered && has_data(v) && RULE(RULE_NO_DATA_ELSEWHERE)) {
			scene_say(s, ACT_WAIT,
				  "%s has cluster data but %s: waits to join it. If most of that "
				  "cluster's voters are lost: `phoenix recover --keep %s`; if all "
				  "of its data is to be given up: `phoenix abandon %s` on %s",
				  s->names[i],
				  v->api_ready ? "of an older generation than this disk has seen"
					       : "its API is not ready",
				  s->names[i], scene_incarnation(v), s->names[i]);
			return false;
		}
		if (v->answered && v->state == NODE_UNKNOWN) {
			scene_say(s, ACT_WAIT, "%s cannot read its own data disk", s->names[i]);
			return false;
		}
		if (!v->answered && !scene_is_missing(s, i) && RULE(RULE_BLANK_IS_POSITIVE)) {
			scene_say(s, ACT_WAIT,
				  "waits for %s: no answer. Forming needs every node's word; if it "
				  "is destroyed: `phoenix form --with-missing %s`",
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
		scene_say(s, ACT_STOP,
			  "the disk of %s belonged to incarnation %s, whose data is not there: a "
			  "new cluster would be empty. Restore it, or give it up: `phoenix abandon "
			  "%s` on %s",
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

		scene_say(s, ACT_STOP,
			  "%s has promised %s and nobody else; if that node never formed or its "
			  "disk is gone: `phoenix forget %s` on %s",
			  s->names[other], s->names[p->node], p->formation, s->names[other]);
		return;
	}
	if (lacking && RULE(RULE_ALL_PROMISE)) {
		scene_say(s, ACT_ASK_PROMISES,
			  "asks %d node%s for the promise to form nothing else", lacking,
			  lacking == 1 ? "" : "s");
		return;
	}
	scene_say(s, ACT_FORM, "all nodes are blank and promised: forms the cluster");
}

void decide_blank(struct scene *s)
{
	int peer = scene_first_to_follow(s), first = 0;

	if (peer >= 0) {
		for (int i = peer + 1; i < NODE_COUNT; i++) {
			if (!scene_may_follow(s, i) ||
			    str_eq(s->views[i].cluster, s->views[peer].cluster))
				continue;
			scene_say(s, ACT_STOP,
				  "%s and %s run and belong to different clusters: joins neither. "
				  "Give one up: `phoenix abandon %s` on %s, or `phoenix abandon "
				  "%s` on %s",
				  s->names[peer], s->names[i], scene_incarnation(&s->views[peer]),
				  s->names[peer], scene_incarnation(&s->views[i]), s->names[i]);
			return;
		}
		s->out->through = peer;
		scene_say(s, ACT_JOIN, "joins the cluster through %s", s->names[peer]);
		return;
	}
	if (!others_are_blank(s) || markers_forbid(s))
		return;
	/* Also when a blank machine has come in its place: the word was to form without it. */
	while (first < NODE_COUNT - 1 && first != s->self && s->words->missing[first])
		first++;
	if (s->self != first && RULE(RULE_FIRST_FORMS)) {
		scene_say(s, ACT_WAIT, "%s forms the cluster; waits until it is ready to be joined",
			  s->names[first]);
		return;
	}
	gather_promises(s);
}
