/* See route_rules.h. */
#include "phoenix-job/route_rules.h"

#include "lib/str.h"

#include <stdio.h>

const char *route_pool_name(enum route_pool p)
{
	static const char *const names[] = { "session", "rw", "ro1", "ro2" };

	return names[p];
}

static const struct route_pod *pod_of_uid(const struct route_world *w, const char *uid)
{
	for (int i = 0; *uid && i < w->n; i++)
		if (str_eq(w->pods[i].uid, uid))
			return &w->pods[i];
	return NULL;
}

/* What it said can still be relied on when at most SILENT looks were not answered since. */
static bool tells(const struct route_world *w, const struct route_pod *p, int silent)
{
	return p->server.told && p->server.silent <= silent &&
	       w->now - p->server.told_at <= ROUTE_FRESH_MS;
}

static bool is_ours(const struct route_world *w, const struct route_pod *p)
{
	return *w->system && str_eq(p->server.system, w->system);
}

/* Data of a later term than the Lease's: it is the Lease that is old, from a server that lags or an
 * operator's snapshot. */
static const struct route_pod *ahead_of_lease(const struct route_world *w)
{
	for (int i = 0; i < w->n; i++)
		if (tells(w, &w->pods[i], 1) && is_ours(w, &w->pods[i]) &&
		    w->pods[i].server.term > w->lease.term)
			return &w->pods[i];
	return NULL;
}

static const struct route_pod *no_primary(char why[ROUTE_WHY], const char *pod, const char *what)
{
	snprintf(why, ROUTE_WHY, "no primary: %s%s", pod, what);
	return NULL;
}

const struct route_pod *route_primary(const struct route_world *w, char why[ROUTE_WHY])
{
	const struct route_pod *p = pod_of_uid(w, w->lease.uid), *ahead = ahead_of_lease(w);

	if (!w->lease.known)
		return no_primary(why, "", "the Lease has not been seen yet");
	if (!*w->system)
		return no_primary(why, "", "the system identifier is not known yet");
	if (!*w->lease.uid)
		return no_primary(why, "", "nobody holds the Lease");
	if (!p)
		return no_primary(why, "", "the holder of the Lease is no pod of today");
	if (ahead)
		return no_primary(why, ahead->name, " has data of a later term than the Lease's");
	if (!tells(w, p, 1))
		return no_primary(why, p->name,
				  p->server.told ? " does not answer" : " lets nobody in yet");
	if (!is_ours(w, p))
		return no_primary(why, p->name, " has another system identifier");
	if (p->server.recovery)
		return no_primary(why, p->name, " is in recovery");
	if (p->server.term != w->lease.term)
		return no_primary(why, p->name, " has not begun the Lease's term");
	snprintf(why, ROUTE_WHY, "%s is the primary of term %lld", p->name,
		 (long long)w->lease.term);
	return p;
}

static void point(struct route_target *t, const struct route_pod *p)
{
	*t = (struct route_target){ 0 };
	if (!p || !*p->address)
		return;
	memcpy(t->pod, p->name, sizeof t->pod);
	memcpy(t->uid, p->uid, sizeof t->uid);
	memcpy(t->address, p->address, sizeof t->address);
}

/* Still the pod that it was when the pool was pointed there. */
static const struct route_pod *pod_at(const struct route_world *w, const struct route_target *t)
{
	const struct route_pod *p = pod_of_uid(w, t->uid);

	return p && str_eq(p->address, t->address) ? p : NULL;
}

/* --- rw --- */

/* Statements under way are left to their end unless it is known that they lead nowhere: those of a
 * server that is cut off end by the time limits of TCP. */
static bool leads_nowhere(const struct route_world *w, const struct route_target *at)
{
	const struct route_pod *p = pod_at(w, at);

	if (!*at->address)
		return false;
	return !p || (tells(w, p, 0) &&
		      (p->server.recovery || !is_ours(w, p) || p->server.term < w->lease.term));
}

static void decide_rw(struct route_state *s, const struct route_world *w,
		      struct route_wish ret[ROUTE_POOLS])
{
	struct route_wish *rw = &ret[ROUTE_RW];
	const struct route_target *at = &s->at[ROUTE_RW];
	const struct route_pod *primary = route_primary(w, rw->why);

	point(&rw->to, primary);
	/* whatever it was before: the others' permits have ended */
	rw->kill = primary ? pod_at(w, at) != primary : leads_nowhere(w, at);
	ret[ROUTE_SESSION] = *rw;
	/* PAUSE would wait for whole sessions to end */
	if (s->paused) {
		point(&ret[ROUTE_SESSION].to, NULL);
		snprintf(ret[ROUTE_SESSION].why, ROUTE_WHY, "waits for the planned move");
	}
}

/* --- a planned move --- */

/* Before this program was started a request may have been acknowledged, given up, or forgotten: what
 * is there already at the first look is not taken part in, and whoever asked gets no answer. */
static void see_move(struct route_state *s, const struct route_world *w)
{
	if (!w->moves_known)
		return;
	if (!str_eq(s->move, w->move.id)) {
		memcpy(s->move, w->move.id, sizeof s->move);
		s->move_since = w->now;
		s->takes_part = s->moves_known;
	}
	s->moves_known = true;
}

static bool move_counts(const struct route_state *s, const struct route_world *w)
{
	return s->takes_part && *w->move.id && w->move.term == w->lease.term &&
	       w->move.phase != ROUTE_NO_MOVE && w->move.phase != ROUTE_OVER &&
	       w->now - s->move_since < w->move.seconds * 1000;
}

/* Clients wait from the request on until a primary is verified again, or until the deadline. */
static void decide_pause(struct route_state *s, const struct route_world *w)
{
	char why[ROUTE_WHY];
	/* another request, or none, is the end of this one */
	bool over = !str_eq(s->paused_for, w->move.id) ||
		    w->now - s->move_since >= w->move.seconds * 1000;

	if (!s->paused && move_counts(s, w) && w->move.phase == ROUTE_PAUSE) {
		s->paused = true;
		s->paused_term = w->lease.term;
		memcpy(s->paused_for, w->move.id, sizeof s->paused_for);
	} else if (s->paused &&
		   (over || ((w->lease.term != s->paused_term || w->move.phase == ROUTE_OVER) &&
			     route_primary(w, why)))) {
		s->paused = false;
	}
}

/* --- ro1, ro2 --- */

/* The pod that a ro pool belongs to: the first or second of those that are not the holder. */
static const struct route_pod *standby_of(const struct route_world *w, enum route_pool pool)
{
	int nth = pool - ROUTE_RO1;

	for (int i = 0; i < w->n; i++)
		if (!str_eq(w->pods[i].uid, w->lease.uid) && nth-- == 0)
			return &w->pods[i];
	return NULL;
}

static bool streams_from(const struct route_pod *primary, const struct route_pod *p)
{
	for (int i = 0; i < primary->server.n_standbys; i++)
		if (str_eq(primary->server.standbys[i], p->address))
			return true;
	return false;
}

/* Why it must not be read; NULL: it may. */
static const char *unfit(const struct route_world *w, const struct route_pod *primary,
			 const struct route_pod *p)
{
	const struct route_server *v = &p->server;

	if (!tells(w, p, 0))
		return v->told ? "does not answer" : "may not be read";
	if (!is_ours(w, p))
		return "has another system identifier";
	if (!v->recovery)
		return "is no standby";
	if (v->term != w->lease.term || v->timeline != primary->server.timeline)
		return "is on an old timeline";
	if (!v->streams || !streams_from(primary, p))
		return "does not stream from the primary";
	if (v->position < w->floor)
		return "lags";
	return NULL;
}

/* In a move both are read from the pod that becomes the primary: the other one is about to change
 * its upstream. Once there they stay while it answers, also when the old primary is down. */
static const struct route_pod *move_target(const struct route_state *s, const struct route_world *w,
					   const struct route_pod *primary, enum route_pool pool)
{
	for (int i = 0; i < w->n; i++) {
		const struct route_pod *p = &w->pods[i];

		if (!str_eq(p->name, w->move.to))
			continue;
		if (primary ? !unfit(w, primary, p)
			    : str_eq(s->at[pool].uid, p->uid) && tells(w, p, 0))
			return p;
	}
	return NULL;
}

/* Which pod's standby is read, if any. */
static const struct route_pod *read_from(struct route_state *s, const struct route_world *w,
					 enum route_pool pool, char why[ROUTE_WHY])
{
	char none[ROUTE_WHY];
	const struct route_pod *primary = route_primary(w, none), *p = standby_of(w, pool), *to;
	const char *problem = primary && p ? unfit(w, primary, p) : "";

	if (problem)
		s->fit_since[pool] = 0;
	else if (!s->fit_since[pool])
		s->fit_since[pool] = w->now;
	to = move_counts(s, w) ? move_target(s, w, primary, pool) : NULL;
	if (to) {
		snprintf(why, ROUTE_WHY, "%s becomes the primary", to->name);
		return to;
	}
	if (problem) {
		if (*problem)
			snprintf(why, ROUTE_WHY, "%s %s", p->name, problem);
		return NULL;
	}
	if (!str_eq(s->at[pool].uid, p->uid) && w->now - s->fit_since[pool] < ROUTE_FIT_MS) {
		snprintf(why, ROUTE_WHY, "%s has just become fit", p->name);
		return NULL;
	}
	snprintf(why, ROUTE_WHY, "%s streams from %s", p->name, primary->name);
	return p;
}

static void decide_ro(struct route_state *s, const struct route_world *w, enum route_pool pool,
		      struct route_wish *wish, const struct route_wish *rw)
{
	const struct route_target *at = &s->at[pool];
	struct route_target *left = &s->left[pool];
	const struct route_pod *p = NULL, *old;

	*wish = (struct route_wish){ .to = rw->to };
	memcpy(wish->why, rw->why, sizeof wish->why);
	if (w->standbys_read)
		p = read_from(s, w, pool, wish->why);
	if (p)
		point(&wish->to, p);
	if (*at->address && !str_eq(at->uid, wish->to.uid))
		*left = *at;
	/* what a dead server was asked is never answered; a lagging one may finish */
	old = pod_at(w, left);
	wish->kill = *left->address && !(old && tells(w, old, 1));
	if (wish->kill)
		point(left, NULL);
}

void route_decide(struct route_state *s, const struct route_world *world,
		  struct route_wish ret[ROUTE_POOLS])
{
	struct route_world w = *world;

	/* terms only grow: an older Lease than one that was seen comes from a server that lags */
	if (w.lease.known && (!s->lease.known || w.lease.term >= s->lease.term))
		s->lease = w.lease;
	w.lease = s->lease;
	see_move(s, &w);
	decide_pause(s, &w);
	memset(ret, 0, sizeof *ret * ROUTE_POOLS);
	decide_rw(s, &w, ret);
	decide_ro(s, &w, ROUTE_RO1, &ret[ROUTE_RO1], &ret[ROUTE_RW]);
	decide_ro(s, &w, ROUTE_RO2, &ret[ROUTE_RO2], &ret[ROUTE_RW]);
	ret[ROUTE_RW].paused = s->paused;
	for (int i = 0; i < ROUTE_POOLS; i++)
		s->at[i] = ret[i].to;
}
