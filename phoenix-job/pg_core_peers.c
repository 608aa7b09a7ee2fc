/* See pg_core.h. Here: what pods ask each other, and who may take the Lease. */
#include "phoenix-job/pg_core_internal.h"

#include "lib/str.h"

const char *pg_rule_name(enum pg_rule r)
{
	static const char *const names[PG_RULE_COUNT] = {
		[PG_RULE_EXPIRY] = "EXPIRY",
		[PG_RULE_WATCHED] = "WATCHED",
		[PG_RULE_OLD_RELEASE] = "OLD_RELEASE",
		[PG_RULE_FENCE] = "FENCE",
		[PG_RULE_LATE_ANSWER] = "LATE_ANSWER",
		[PG_RULE_VOTE] = "VOTE",
		[PG_RULE_ONE_VOTE] = "ONE_VOTE",
		[PG_RULE_VOTE_KEPT] = "VOTE_KEPT",
		[PG_RULE_PROMISE_KEPT] = "PROMISE_KEPT",
		[PG_RULE_PROMISE_SENT] = "PROMISE_SENT",
		[PG_RULE_SILENCE] = "SILENCE",
		[PG_RULE_KNOWN] = "KNOWN",
		[PG_RULE_BETTER] = "BETTER",
		[PG_RULE_ELIGIBLE] = "ELIGIBLE",
		[PG_RULE_NEW_TERM] = "NEW_TERM",
		[PG_RULE_NAMES_FIRST] = "NAMES_FIRST",
		[PG_RULE_UNRECORD] = "UNRECORD",
		[PG_RULE_MARK] = "MARK",
		[PG_RULE_OLD_RECORD] = "OLD_RECORD",
		[PG_RULE_ABSENT] = "ABSENT",
	};

	return names[r];
}

static bool is_silent(const struct pg_core *c, int64_t now)
{
	return PG_RULE(PG_RULE_SILENCE) && now - c->started < pg_times.promise_ms;
}

bool pg_core_has_promised(const struct pg_core *c, int64_t now)
{
	return PG_RULE(PG_RULE_PROMISE_KEPT) && now < c->promised_until;
}

static bool is_known(bool known)
{
	return known || !PG_RULE(PG_RULE_KNOWN);
}

/* Heard of so lately that it still is so. */
static bool is_heard(const struct pg_core *c, int i, int64_t now)
{
	return c->heard[i] && now - c->heard[i] < 4 * pg_times.renew_ms;
}

int64_t pg_core_highest(const struct pg_core *c)
{
	int64_t term = c->seen.term;

	if (c->place.term > term)
		term = c->place.term;
	if (c->vote.term > term)
		term = c->vote.term;
	for (int i = 0; i < PG_PODS; i++)
		if (c->heard[i] && c->peers[i].term > term)
			term = c->peers[i].term;
	return term;
}

static bool refuse(struct pg_core *c, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
	return false;
}

/* Is nobody's any more. One that was released may be taken at once, unless what we know of is newer
 * (an old state of the API came back). */
static bool is_free(const struct pg_core *c, int64_t now)
{
	if (c->seen.exists && c->seen.released &&
	    (c->seen.term >= pg_core_highest(c) || !PG_RULE(PG_RULE_OLD_RELEASE)))
		return true;
	return !PG_RULE(PG_RULE_EXPIRY) ||
	       now - c->seen_since >= pg_times.lease_ms + pg_times.lease_ms / 10;
}

/* May what pod I has be promoted on the ground of R? */
static bool is_covered(const struct pg_core *c, const struct pg_record *r, int i,
		       struct pg_place place)
{
	if (place.term < r->place.term)
		return false;
	if ((r->eligible[i] && place.position >= r->has[i]) || !PG_RULE(PG_RULE_ELIGIBLE))
		return true;
	/* async: it has come as far since */
	return c->mode == PG_ASYNC && place.term == r->place.term &&
	       place.position >= r->place.position;
}

/* The record, unless there is data that is newer: then an old state of the API came back. */
static bool has_record(const struct pg_core *c, int64_t now)
{
	const struct pg_record *r = &c->seen.record;

	if (!PG_RULE(PG_RULE_OLD_RECORD))
		return r->known;
	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && is_heard(c, i, now) && c->peers[i].place.recorded > r->number)
			return false;
	return r->known && c->place.recorded <= r->number;
}

/* Whose data is further than PLACE, and could be promoted itself. */
static bool is_ahead(const struct pg_core *c, const struct pg_record *r, int i,
		     struct pg_place theirs, struct pg_place place)
{
	return PG_RULE(PG_RULE_BETTER) && pg_place_compare(theirs, place) > 0 &&
	       (!r->known || theirs.recorded > r->number || is_covered(c, r, i, theirs));
}

static bool is_eligible(struct pg_core *c, int64_t now)
{
	if (has_record(c, now))
		return is_covered(c, &c->seen.record, c->self, c->place) ||
		       refuse(c,
			      "the last primary did not record that this pod's data is complete");
	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && PG_RULE(PG_RULE_ABSENT) &&
		    !(is_heard(c, i, now) && is_known(c->peers[i].known)))
			return refuse(
				c, "no record is there: all three pods have to say what they have");
	return true;
}

bool pg_core_is_outdone(const struct pg_core *c, int64_t now)
{
	static const struct pg_record none;
	const struct pg_record *r = has_record(c, now) ? &c->seen.record : &none;

	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && is_heard(c, i, now) &&
		    is_ahead(c, r, i, c->peers[i].place, c->place))
			return true;
	return false;
}

bool pg_core_may_take(struct pg_core *c, int64_t now)
{
	if (c->server != PG_STANDBY || c->leaving || c->place.term == 0)
		return refuse(c, "no standby runs here");
	if (!is_known(c->place_known))
		return refuse(c, "what the volume holds is not known yet");
	if (!is_free(c, now))
		return refuse(c, "the Lease is held");
	if (is_silent(c, now))
		return refuse(c, "has just started, and may have promised before");
	if (pg_core_has_promised(c, now))
		return refuse(c, "has promised the primary not to");
	if (!is_eligible(c, now))
		return false;
	if (pg_core_is_outdone(c, now))
		return refuse(c, "another pod's data is further");
	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && is_heard(c, i, now))
			return true;
	return refuse(c, "no other pod is heard");
}

/* --- questions --- */

void pg_core_wish_ask(struct pg_core *c, int64_t now, struct pg_wish *w)
{
	struct pg_ask *q = &w->question;
	/* just taken: nothing goes on before somebody has voted */
	bool first = c->holds && c->server == PG_STANDBY && !c->voted_us && c->asked < c->taken;

	if (now - c->asked < pg_times.renew_ms && !first)
		return;
	c->asked = now;
	*q = (struct pg_ask){ .from = c->self, .term = c->seen.term, .place = c->place };
	snprintf(q->holder, sizeof q->holder, "%s", c->holder);
	if (c->holds && c->server == PG_STANDBY && !c->voted_us)
		q->what = PG_VOTE, q->record = c->seen.record;
	else if (c->holds && c->recorded && c->server != PG_STANDBY &&
		 now - c->held_from >= 2 * pg_times.renew_ms)
		q->what = PG_PROMISE;
	for (int i = 0; i < PG_PODS; i++)
		w->ask[i] = i != c->self;
}

static bool may_vote(const struct pg_core *c, int64_t now, const struct pg_ask *q)
{
	if (!is_known(c->place_known) || is_silent(c, now) || pg_core_has_promised(c, now) ||
	    c->holds || c->server == PG_PRIMARY)
		return false;
	if (PG_RULE(PG_RULE_ONE_VOTE) && q->term <= c->vote.term &&
	    !(q->term == c->vote.term && str_eq(q->holder, c->vote.holder)))
		return false;
	return !is_ahead(c, &q->record, c->self, c->place, q->place);
}

void pg_core_ask(struct pg_core *c, int64_t now, const struct pg_ask *q, struct pg_answer *ret)
{
	pg_core_expire(c, now);
	*ret = (struct pg_answer){ .known = c->place_known,
				   .place = c->place,
				   .server = c->server };
	if (q->what == PG_VOTE && may_vote(c, now, q)) {
		ret->yes = true;
		c->vote.term = q->term;
		snprintf(c->vote.holder, sizeof c->vote.holder, "%s", q->holder);
	}
	/* who has voted since for another promises nothing to the one before */
	if (q->what == PG_PROMISE && !c->holds && c->server != PG_PRIMARY &&
	    q->term >= c->vote.term) {
		ret->yes = true;
		c->promised_until = now + pg_times.promise_ms;
	}
	ret->term = c->place.term > c->vote.term ? c->place.term : c->vote.term;
}

void pg_core_answer(struct pg_core *c, int64_t now, int64_t sent, int peer, const struct pg_ask *q,
		    const struct pg_answer *a)
{
	int64_t until = (PG_RULE(PG_RULE_PROMISE_SENT) ? sent : now) + pg_times.promise_ms -
			pg_times.margin_ms;

	if (PG_RULE(PG_RULE_LATE_ANSWER))
		pg_core_expire(c, now);
	c->heard[peer] = sent;
	c->peers[peer] = *a;
	if (!a->yes || !c->holds || !str_eq(q->holder, c->holder) || q->term != c->seen.term)
		return;
	if (q->what == PG_VOTE)
		c->voted_us = true;
	else if (q->what == PG_PROMISE && until > c->permit_until &&
		 (c->permit_until || !PG_RULE(PG_RULE_LATE_ANSWER)))
		c->permit_until = until;
}
