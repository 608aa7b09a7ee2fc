/* How a story is told: see stories.h. */
#include "tests/sim-db/stories.h"

#include <stddef.h>

bool is_steady(struct world *w)
{
	int p = -1;

	for (int i = 0; i < PG_PODS; i++)
		if (w->pods[i].on && w->pods[i].server == PG_PRIMARY)
			p = i;
	if (p < 0 || local(w, p) >= w->pods[p].permit ||
	    w->lease.record.place.term != w->pods[p].core.term)
		return false;
	for (int i = 0; i < PG_PODS; i++)
		if (!w->lease.record.eligible[i] ||
		    (i != p && (w->pods[i].server != PG_STANDBY || w->pods[i].from != p ||
				w->pods[i].volume.n + LAG < w->pods[p].volume.n)))
			return false;
	w->cast[0] = p;
	w->cast[1] = (p + 1 + below(w, 2)) % PG_PODS;
	w->cast[2] = PG_PODS - p - w->cast[1];
	return true;
}

void next_scene(struct world *w, int64_t ms)
{
	w->scene++;
	w->scene_at = w->now + ms;
	note(w, "scene %d", w->scene);
}

void set_link(struct world *w, int i, int k, bool yes)
{
	w->linked[i][k] = w->linked[k][i] = yes;
}

void cut_off(struct world *w, int i)
{
	note(w, "%d: cut off", i);
	w->pods[i].api = false;
	for (int k = 0; k < PG_PODS; k++)
		if (k != i)
			set_link(w, i, k, false);
}

void turn_off(struct world *w, int i, int64_t ms)
{
	pod_stop(w, i);
	w->pods[i].until = w->now + ms;
}

void keep_state(struct world *w)
{
	w->snapshot = w->lease;
	w->snapshot_version = w->version;
}

struct message *travelling(struct world *w, enum kind kind, int to)
{
	for (int i = 0; i < w->messages_used; i++)
		if (w->messages[i].used && w->messages[i].kind == kind && w->messages[i].to == to)
			return &w->messages[i];
	return NULL;
}

static const struct story {
	const char *name;
	enum pg_mode mode;
	bool tight;
	void (*go_on)(struct world *w);
} stories[] = {
	{ "late renewal", PG_ASYNC, true, late_renewal },
	{ "late promise", PG_ASYNC, true, late_promise },
	{ "late answer", PG_ASYNC, true, late_answer },
	{ "old release", PG_ASYNC, true, old_release },
	{ "two candidates", PG_ASYNC, false, two_candidates },
	{ "forgotten vote", PG_ASYNC, false, forgotten_vote },
	{ "forgotten promise", PG_ASYNC, true, forgotten_promise },
	{ "promised after the vote", PG_ASYNC, true, promised_after_vote },
	{ "unseen renewals", PG_ASYNC, true, unseen_renewals },
	{ "named late", PG_SYNC, true, named_late },
	{ "not marked", PG_SYNC, true, not_marked },
	{ "old record", PG_ASYNC, true, old_record },
	{ "no record", PG_SYNC, true, no_record },
	{ "not known", PG_SYNC, true, not_known },
};

void story_choose(struct world *w, int number)
{
	const struct story *s = &stories[number % (int)(sizeof stories / sizeof *stories)];

	w->story = s;
	w->mode = s->mode;
	w->tight = s->tight;
	w->slow = -1;
	note(w, "%s", s->name);
}

void story_on(struct world *w)
{
	if (w->story && w->now >= w->scene_at && (w->scene || is_steady(w)))
		w->story->go_on(w);
}
