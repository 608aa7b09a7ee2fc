/* A machine's program, one durable write or one message a step. Observing and acting are not atomic:
 * between any two steps anything may happen to any machine. */
#include "tests/sim/sim.h"

void node_view(const struct world *w, int i, struct node_view *ret)
{
	const struct machine *m = &w->m[i];
	const struct disk *d = &m->disk;
	struct member_list l;

	*ret = (struct node_view){ .answered = true, .promise.node = -1 };
	if (m->mount != MOUNT_OK)
		return;
	ret->promise = d->promise;
	snprintf(ret->cluster, ID_LEN, "%s", d->cluster);
	ret->generation = d->generation;
	ret->retired = d->retired;
	ret->retired_for = d->retired_for;
	ret->state = NODE_BLANK;
	if (!d->etcd.wal) {
		if (!str_eq(d->formed, d->words.abandoned))
			snprintf(ret->marker, ID_LEN, "%s", d->formed);
		return;
	}
	etcd_list(&d->etcd, m->runs ? m->commit : d->etcd.n, &l);
	memcpy(ret->voters, l.voters, sizeof l.voters);
	memcpy(ret->learners, l.learners, sizeof l.learners);
	ret->n_voters = l.n_voters;
	ret->n_learners = l.n_learners;
	ret->self = d->etcd.id;
	ret->removed = d->etcd.tombstone ||
		       etcd_removed(&d->etcd, m->runs ? m->commit : d->etcd.n, d->etcd.id);
	ret->state = list_has(l.voters, l.n_voters, d->etcd.id) ? NODE_MEMBER : NODE_JOINING;
}

int highest_generation(const struct world *w, int i)
{
	const struct machine *m = &w->m[i];
	int max = m->disk.words.generation;

	for (int j = 0; j < NODE_COUNT; j++) {
		const struct node_view *v = &m->views[j];

		if (!v->answered)
			continue;
		/* Our own record of a formation that never came about is no cluster. */
		if ((j != i || *m->disk.formed) && v->generation > max)
			max = v->generation;
		if (v->retired > max)
			max = v->retired;
	}
	return max;
}

void look_begin(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	memset(m->views, 0, sizeof m->views);
	memset(m->truly_ready, 0, sizeof m->truly_ready);
	m->at = 0;
	m->round = w->step;
}

/* Each peer's API first, its view after: a view older than the readiness could lack our own member.
 * True when the round is complete. */
bool look_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	int j = m->at / 2, what = m->at % 2;
	bool heard;

	if (j == NODE_COUNT)
		return true;
	m->at++;
	if (j == i)
		return false;
	heard = reach(w, i, j) && (w->quiet || chance(w, 85));
	if (what == 0) {
		m->truly_ready[j] = heard && raft_ready(w, j);
	} else if (heard && w->m[i].differs == w->m[j].differs) {
		node_view(w, j, &m->views[j]);
		m->views[j].api_ready = m->truly_ready[j];
	}
	return false;
}

/* The giver's side: decided on its view of this moment, durable before the answer. */
void node_take(struct world *w, const struct request *r)
{
	struct machine *m = &w->m[r->to];
	struct node_view local;
	char why[WHY_LEN];

	if (!can_write(w, r->to))
		return;
	if (r->retire) {
		if (r->generation <= m->disk.generation || r->generation < m->disk.retired ||
		    (r->generation == m->disk.retired && r->from != m->disk.retired_for))
			return;
		stop_k3s(w, r->to);
		m->phase = PHASE_IDLE;
		m->disk.retired = r->generation;
		m->disk.retired_for = r->from;
		note(w, "%s: retired for %s, generation %d", node_names[r->to], node_names[r->from],
		     r->generation);
		return;
	}
	node_view(w, r->to, &local);
	if (!decide_promise(&local, r->from, &r->promise, r->generation, r->abandons, why)) {
		note(w, "%s: no promise to %s: %s", node_names[r->to], node_names[r->from], why);
		return;
	}
	if (m->disk.etcd.wal)
		broken(w, "promise-with-data: %s has etcd data and promised", node_names[r->to]);
	m->disk.promise = r->promise;
	m->disk.promise.node = r->from;
	if (r->from == r->to) {
		memcpy(m->disk.formation, r->promise.formation, ID_LEN);
		memcpy(m->disk.cluster, r->promise.cluster, ID_LEN);
	}
	note(w, "%s: promised to %s, formation %s", node_names[r->to], node_names[r->from],
	     r->promise.formation);
}

static int next_generation(const struct world *w, int i)
{
	const struct machine *m = &w->m[i];
	int g = highest_generation(w, i) + 1;

	return m->disk.words.generation == g - 1 && g > 1 ? g - 1 : g;
}

/* Asks one node; own promise first, because the formation id must be durable before anyone hears it. */
static void ask_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct request r = { .used = true, .from = i, .to = m->at == 0 ? i : m->at - 1 };

	if (m->at++ > NODE_COUNT) {
		m->phase = PHASE_IDLE;
		return;
	}
	if ((r.to == i && m->at > 1) || !m->last.ask[r.to])
		return;
	r.promise.node = i;
	memcpy(r.promise.formation, m->disk.formation, ID_LEN);
	memcpy(r.promise.cluster, m->disk.cluster, ID_LEN);
	memcpy(r.abandons, m->disk.words.abandoned, ID_LEN);
	r.generation = next_generation(w, i);
	if (r.to == i && !*r.promise.formation) {
		new_id(w, r.promise.formation);
		new_id(w, r.promise.cluster);
	}
	if (!*r.promise.formation && r.to != i)
		m->phase = PHASE_IDLE;
	else if (reach(w, i, r.to) && m->differs == w->m[r.to].differs) {
		if (r.to != i && !w->quiet && chance(w, 15))
			w->late[below(w, LATE_MAX)] = r;
		else if (r.to == i || w->quiet || chance(w, 85))
			node_take(w, &r);
	}
}

static void form_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!can_write(w, i)) {
		m->phase = PHASE_IDLE;
		return;
	}
	if (m->phase == PHASE_FORM_RECORD) {
		m->disk.generation = m->form_generation;
		m->disk.retired = 0;
		m->phase = PHASE_FORM_WAL;
	} else if (m->phase == PHASE_FORM_WAL) {
		oracle_form(w, i);
		raft_form(w, i);
		start_k3s(w, i);
		note(w, "%s: FORMED %s, generation %d", node_names[i], m->disk.cluster,
		     m->disk.generation);
		m->phase = PHASE_FORMED;
	} else {
		memcpy(m->disk.formed, m->disk.cluster, ID_LEN);
		m->phase = PHASE_IDLE;
	}
}

/* K3s's join at the leader: one learner at a time; a member of this node's name that has started is
 * in the way until the stale-member step removed it, which needs two healthy voters, or a learner. */
static void join_add(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	int leader, healthy = 0;
	struct member_list l;
	uint64_t id = 0, stale = 0;
	bool learner = false;

	m->phase = PHASE_IDLE;
	if (!reach(w, i, m->last.through) || !raft_ready(w, m->last.through))
		return;
	leader = raft_leader(w, m->last.through);
	etcd_list(&w->m[leader].disk.etcd, w->m[leader].commit, &l);
	for (int k = 0; k < l.n_voters + l.n_learners; k++) {
		struct voter v = k < l.n_voters ? l.voters[k] : l.learners[k - l.n_voters];

		if (v.node != i) {
			healthy += k < l.n_voters && (v.node == leader || raft_link(w, leader, v.node));
			continue;
		}
		learner = k >= l.n_voters;
		if (raft_published(w, v.id))
			stale = v.id;
		else
			id = v.id;
	}
	if (stale) {
		if (learner || (healthy >= 2 && !l.n_learners))
			raft_append(w, leader, (struct entry){ .kind = ENTRY_REMOVE, .id = stale, .node = i });
		return;
	}
	if (!id) {
		struct entry e = { .kind = ENTRY_LEARNER, .id = raft_member(w, i), .node = i };

		if (l.n_learners || !raft_append(w, leader, e))
			return;
		id = e.id;
	}
	m->joining = w->m[leader].disk.etcd;
	m->joining.n = m->joining.commit = w->m[leader].commit;
	m->joining.id = id;
	m->joining.vote = 0;
	m->joining.tombstone = false;
	m->phase = PHASE_JOIN_WAL;
	oracle_join(w, i, leader);
}

static void join_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (m->phase == PHASE_JOIN_ADD) {
		join_add(w, i);
		return;
	}
	if (!can_write(w, i)) {
		m->phase = PHASE_IDLE;
		return;
	}
	if (m->phase == PHASE_JOIN_RECORD) {
		/* The old record must not speak for the data that comes; what was seen is kept. */
		m->disk.cluster[0] = 0;
		if (m->disk.retired > m->disk.generation)
			m->disk.generation = m->disk.retired;
		m->disk.retired = 0;
		m->phase = PHASE_JOIN_ADD;
		return;
	}
	if (m->disk.etcd.wal)
		broken(w, "data-lost: %s joins over etcd data", node_names[i]);
	m->disk.etcd = m->joining;
	start_k3s(w, i);
	m->phase = PHASE_IDLE;
}

/* A join completed, a formation or a reset whose record is missing, words that have served. True: one
 * durable write was made. */
static bool finish(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct disk *d = &m->disk;
	struct node_view v;
	int leader;

	if (!can_write(w, i))
		return false;
	if (d->reset) {
		m->phase = PHASE_RESET_RECORD;
		recover_step(w, i);
		return true;
	}
	if (!m->runs || (leader = raft_leader(w, i)) < 0)
		return false;
	node_view(w, i, &v);
	if (v.state != NODE_MEMBER || d->retired)
		return false;
	if (!*d->cluster) {
		memcpy(d->cluster, w->m[leader].disk.cluster, ID_LEN);
		d->generation = w->m[leader].disk.generation;
		return true;
	}
	if (!str_eq(d->formed, d->cluster)) {
		memcpy(d->formed, d->cluster, ID_LEN);
		return true;
	}
	if (d->promise.node >= 0 || *d->formation) {
		d->promise = (struct promise){ .node = -1 };
		d->formation[0] = 0;
		return true;
	}
	if (v.n_voters == NODE_COUNT && (d->words.generation || *d->words.abandoned)) {
		d->words = (struct words){ 0 };
		return true;
	}
	return false;
}

static void act(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct decision d;

	node_view(w, i, &m->views[i]);
	decide(i, m->views, &m->disk.words, m->disk.formation, node_names, &d);
	if (w->verbose && (d.action != m->last.action || !str_eq(d.why, m->last.why)))
		note(w, "%s: %s: %s", node_names[i], action_name(d.action), d.why);
	m->last = d;
	m->phase = PHASE_IDLE;
	if (d.even_running)
		stop_k3s(w, i);
	if (d.action == ACT_WAIT || d.action == ACT_STOP)
		return;
	if (m->mount != MOUNT_OK) {
		broken(w, "unknown-acts: %s cannot read its disk: %s", node_names[i],
		       action_name(d.action));
		return;
	}
	m->at = 0;
	if (d.action == ACT_ASK_PROMISES) {
		m->phase = PHASE_ASK;
	} else if (d.action == ACT_FORM) {
		m->form_generation = next_generation(w, i);
		m->phase = PHASE_FORM_RECORD;
	} else if (d.action == ACT_JOIN) {
		m->phase = PHASE_JOIN_RECORD;
	} else if (d.action == ACT_MOVE_ASIDE) {
		m->phase = PHASE_ASIDE;
	} else if (d.action == ACT_START && !m->runs) {
		start_k3s(w, i);
	}
}

void node_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!m->on)
		return;
	switch (m->phase) {
	case PHASE_IDLE:
		if (finish(w, i))
			return;
		look_begin(w, i);
		m->phase = PHASE_LOOK;
		break;
	case PHASE_LOOK:
		if (look_step(w, i))
			m->phase = PHASE_DECIDE;
		break;
	case PHASE_DECIDE:
		act(w, i);
		break;
	case PHASE_ASK:
		ask_step(w, i);
		break;
	case PHASE_FORM_RECORD:
	case PHASE_FORM_WAL:
	case PHASE_FORMED:
		form_step(w, i);
		break;
	case PHASE_JOIN_RECORD:
	case PHASE_JOIN_ADD:
	case PHASE_JOIN_WAL:
		join_step(w, i);
		break;
	case PHASE_ASIDE:
		m->phase = PHASE_IDLE;
		if (!can_write(w, i))
			break;
		oracle_aside(w, i);
		stop_k3s(w, i);
		m->disk.etcd = (struct etcd){ 0 };
		note(w, "%s: etcd's data kept aside", node_names[i]);
		break;
	default:
		recover_step(w, i);
		break;
	}
}
