/* Stories of permits, promises, votes and old states: two pods write. */
#include "tests/sim-db/stories.h"

/* The last renewal of a primary is confirmed late, and then it is alone. */
void late_renewal(struct world *w)
{
	int p = w->cast[0];
	struct message *m;

	if (w->scene == 0) {
		w->idle = true; /* until all have the same */
		next_scene(w, 500 + below(w, 500));
	} else if (w->scene == 1) {
		m = travelling(w, API_ANSWER, p);
		if (!m || !m->written)
			return;
		m->at = w->now + 850 + below(w, 80);
		for (int k = 0; k < PG_PODS; k++)
			set_link(w, p, k, false);
		next_scene(w, 0);
	} else if (w->scene == 2 && !travelling(w, API_ANSWER, p)) {
		w->idle = false;
		cut_off(w, p);
		next_scene(w, AWAY);
	}
}

/* A promise arrives long after it was asked for, and is the last. */
void late_promise(struct world *w)
{
	int p = w->cast[0], q = w->cast[1];
	struct message *m;

	if (w->scene == 0) {
		w->pods[p].api = false;
		set_link(w, p, w->cast[2], false);
		next_scene(w, 0);
	} else if (w->scene == 1) {
		m = travelling(w, PEER_ANSWER, p);
		if (!m || m->q.what != PG_PROMISE || !m->a.yes)
			return;
		m->at = w->now + 3000 + below(w, 1400);
		w->linked[p][q] = false;
		next_scene(w, AWAY);
	}
}

/* A write of the old primary waits on its way until an old state has come back in which it fits;
 * the primary stands still meanwhile. */
void late_answer(struct world *w)
{
	int p = w->cast[0];
	struct message *m;

	if (w->scene == 0) {
		cut_off(w, p);
		next_scene(w, 1200 + below(w, 300));
	} else if (w->scene == 1) {
		w->pods[p].api = true;
		m = travelling(w, API_WRITE, p);
		if (!m || m->lease.version != w->version)
			return;
		keep_state(w);
		m->at = w->now + AWAY;
		w->pods[p].paused = true;
		w->pods[p].until = w->now + AWAY;
		next_scene(w, 0);
	} else if (w->scene == 2 && w->acked_by != p) {
		restore(w);
		m = travelling(w, API_WRITE, p);
		if (m)
			m->at = w->now;
		next_scene(w, 0);
	} else if (w->scene == 3) {
		m = travelling(w, API_ANSWER, p);
		if (!m)
			return;
		m->at = w->now;
		w->pods[p].paused = false;
		next_scene(w, AWAY);
	}
}

/* Who did not reach the API for a while finds it as it was: renewals in between are forgotten. */
void unseen_renewals(struct world *w)
{
	int p = w->cast[0], q = w->cast[1], t = w->cast[2];

	if (w->scene == 0) {
		w->idle = true; /* until all have the same */
		next_scene(w, 500);
	} else if (w->scene == 1 && w->pods[t].core.seen.renewals == w->lease.renewals) {
		keep_state(w);
		w->pods[t].api = w->pods[q].api = false;
		next_scene(w, 4500 + below(w, 1000));
	} else if (w->scene == 2) {
		cut_off(w, p);
		restore(w);
		w->pods[t].api = true;
		w->idle = false;
		next_scene(w, AWAY);
	}
}

/* A state comes back in which the Lease was released, a term ago. */
void old_release(struct world *w)
{
	if (w->scene == 0) {
		w->pods[w->cast[0]].core.leaving = true;
		next_scene(w, 0);
	} else if (w->scene == 1 && w->lease.released) {
		keep_state(w);
		next_scene(w, 0);
	} else if (w->scene == 2 && is_steady(w)) {
		w->idle = true;
		next_scene(w, 1500);
	} else if (w->scene == 3) {
		cut_off(w, w->cast[0]);
		restore(w);
		w->idle = false;
		next_scene(w, AWAY);
	}
}

/* The first scenes of both stories of votes: 0 released the Lease, 1 takes it by the vote of 0,
 * which is all that anybody hears of this; 2 knows nothing. */
static void promoted_in_secret(struct world *w)
{
	int p = w->cast[0], q = w->cast[1], t = w->cast[2];
	struct message *m;

	if (w->scene == 0) {
		w->idle = true; /* until all have the same */
		next_scene(w, 1000);
	} else if (w->scene == 1) {
		w->pods[p].core.leaving = true;
		set_link(w, q, t, false);
		w->pods[t].api = false;
		next_scene(w, 0);
	} else if (w->scene == 2 && w->lease.released) {
		keep_state(w);
		next_scene(w, 50);
	} else if (w->scene == 3 && !w->pods[p].on) {
		w->pods[p].until = w->now;
		next_scene(w, 0);
	} else if (w->scene == 4 && w->lease.term > w->snapshot.term) {
		w->pods[t].api = true;
		next_scene(w, 0);
	} else if (w->scene == 5) {
		m = travelling(w, PEER_ANSWER, q);
		if (m && m->a.yes)
			set_link(w, p, t, false);
		if (!w->pods[q].core.voted_us)
			return;
		set_link(w, p, q, false);
		w->idle = false;
		next_scene(w, 0);
	}
}

/* An old state comes back: another candidate of the same term asks the same voter. */
void two_candidates(struct world *w)
{
	int t = w->cast[2];

	promoted_in_secret(w);
	if (w->scene == 6 && w->acked_by == w->cast[1]) {
		cut_off(w, w->cast[1]);
		restore(w);
		next_scene(w, 0);
	} else if (w->scene == 7 && w->pods[t].core.holds) {
		set_link(w, w->cast[0], t, true);
		next_scene(w, AWAY);
	}
}

/* The same, with a voter that was restarted. */
void forgotten_vote(struct world *w)
{
	promoted_in_secret(w);
	if (w->scene == 6 && w->acked_by == w->cast[1]) {
		turn_off(w, w->cast[0], 0);
		next_scene(w, 7000);
	} else if (w->scene == 7) {
		set_link(w, w->cast[0], w->cast[2], true);
		next_scene(w, 1000);
	} else if (w->scene == 8) {
		cut_off(w, w->cast[1]);
		restore(w);
		next_scene(w, AWAY);
	}
}

/* A primary asks for a promise and stands still; who was asked votes for another, is restarted, and
 * only then hears the question. The answer meets the primary before it looks at its clock. */
void promised_after_vote(struct world *w)
{
	int p = w->cast[0], q = w->cast[1], t = w->cast[2];
	struct message *m;

	if (w->scene == 0) {
		w->idle = true;
		next_scene(w, 500);
	} else if (w->scene == 1) {
		cut_off(w, p);
		w->pods[q].api = false;
		next_scene(w, 4500 + below(w, 500));
	} else if (w->scene == 2) {
		m = travelling(w, PEER_ASK, q);
		if (!m || m->from != p || m->q.what != PG_PROMISE)
			return;
		m->at = w->now + AWAY;
		w->pods[p].paused = true;
		w->pods[p].until = w->now + AWAY;
		w->idle = false;
		next_scene(w, 100);
	} else if (w->scene == 3 && w->pods[t].core.voted_us) {
		turn_off(w, q, 0);
		next_scene(w, 0);
	} else if (w->scene == 4 && w->acked_by == t && w->pods[q].on) {
		set_link(w, p, q, true);
		m = travelling(w, PEER_ASK, q);
		while (m && m->from != p)
			m->used = false, m = travelling(w, PEER_ASK, q);
		if (m)
			m->at = w->now;
		next_scene(w, 0);
	} else if (w->scene == 5) {
		m = travelling(w, PEER_ANSWER, p);
		if (!m || m->q.what != PG_PROMISE)
			return;
		m->at = w->now;
		w->pods[p].paused = false;
		next_scene(w, AWAY);
	}
}

/* Who has promised is restarted, and asked for its vote. */
void forgotten_promise(struct world *w)
{
	int p = w->cast[0];

	if (w->scene == 0) {
		w->idle = true;
		next_scene(w, 500);
	} else if (w->scene == 1) {
		w->pods[p].api = false;
		set_link(w, p, w->cast[2], false);
		next_scene(w, 6500 + below(w, 1500));
	} else if (w->scene == 2) {
		w->idle = false;
		set_link(w, p, w->cast[1], false);
		turn_off(w, w->cast[1], 0);
		next_scene(w, AWAY);
	}
}
