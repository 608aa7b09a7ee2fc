/* `phoenix recover --keep`: the word is durable and carried on at every round until the data
 * was reset; meanwhile this node decides nothing else. */
#include "tests/sim/sim.h"

/* What a person knows to be destroyed is told with the word; a machine in its place is another
 * matter. */
void word_recover(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct node_view v;
	int seen;

	node_view(w, i, &v);
	if (!can_write(w, i) || v.state != NODE_MEMBER)
		return;
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && (!reach(w, i, j) || !w->m[j].answered))
			m->views[j].answered = false;
		else
			node_view(w, j, &m->views[j]);
	seen = highest_generation(w, i);
	m->disk.words.generation = seen + 1;
	m->disk.recovering = true;
	for (int j = 0; j < NODE_COUNT; j++)
		m->disk.words.missing[j] = j != i && w->m[j].destroyed;
	m->phase = PHASE_IDLE;
	stop_k3s(w, i); /* at once: nobody joins a list that the word was not about */
	w->words++;
	note(w, "%s: `phoenix recover --keep %s`, generation %d", node_names[i], node_names[i],
	     m->disk.words.generation);
}

void recover_begin(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	stop_k3s(w, i);
	m->at = 0;
	m->phase = PHASE_RETIRE;
	if ((m->me.state == NODE_BLANK || recover_is_void(i, m->views, m->disk.words.generation)) &&
	    can_write(w, i)) {
		m->disk.recovering = false; /* what was to be kept is gone, or left behind */
		m->phase = PHASE_IDLE;
	}
}

/* Only what was said in answer to the request counts: what was seen before can have changed. */
static void retire_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct request r = { .used = true,
			     .retire = true,
			     .from = i,
			     .to = m->at++,
			     .generation = m->disk.words.generation };
	bool asked;

	if (r.to == NODE_COUNT) {
		m->phase = PHASE_RECOVER_DECIDE;
		return;
	}
	asked = m->views[r.to].answered;
	m->views[r.to] = (struct node_view){ 0 };
	if (r.to == i || !asked || !reach(w, i, r.to) || m->differs != w->m[r.to].differs)
		return;
	if (!w->quiet && chance(w, 10)) {
		w->late[below(w, LATE_MAX)] = r;
	} else if ((w->quiet || chance(w, 90)) && node_take(w, &r) && (w->quiet || chance(w, 80))) {
		node_tells(w, r.to, &m->views[r.to]);
	}
}

static void reset_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	m->phase = PHASE_IDLE;
	if (!can_write(w, i) || !m->disk.etcd.wal)
		return;
	oracle_reset(w, i);
	raft_reset(w, i);
	note(w, "%s: etcd reset to itself alone", node_names[i]);
	m->phase = PHASE_RESET_RECORD;
}

void recover_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	char why[WHY_LEN];

	switch (m->phase) {
	case PHASE_RETIRE:
		retire_step(w, i);
		break;
	case PHASE_RECOVER_DECIDE:
		node_view(w, i, &m->views[i]);
		m->phase = PHASE_IDLE;
		if (decide_recover(i, m->views, &m->disk.words, m->disk.words.generation,
				   node_names, why)) {
			m->phase = PHASE_RESET;
		} else {
			note(w, "%s: recover waits: %s", node_names[i], why);
			snprintf(m->last.why, WHY_LEN, "recover waits: %.380s", why);
		}
		break;
	case PHASE_RESET:
		reset_step(w, i);
		break;
	default:
		m->phase = PHASE_IDLE;
		/* Retired for another meanwhile: then this reset is void. */
		if (!can_write(w, i) || !m->disk.recovering)
			break;
		m->disk.generation = m->disk.words.generation;
		m->disk.recovering = false;
		break;
	}
}
