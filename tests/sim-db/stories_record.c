/* Stories of records and marks: what was acknowledged is lost, or nobody goes on. */
#include "tests/sim-db/stories.h"

#include <stddef.h>

static bool lacks(const struct world *w, int i)
{
	for (int id = 1; id < w->next_id; id++)
		if (w->acked[id] && !volume_has(&w->pods[i].volume, id))
			return true;
	return false;
}

/* A standby is recorded that lacks a commit; who has it dies, and who voted is empty. */
void named_late(struct world *w)
{
	int p = w->cast[0], t = w->cast[2];

	if (w->scene == 0) {
		turn_off(w, t, 3000);
		next_scene(w, 0);
	} else if (w->scene == 1 && !w->lease.record.eligible[t]) {
		next_scene(w, 0);
	} else if (w->scene == 2 && w->lease.record.eligible[t]) {
		if (!lacks(w, t)) {
			w->scene = 0;
			return;
		}
		empty(w, p);
		turn_off(w, w->cast[1], AWAY);
		next_scene(w, AWAY);
	}
}

/* A new primary acknowledges before its data is marked, and dies; the record of before comes back,
 * which does not know the standby that has it all. That one is pod 0, for which a primary waits
 * while nobody streams: it has to be there. */
void not_marked(struct world *w)
{
	int p = w->cast[0], q = PG_PODS - p, t = 0;

	if (w->scene == 0 && p == 0) {
		turn_off(w, p, 7000);
	} else if (w->scene == 0) {
		turn_off(w, t, 4000);
		next_scene(w, 0);
	} else if (w->scene == 1 && !w->lease.record.eligible[t]) {
		keep_state(w);
		next_scene(w, 0);
	} else if (w->scene == 2 && w->lease.record.eligible[t]) {
		w->idle = true; /* until both have the same */
		next_scene(w, 500);
	} else if (w->scene == 3) {
		turn_off(w, p, AWAY);
		w->pods[t].api = w->idle = false;
		next_scene(w, 0);
	} else if (w->scene == 4) {
		if (w->pods[q].mark_at && !w->slow_until)
			w->slow_until = w->now + 2000;
		if (w->now < w->slow_until)
			w->pods[q].mark_at = w->slow_until;
		if (w->acked_by == q)
			next_scene(w, 0);
	} else if (w->scene == 5) {
		turn_off(w, q, AWAY);
		w->pods[t].api = true;
		w->pods[p].until = w->now;
		restore(w);
		next_scene(w, AWAY);
	}
}

/* A record comes back that covers one pod alone, the one that is behind. */
void old_record(struct world *w)
{
	int p = w->cast[0];

	if (w->scene == 0) {
		set_link(w, p, w->cast[1], false);
		set_link(w, p, w->cast[2], false);
		next_scene(w, 0);
	} else if (w->scene == 1 && !w->lease.record.eligible[w->cast[1]] &&
		   !w->lease.record.eligible[w->cast[2]]) {
		keep_state(w);
		set_link(w, p, w->cast[1], true);
		set_link(w, p, w->cast[2], true);
		next_scene(w, 0);
	} else if (w->scene == 2 && w->lease.record.eligible[w->cast[1]] &&
		   w->lease.record.eligible[w->cast[2]]) {
		turn_off(w, p, AWAY);
		next_scene(w, 0);
	} else if (w->scene == 3 && w->acked_by != p) {
		next_scene(w, 2000);
	} else if (w->scene == 4) {
		restore(w);
		next_scene(w, AWAY);
	}
}

/* The Lease is deleted, and nobody is there who has it all. */
void no_record(struct world *w)
{
	int p = w->cast[0], q = w->cast[1], t = w->cast[2];

	if (w->scene == 0) {
		turn_off(w, t, AWAY);
		next_scene(w, 0);
	} else if (w->scene == 1 && !w->lease.record.eligible[t]) {
		next_scene(w, 1000);
	} else if (w->scene == 2) {
		turn_off(w, p, AWAY);
		empty(w, q);
		delete (w);
		w->pods[t].until = w->now;
		next_scene(w, AWAY);
	}
}

/* Who has all of it does not know so yet, and is asked for its vote. */
void not_known(struct world *w)
{
	int p = w->cast[0], q = w->cast[1], t = w->cast[2];

	if (w->scene == 0) {
		keep_state(w);
		turn_off(w, t, AWAY);
		next_scene(w, 0);
	} else if (w->scene == 1 && !w->lease.record.eligible[t]) {
		next_scene(w, 1000);
	} else if (w->scene == 2) {
		turn_off(w, p, AWAY);
		turn_off(w, q, 0);
		w->pods[t].until = w->now;
		restore(w);
		next_scene(w, 0);
	} else if (w->scene == 3 && w->pods[q].busy == STARTING) {
		w->pods[q].busy_until = w->now + 14000;
		next_scene(w, AWAY);
	}
}
