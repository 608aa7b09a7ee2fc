/* See pg_core.h. Here: the Lease, permits, and what PostgreSQL is to do. */
#include "phoenix-job/pg_core.h"

#include "phoenix-job/pg_core_internal.h"

#include "lib/str.h"

#include <stdio.h>
#include <string.h>

#ifndef PG_MUTANTS
const
#endif
	struct pg_times pg_times = { .lease_ms = 5000,
				     .fence_ms = 4500,
				     .renew_ms = 750,
				     .promise_ms = 5000,
				     .margin_ms = 500 };

#ifdef PG_MUTANTS
unsigned pg_removed;
#endif

int pg_place_compare(struct pg_place a, struct pg_place b)
{
	if (a.recorded != b.recorded)
		return a.recorded < b.recorded ? -1 : 1;
	return a.position < b.position ? -1 : a.position > b.position;
}

static void copy_holder(char to[PG_HOLDER_LEN], const char *from)
{
	snprintf(to, PG_HOLDER_LEN, "%s", from);
}

void pg_core_start(struct pg_core *c, int self, enum pg_mode mode, int64_t now, const char *holder,
		   const struct pg_vote *vote)
{
	*c = (struct pg_core){ .self = self, .mode = mode, .started = now };
	c->asked = c->sent = now - pg_times.renew_ms;
	copy_holder(c->holder, holder);
	if (PG_RULE(PG_RULE_VOTE_KEPT))
		c->vote = *vote;
}

bool pg_core_may_write(const struct pg_core *c, int64_t now)
{
	return now < c->permit_until;
}

/* What is promoted begins without any. */
static void forget_names(struct pg_core *c)
{
	memset(c->names, 0, sizeof c->names);
	memset(c->watched, 0, sizeof c->watched);
	c->names_set = false;
}

/* Whatever made it end: what comes after it is another holder. */
static void end_holding(struct pg_core *c)
{
	c->holds = c->voted_us = c->recorded = false;
	c->permit_until = 0;
	c->need_holder = true;
	forget_names(c);
}

void pg_core_expire(struct pg_core *c, int64_t now)
{
	if (c->holds && now >= c->held_from + pg_times.fence_ms && now >= c->permit_until)
		end_holding(c);
}

static bool is_primary(const struct pg_core *c)
{
	return c->server == PG_PRIMARY && c->holds && c->place.term == c->seen.term;
}

#define NUMBERS 1000000 /* of a term */

/* The data says that nothing older than this record counts. */
static bool is_marked(const struct pg_core *c)
{
	return c->recorded && c->place.recorded >= c->seen.record.number;
}

/* --- sync: for whom commits wait --- */

/* Has all that was acknowledged: each commit has waited for it since watched_from, and it has
 * what was there before. */
static bool is_safe(const struct pg_core *c, int i)
{
	return c->names[i] && c->watched[i] && c->flushed[i] >= c->watched_from[i];
}

static bool is_given_up(const struct pg_core *c, int i)
{
	if (c->streams[i])
		return false;
	for (int k = 0; k < PG_PODS; k++)
		if (k != i && k != c->self && c->streams[k] && is_safe(c, k))
			return true;
	return false;
}

static void name(struct pg_core *c, int i, bool yes)
{
	c->names[i] = yes;
	c->watched[i] = false;
	c->names_set = false;
}

/* Or may come to stand in it: by a write on its way, or one whose answer was lost. */
static bool in_record(const struct pg_core *c, int i)
{
	return (c->recorded && c->seen.record.eligible[i]) || c->pending[i];
}

static void follow_names(struct pg_core *c)
{
	bool any = false;

	for (int i = 0; i < PG_PODS; i++) {
		any |= c->names[i];
		if (c->names[i] && c->names_set && !c->watched[i]) {
			c->watched[i] = true;
			c->watched_from[i] = c->place.position;
		}
	}
	for (int i = 0; i < PG_PODS; i++) {
		if (c->names[i] && is_given_up(c, i) &&
		    !(PG_RULE(PG_RULE_UNRECORD) && (in_record(c, i) || !is_marked(c))))
			name(c, i, false);
		else if (i != c->self && !c->names[i] && c->streams[i])
			name(c, i, any = true);
	}
	if (!any) /* never none: the one that comes first will be named as well */
		name(c, c->self == 0, true);
}

/* --- the Lease --- */

static bool is_ours(const struct pg_core *c, const struct pg_lease *l)
{
	return l->exists && str_eq(l->holder, c->holder);
}

static struct pg_record own_record(const struct pg_core *c)
{
	struct pg_record r = { .known = true, .place = c->place };
	bool out = false;

	for (int i = 0; i < PG_PODS; i++) {
		if (i == c->self)
			r.eligible[i] = true;
		else if (c->mode == PG_ASYNC || !PG_RULE(PG_RULE_NAMES_FIRST))
			r.eligible[i] = c->streams[i] && c->fresh[i];
		else
			r.eligible[i] = is_safe(c, i) && !is_given_up(c, i);
		r.has[i] = i == c->self ? c->place.position : c->flushed[i];
		out |= !r.eligible[i] && in_record(c, i);
	}
	r.number = c->recorded ? c->seen.record.number : c->seen.term * NUMBERS;
	if (r.number < c->place.recorded) /* an old state of the API's, of this same term */
		r.number = c->place.recorded;
	r.number += c->recorded && out;
	return r;
}

static bool names_in_force(const struct pg_core *c)
{
	if (c->mode == PG_ASYNC)
		return true;
	for (int i = 0; i < PG_PODS; i++)
		if (c->watched[i])
			return true;
	return false;
}

/* All who come after it will know what it has. A permit that goes on was given on that ground. */
static bool is_settled(const struct pg_core *c)
{
	return is_primary(c) && names_in_force(c) &&
	       (is_marked(c) || c->permit_until || !PG_RULE(PG_RULE_MARK));
}

static void write_lease(struct pg_core *c, struct pg_wish *w, const struct pg_lease *l)
{
	w->write_lease = true;
	w->lease = c->written = *l;
	for (int i = 0; i < PG_PODS; i++)
		c->pending[i] |= l->record.eligible[i];
}

static void renew(struct pg_core *c, struct pg_wish *w)
{
	struct pg_lease l = c->seen;

	if (!l.exists) { /* somebody deleted it */
		int64_t term = l.term;
		struct pg_record record = l.record;

		l = (struct pg_lease){ .exists = true, .term = term, .record = record };
		copy_holder(l.holder, c->holder);
	}
	l.renewals++;
	if (is_primary(c) && names_in_force(c))
		l.record = own_record(c);
	write_lease(c, w, &l);
}

static void take(struct pg_core *c, struct pg_wish *w)
{
	struct pg_lease l = c->seen;

	l.exists = true;
	l.released = false;
	copy_holder(l.holder, c->holder);
	l.term = 1 + (PG_RULE(PG_RULE_NEW_TERM) ? pg_core_highest(c) : c->seen.term);
	l.renewals++;
	write_lease(c, w, &l);
}

static void release(struct pg_core *c, struct pg_wish *w)
{
	struct pg_lease l = c->seen;

	l.holder[0] = 0;
	l.released = true;
	l.renewals++;
	c->permit_until = 0;
	write_lease(c, w, &l);
}

/* It was the primary, and is none any more: PostgreSQL ended, and does not come back here. */
static bool is_to_release(const struct pg_core *c, int64_t now)
{
	bool gone = c->leaving || (c->restarted && now - c->restarted > 4 * pg_times.renew_ms);

	return c->holds && c->recorded && c->seen.exists && gone && c->server == PG_DOWN;
}

/* Held by this pod, in a life before: its PostgreSQL ended with it, or was ended since. The others
 * need not wait until it runs out. */
static bool is_left_over(const struct pg_core *c)
{
	size_t uid = strcspn(c->holder, "/");

	return c->seen.exists && !c->holds && c->server != PG_PRIMARY && c->holder[uid] &&
	       strncmp(c->seen.holder, c->holder, uid + 1) == 0 && !is_ours(c, &c->seen);
}

static void wish_api(struct pg_core *c, int64_t now, struct pg_wish *w)
{
	bool first = is_primary(c) && names_in_force(c) &&
		     (!c->recorded || (!c->permit_until && is_marked(c)));

	if (c->in_flight || (now - c->sent < pg_times.renew_ms && !first && !is_to_release(c, now)))
		return;
	c->in_flight = true;
	c->sent = now;
	if (!c->looked || c->unknown)
		w->read_lease = true;
	else if (is_to_release(c, now) || is_left_over(c))
		release(c, w);
	else if (c->holds && !c->need_holder)
		renew(c, w);
	else if (!c->need_holder && pg_core_may_take(c, now))
		take(c, w);
	else
		w->read_lease = true;
}

static bool is_changed(const struct pg_lease *a, const struct pg_lease *b)
{
	return a->exists != b->exists || a->term != b->term || a->renewals != b->renewals ||
	       a->released != b->released || !str_eq(a->holder, b->holder);
}

static void confirmed(struct pg_core *c, int64_t now, int64_t sent)
{
	int64_t until = (PG_RULE(PG_RULE_FENCE) ? sent : now) + pg_times.fence_ms;

	if (c->written.released) {
		end_holding(c);
		return;
	}
	if (!is_ours(c, &c->written) || c->need_holder || now >= until)
		return;
	/* promised while it was on its way */
	if (!c->holds && pg_core_has_promised(c, now))
		return;
	c->why[0] = 0;
	memset(c->pending, 0, sizeof c->pending);
	if (!c->holds) {
		c->voted_us = c->recorded = false;
		c->taken = now;
		c->restarted = 0;
	}
	c->holds = true;
	c->term = c->written.term;
	c->held_from = sent;
	if (is_primary(c) && c->written.record.known &&
	    c->written.record.place.term == c->written.term)
		c->recorded = true;
	if (is_settled(c) && (c->voted_us || !PG_RULE(PG_RULE_VOTE)))
		c->permit_until = until;
}

/* For longer than one lost answer: what was written meanwhile an old state of the API may hide. */
static bool was_away(const struct pg_core *c, int64_t now)
{
	return PG_RULE(PG_RULE_WATCHED) && now - c->looked_at > pg_times.lease_ms / 2;
}

void pg_core_api(struct pg_core *c, int64_t now, int64_t sent, const struct pg_lease *lease,
		 bool written)
{
	c->in_flight = false;
	if (PG_RULE(PG_RULE_LATE_ANSWER))
		pg_core_expire(c, now);
	if (!lease) {
		c->unknown = true;
		return;
	}
	c->unknown = false;
	if (!c->looked || is_changed(lease, &c->seen) || was_away(c, now))
		c->seen_since = now;
	c->looked = true;
	c->looked_at = now;
	if (!lease->exists && c->holds) {
		/* deleted: who holds it makes it again, as it was */
		c->seen.exists = false;
		c->seen.version = 0;
		return;
	}
	c->seen = *lease;
	if (written)
		confirmed(c, now, sent);
	else if (c->holds && (!is_ours(c, lease) || lease->term != c->term))
		end_holding(c); /* another's, or an old state of the API's */
}

/* --- PostgreSQL --- */

static void wish_server(struct pg_core *c, int64_t now, struct pg_wish *w)
{
	bool held = c->holds && now < c->held_from + pg_times.fence_ms;

	switch (c->server) {
	case PG_PRIMARY:
		c->restarted = 0;
		if (c->leaving)
			c->permit_until = 0;
		if (!is_primary(c) || c->leaving)
			w->server = PG_STOP;
		if (is_primary(c) && c->recorded && !is_marked(c))
			w->mark = c->seen.record.number;
		return;
	case PG_STANDBY:
		if (c->leaving) {
			w->server = PG_STOP;
		} else if (held && !pg_core_is_outdone(c, now) &&
			   (c->voted_us || !PG_RULE(PG_RULE_VOTE)) && !c->recorded &&
			   now + pg_times.margin_ms < c->held_from + pg_times.fence_ms) {
			w->server = PG_PROMOTE;
			forget_names(c);
			w->term = c->seen.term;
		}
		return;
	case PG_DOWN:
		if (c->leaving || is_to_release(c, now))
			return;
		if (c->recorded) {
			if (!c->restarted)
				c->restarted = now;
			w->server = PG_RESTART;
		} else {
			w->server = PG_RUN;
		}
		return;
	}
}

/* Took the Lease, and will not be the primary: it is left to run out. */
static bool is_to_give_up(const struct pg_core *c, int64_t now)
{
	bool alone =
		!c->voted_us && PG_RULE(PG_RULE_VOTE) && now - c->taken > 2 * pg_times.lease_ms;

	return (c->server == PG_STANDBY && (alone || pg_core_is_outdone(c, now))) ||
	       (c->server == PG_DOWN && c->leaving);
}

void pg_core_tick(struct pg_core *c, int64_t now, struct pg_wish *ret)
{
	*ret = (struct pg_wish){ 0 };
	pg_core_expire(c, now);
	if (c->holds && !c->recorded && is_to_give_up(c, now))
		end_holding(c);
	if (c->mode == PG_SYNC && is_primary(c)) {
		follow_names(c);
		ret->set_names = !c->names_set;
		memcpy(ret->names, c->names, sizeof ret->names);
	}
	wish_server(c, now, ret);
	wish_api(c, now, ret);
	pg_core_wish_ask(c, now, ret);
}
