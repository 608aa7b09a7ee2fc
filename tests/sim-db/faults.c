/* What goes wrong. */
#include "tests/sim-db/sim.h"

#include <stdio.h>

static bool is_elsewhere(const struct world *w, int without, int id)
{
	for (int i = 0; i < PG_PODS; i++)
		if (i != without && volume_has(&w->pods[i].volume, id))
			return true;
	return false;
}

/* Only while what was acknowledged is on another volume, too: else a person has lost it, not we. And
 * not where an old state of the API came back, nor the other way round: a pod without data cannot
 * know that the record is old, and it has to be able to vote, or nobody could while one is cloned. */
void empty(struct world *w, int i)
{
	if (w->restored)
		return;
	for (int id = 0; id < w->next_id; id++)
		if ((id == 0 || w->acked[id] || w->must[id]) && !is_elsewhere(w, i, id))
			return;
	note(w, "%d: its volume is emptied", i);
	w->emptied = true;
	pod_stop(w, i);
	w->pods[i].volume.n = 0;
	w->pods[i].vote = (struct pg_vote){ 0 };
	w->pods[i].until = w->now + below(w, 3000);
}

static void pod_fault(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	if (!p->on)
		return;
	switch (below(w, 7)) {
	case 0:
	case 1:
		pod_stop(w, i);
		p->until = w->now + (chance(w, 500) ? below(w, 1500) : below(w, 20000));
		return;
	case 2:
		note(w, "%d: PostgreSQL is killed", i);
		p->server = PG_DOWN;
		p->busy = IDLE;
		p->promote_term = 0;
		return;
	case 3:
	case 4:
		p->paused = true;
		p->all_paused = chance(w, 400);
		p->until = w->now + below(w, 15000);
		note(w, "%d: stands still%s until %ld", i, p->all_paused ? " with PostgreSQL" : "",
		     (long)p->until);
		return;
	case 5:
		note(w, "%d: is to end", i);
		p->core.leaving = true;
		return;
	default:
		empty(w, i);
	}
}

static void network_fault(struct world *w)
{
	int i = below(w, PG_PODS), k = (i + 1 + below(w, 2)) % PG_PODS;

	switch (below(w, 4)) {
	case 0:
		w->pods[i].api = !w->pods[i].api;
		note(w, "%d: API %s", i, w->pods[i].api ? "there" : "away");
		return;
	case 1:
		w->api_up = !w->api_up;
		note(w, "the API is %s", w->api_up ? "there" : "away");
		return;
	default:
		w->linked[i][k] = w->linked[k][i] = !w->linked[i][k];
		note(w, "%d-%d: %s", i, k, w->linked[i][k] ? "linked" : "cut");
	}
}

/* In async an old record may name a pod that fell behind since: what only the primary has is lost
 * when it does not answer. What two have is not. */
static void forget(struct world *w)
{
	for (int id = 1; id < w->next_id; id++)
		for (int i = 0; i < PG_PODS && w->must[id]; i++)
			w->must[id] = is_elsewhere(w, i, id);
}

void restore(struct world *w)
{
	if (!w->snapshot.exists || w->emptied)
		return;
	w->restored = true;
	note(w, "the API's data is restored: %s, term %ld%s", w->snapshot.holder,
	     (long)w->snapshot.term, w->snapshot.released ? ", released" : "");
	w->lease = w->snapshot;
	w->version = w->snapshot_version;
	w->stats->restores++;
	if (w->mode == PG_ASYNC)
		forget(w);
}

void delete (struct world *w)
{
	note(w, "the Lease is deleted");
	w->lease = (struct pg_lease){ 0 };
	w->version++;
}

static void lease_fault(struct world *w)
{
	switch (below(w, 4)) {
	case 0:
		delete (w);
		return;
	case 1:
		if (!w->lease.exists)
			return;
		note(w, "the Lease is edited");
		snprintf(w->lease.holder, sizeof w->lease.holder, "%s", chance(w, 500) ? "" : "me");
		w->lease.version = ++w->version;
		return;
	default:
		restore(w);
	}
}

/* A primary without the API, on a promise; then without anybody. */
static void squeeze(struct world *w)
{
	for (int i = 0; i < PG_PODS; i++)
		if (w->pods[i].server == PG_PRIMARY) {
			note(w, "%d: API away, and soon all else", i);
			w->pods[i].api = false;
			w->squeezed = i;
			w->squeeze_at = w->now + below(w, chance(w, 500) ? 1500 : 12000);
		}
}

/* A primary that only one other hears, which then forgets what it has said. */
static void triangle(struct world *w)
{
	for (int i = 0; i < PG_PODS; i++)
		if (w->pods[i].server == PG_PRIMARY) {
			int k = (i + 1 + below(w, 2)) % PG_PODS;

			note(w, "%d: API away, hears only %d", i, k);
			w->pods[i].api = false;
			w->linked[i][3 - i - k] = w->linked[3 - i - k][i] = false;
			w->forgets = k;
			w->forget_at = w->now + 4000 + below(w, 5000);
		}
}

/* A primary stands still or is cut off while an old state of the API comes back. */
static void back(struct world *w)
{
	for (int i = 0; i < PG_PODS; i++)
		if (w->pods[i].server == PG_PRIMARY) {
			if (chance(w, 500)) {
				w->pods[i].api = false;
			} else {
				w->pods[i].paused = true;
				w->pods[i].until = w->now + below(w, 9000);
			}
		}
	restore(w);
}

void squeeze_on(struct world *w)
{
	if (w->forget_at && w->now >= w->forget_at) {
		w->forget_at = chance(w, 700) ? w->now + below(w, 2000) : 0;
		if (w->pods[w->forgets].on && w->pods[w->forgets].server != PG_PRIMARY) {
			pod_stop(w, w->forgets);
			w->pods[w->forgets].until = w->now + below(w, 200);
		}
	}
	if (!w->squeeze_at || w->now < w->squeeze_at)
		return;
	w->squeeze_at = 0;
	note(w, "%d: alone", w->squeezed);
	for (int k = 0; k < PG_PODS; k++)
		if (k != w->squeezed)
			w->linked[w->squeezed][k] = w->linked[k][w->squeezed] = false;
}

void heal(struct world *w)
{
	note(w, "all is well again");
	w->quiet = w->api_up = true;
	w->squeeze_at = w->forget_at = 0;
	w->story = NULL;
	for (int i = 0; i < PG_PODS; i++) {
		w->pods[i].api = true;
		w->pods[i].paused = w->pods[i].all_paused = false;
		w->pods[i].until = w->now;
		for (int k = 0; k < PG_PODS; k++)
			w->linked[i][k] = true;
	}
}

/* One thing goes wrong in a world that was whole: a longer story than chance would tell. */
void drill(struct world *w)
{
	heal(w);
	w->quiet = false;
	switch (below(w, 4)) {
	case 0:
		squeeze(w);
		return;
	case 1:
	case 2:
		triangle(w);
		return;
	default:
		back(w);
	}
}

void fault(struct world *w)
{
	int k = below(w, 130);

	if (k >= 120)
		back(w);
	else if (k >= 110)
		triangle(w);
	else if (k >= 100)
		squeeze(w);
	else if (k < 50)
		pod_fault(w, below(w, PG_PODS));
	else if (k < 88)
		network_fault(w);
	else
		lease_fault(w);
}
