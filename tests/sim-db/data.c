/* Commits, copies of them, and the oracle. */
#include "tests/sim-db/sim.h"

#include <string.h>

struct pg_place volume_place(const struct volume *v)
{
	const struct entry *last = v->n ? &v->log[v->n - 1] : NULL;

	return last ? (struct pg_place){ last->term, last->recorded, (uint64_t)v->n }
		    : (struct pg_place){ 0 };
}

void volume_add(struct volume *v, int64_t term, int64_t recorded, int id)
{
	v->log[v->n++] = (struct entry){ (int32_t)term, (int32_t)recorded, id };
}

bool volume_has(const struct volume *v, int id)
{
	for (int i = 0; i < v->n; i++)
		if (v->log[i].id == id)
			return true;
	return false;
}

/* INV-3, and nothing acknowledged is missing: in sync at all, in async of what the old primary had
 * recorded. */
static void acknowledge(struct world *w, int i, const struct entry *e)
{
	const struct pod *p = &w->pods[i];
	bool has[ENTRIES] = { false };
	const bool *asked = w->mode == PG_SYNC ? w->acked : w->must;

	if (e->term < w->acked_term)
		broken(w, "two: pod %d acknowledges in term %d after one of term %ld", i, e->term,
		       (long)w->acked_term);
	if (e->term == w->acked_term && i != w->acked_by)
		broken(w, "two: pods %d and %d acknowledge in term %d", w->acked_by, i, e->term);
	if (e->term > w->acked_term) {
		for (int k = 0; k < p->volume.n; k++)
			has[p->volume.log[k].id] = true;
		for (int id = 1; id < w->next_id; id++) {
			if (asked[id] && !has[id])
				broken(w, "lost: commit %d, pod %d begins term %d without it", id,
				       i, e->term);
			/* what is lost within the window is not asked for again */
			if (!has[id])
				w->acked[id] = false;
		}
		note(w, "%d: first answer in term %d", i, e->term);
	}
	w->acked_term = e->term;
	w->acked_by = i;
	w->acked[e->id] = true;
	w->last_ack = w->now;
	w->stats->acks++;
	w->stats->failsafe += local(w, i) >= p->core.held_from + pg_times.fence_ms;
}

/* What a record covers must be there in every later primary. */
void recorded(struct world *w, int i, const struct pg_lease *l)
{
	const struct pod *p = &w->pods[i];

	if (!l->record.known || l->record.place.term != l->term)
		return;
	for (int k = 0; k + LAG < (int)l->record.place.position && k < p->volume.n; k++)
		w->must[p->volume.log[k].id] |= w->acked[p->volume.log[k].id];
}

static bool is_everywhere(const struct world *w, int i, int n)
{
	const struct pod *p = &w->pods[i];

	if (w->mode == PG_ASYNC)
		return true;
	for (int k = 0; k < PG_PODS; k++) {
		const struct pod *s = &w->pods[k];

		if (p->names[k] && !(s->on && s->from == i && s->server == PG_STANDBY &&
				     reach(w, i, k) && s->volume.n >= n))
			return false;
	}
	return true;
}

static void primary_step(struct world *w, int i)
{
	struct pod *p = &w->pods[i];
	struct volume *v = &p->volume;

	if (!w->idle && local(w, i) < p->permit && v->n - p->acked < 20 && chance(w, 120) &&
	    w->next_id < ENTRIES - 1 && v->n < ENTRIES - 1) {
		volume_add(v, v->log[v->n - 1].term, v->log[v->n - 1].recorded, w->next_id++);
	}
	while (p->acked < v->n && is_everywhere(w, i, p->acked + 1)) {
		/* the second look */
		if (local(w, i) < p->permit && v->log[p->acked].id)
			acknowledge(w, i, &v->log[p->acked]);
		p->acked++;
	}
}

/* Follows whoever is a primary of at least its own term, as phoenix pg tells it. */
static void follow(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	p->from = -1;
	for (int k = 0; k < PG_PODS; k++) {
		const struct pod *up = &w->pods[k];

		if (k != i && up->on && !up->all_paused && up->server == PG_PRIMARY &&
		    reach(w, i, k) &&
		    volume_place(&up->volume).term >= volume_place(&p->volume).term &&
		    (p->from < 0 ||
		     volume_place(&up->volume).term > volume_place(&w->pods[p->from].volume).term))
			p->from = k;
	}
}

static void standby_step(struct world *w, int i)
{
	struct pod *p = &w->pods[i];
	struct volume *v = &p->volume;
	const struct volume *up;
	int same = 0;

	if (p->from < 0 || !reach(w, i, p->from) || chance(w, 20))
		follow(w, i);
	if (p->from < 0 || w->pods[p->from].server != PG_PRIMARY || !chance(w, 300))
		return;
	up = &w->pods[p->from].volume;
	while (same < v->n && same < up->n &&
	       memcmp(&v->log[same], &up->log[same], sizeof *v->log) == 0)
		same++;
	v->n = same;
	/* a clone is there as a whole, or not at all */
	for (int n = v->n ? below(w, 12) : up->n; n > 0 && v->n < up->n; n--, v->n++)
		v->log[v->n] = up->log[v->n];
}

void data_step(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	if (!p->on || p->all_paused)
		return;
	if (p->server == PG_PRIMARY)
		primary_step(w, i);
	else if (p->server == PG_STANDBY && p->busy == IDLE)
		standby_step(w, i);
}
