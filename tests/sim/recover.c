/* `phoenix recover --keep I`, which a person started on I: a process that ends with the power. */
#include "tests/sim/sim.h"

static bool word_recover(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!can_write(w, i))
		return false;
	m->disk.words.generation = highest_generation(w, i) + 1;
	/* What a person knows to be destroyed; a machine in its place is another matter. */
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && w->m[j].destroyed)
			m->disk.words.missing[j] = true;
	note(w, "%s: recover --keep here, generation %d", node_names[i], m->disk.words.generation);
	return true;
}

void recover_begin(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!m->on || m->mount != MOUNT_OK || !m->disk.etcd.wal)
		return;
	look_begin(w, i);
	m->tries = 0;
	m->phase = PHASE_RETIRE;
}

/* One round of looking to learn the generation, then the word, then the others are asked. */
static void retire_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct request r = { .used = true, .retire = true, .from = i, .generation = m->disk.words.generation };

	if (!m->tries) {
		if (!look_step(w, i))
			return;
		node_view(w, i, &m->views[i]);
		m->at = 0;
		m->tries = 1;
		if (!word_recover(w, i))
			m->phase = PHASE_IDLE;
		return;
	}
	r.to = m->at++;
	if (r.to == NODE_COUNT) {
		look_begin(w, i);
		m->phase = PHASE_RECOVER_LOOK;
	} else if (r.to != i && reach(w, i, r.to) && m->differs == w->m[r.to].differs) {
		if (!w->quiet && chance(w, 10))
			w->late[below(w, LATE_MAX)] = r;
		else if (w->quiet || chance(w, 90))
			node_take(w, &r);
	}
}

static void reset_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!can_write(w, i) || m->disk.retired >= m->disk.words.generation || !m->disk.etcd.wal) {
		m->phase = PHASE_IDLE;
		return;
	}
	stop_k3s(w, i);
	raft_reset(w, i);
	note(w, "%s: etcd reset to itself alone", node_names[i]);
	m->phase = PHASE_IDLE;
	if (!w->quiet && chance(w, 10)) {
		power_off(w, i); /* between etcd's reset and K3s's flag for it */
		return;
	}
	m->disk.reset = true;
}

void recover_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	char why[WHY_LEN];

	switch (m->phase) {
	case PHASE_RETIRE:
		retire_step(w, i);
		break;
	case PHASE_RECOVER_LOOK:
		if (look_step(w, i))
			m->phase = PHASE_RECOVER_DECIDE;
		break;
	case PHASE_RECOVER_DECIDE:
		node_view(w, i, &m->views[i]);
		m->phase = PHASE_IDLE;
		if (decide_recover(i, m->views, &m->disk.words, m->disk.words.generation, node_names,
				   why)) {
			m->phase = PHASE_RESET;
		} else {
			note(w, "%s: recover refused: %s", node_names[i], why);
			snprintf(m->last.why, WHY_LEN, "%s", why);
		}
		break;
	case PHASE_RESET:
		reset_step(w, i);
		break;
	default:
		m->phase = PHASE_IDLE;
		m->disk.generation = m->disk.words.generation;
		m->disk.retired = 0;
		m->disk.reset = false;
		break;
	}
}
