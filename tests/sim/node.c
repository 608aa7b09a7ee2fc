/* A machine's program, one durable write or one message a step. Observing and acting are not
 * atomic: between any two steps anything may happen to any machine. */
#include "tests/sim/sim.h"

int highest_generation(const struct world *w, int i)
{
	const struct machine *m = &w->m[i];
	int max = m->disk.words.generation;

	for (int j = 0; j < NODE_COUNT; j++) {
		const struct node_view *v = &m->views[j];

		if (v->answered && v->generation > max)
			max = v->generation;
		if (v->answered && v->retired > max)
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

/* Each peer's API, and its view: as old as that node's last look at itself. True when the round is
 * complete. */
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
	} else if (heard && w->m[i].differs == w->m[j].differs && w->m[j].answered) {
		node_tells(w, j, &m->views[j]);
		/* its etcd answers before its API is ready */
		m->views[j].api_ready = m->truly_ready[j] && (w->quiet || chance(w, 70));
		m->views[j].serves_list = m->truly_ready[j] && !raft_lists(w, j, i);
	}
	return false;
}

/* The formation id is durable before anyone hears it; so are the cluster's, and the generation. */
static void begin(struct world *w, int i)
{
	struct disk *d = &w->m[i].disk;
	int seen = highest_generation(w, i);

	if (!*d->formation) {
		new_id(w, d->formation);
		if (!*d->cluster || *d->formed) {
			new_id(w, d->cluster);
			d->formed[0] = 0;
		}
		seen = d->words.generation && d->words.generation == seen ? seen : seen + 1;
	}
	if (seen > d->generation)
		d->generation = seen;
}

/* Own promise first: a node that cannot have it asks nobody. */
static void ask_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct request r = {
		.used = true, .from = i, .to = (i + m->at) % NODE_COUNT, .promise.node = i
	};

	if (m->at++ == 0) {
		if (can_write(w, i))
			begin(w, i);
		r.to = i;
	} else if (m->at > NODE_COUNT + 1) {
		m->phase = PHASE_IDLE;
		return;
	}
	memcpy(r.promise.formation, m->disk.formation, ID_LEN);
	memcpy(r.promise.cluster, m->disk.cluster, ID_LEN);
	memcpy(r.abandons, m->disk.words.abandoned, ID_LEN);
	r.generation = m->disk.generation;
	if (r.to == i) {
		if (*r.promise.formation)
			node_take(w, &r);
		if (m->disk.promise.node != i ||
		    !str_eq(m->disk.promise.formation, r.promise.formation))
			m->phase = PHASE_IDLE;
	} else if (m->last.ask[r.to] && reach(w, i, r.to) && m->differs == w->m[r.to].differs) {
		if (!w->quiet && chance(w, 15))
			w->late[below(w, LATE_MAX)] = r;
		else if (w->quiet || chance(w, 85))
			node_take(w, &r);
	}
}

/* Etcd makes its log first and writes into it then; the power may fail between. True: it did. */
static bool cut_before_an_entry(struct world *w, int i)
{
	struct etcd *e = &w->m[i].disk.etcd;

	if (w->quiet || !chance(w, 5))
		return false;
	e->n = e->commit = 0;
	note(w, "%s: the power fails before etcd's log has an entry", node_names[i]);
	power_off(w, i);
	return true;
}

static void form_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	m->phase = PHASE_IDLE;
	if (!can_write(w, i))
		return;
	oracle_form(w, i);
	raft_form(w, i);
	if (cut_before_an_entry(w, i))
		return;
	start_k3s(w, i);
	note(w, "%s: FORMED %s, generation %d", node_names[i], m->disk.cluster, m->disk.generation);
}

/* K3s's join at the leader: one learner at a time; a member of this node's name that has
 * started is in the way until the stale-member step removed it, which needs two healthy voters,
 * or a learner. */
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
	/* The cluster says itself which one it is: the peer's answer may be from before a disk was
	 * changed. One that is being founded has no API yet that could say it: its founder's
	 * promise and ours stand for it. */
	if (m->founding && !str_eq(w->m[leader].disk.cluster, m->disk.cluster))
		broken(w, "founding-other: %s was promised %s and joins %s", node_names[i],
		       m->disk.cluster, w->m[leader].disk.cluster);
	if (!m->founding && !str_eq(w->m[leader].disk.cluster, m->disk.cluster))
		return;
	etcd_list(&w->m[leader].disk.etcd, w->m[leader].commit, &l);
	for (int k = 0; k < l.n_voters + l.n_learners; k++) {
		struct voter v = k < l.n_voters ? l.voters[k] : l.learners[k - l.n_voters];

		if (v.node != i) {
			healthy += k < l.n_voters &&
				   (v.node == leader || raft_link(w, leader, v.node));
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
			raft_append(w, leader,
				    (struct entry){ .kind = ENTRY_REMOVE, .id = stale, .node = i });
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
		const struct node_view *peer = &m->views[m->last.through];

		m->founding = !peer->api_ready && view_is_founding(&m->me, m->last.through, peer);
		m->phase = *peer->cluster ? PHASE_JOIN_ADD : PHASE_IDLE;
		if (!str_eq(m->disk.formed, peer->cluster))
			m->disk.formed[0] = 0;
		memcpy(m->disk.cluster, peer->cluster, ID_LEN);
		m->disk.words.abandoned[0] = 0;
		m->disk.generation = peer->generation;
		m->disk.formation[0] = 0;
		return;
	}
	if (m->disk.etcd.wal)
		broken(w, "data-lost: %s joins over etcd data", node_names[i]);
	m->disk.etcd = m->joining;
	m->phase = PHASE_IDLE;
	if (!cut_before_an_entry(w, i))
		start_k3s(w, i);
}

/* The word that a node is destroyed ends when what came in its place has joined. */
static void end_words(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	for (int j = 0; j < NODE_COUNT && !m->disk.recovering && can_write(w, i); j++) {
		bool listed = false;

		for (int k = 0; k < m->me.n_voters; k++)
			listed |= m->me.voters[k].node == j;
		for (int k = 0; k < m->me.n_learners; k++)
			listed |= m->me.learners[k].node == j;
		if (listed || (m->views[j].answered && m->views[j].self))
			m->disk.words.missing[j] = false;
	}
}

/* This node is ready and a voter: what has become true is written down. True: that was done. */
static bool finish(struct world *w, int i)
{
	struct disk *d = &w->m[i].disk;
	struct node_view v;
	bool words = d->words.generation || *d->words.abandoned;

	node_view(w, i, &v);
	for (int j = 0; j < NODE_COUNT; j++)
		words |= d->words.missing[j];
	if (!can_write(w, i) || !w->m[i].runs || v.state != NODE_MEMBER || !raft_ready(w, i))
		return false;
	node_look_at_self(w, i);
	words = words && v.n_voters == NODE_COUNT && !d->recovering;
	if (str_eq(d->formed, d->cluster) && d->promise.node < 0 && !*d->formation && !d->retired &&
	    !words)
		return false;
	memcpy(d->formed, d->cluster, ID_LEN);
	d->promise = (struct promise){ .node = -1 };
	d->formation[0] = 0;
	d->retired = 0;
	if (words)
		d->words = (struct words){ 0 };
	return true;
}

/* The rename, then the record: a power cut between leaves a blank disk with an old record. */
static void aside_step(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct disk *d = &m->disk;

	m->phase = PHASE_IDLE;
	if (!can_write(w, i))
		return;
	oracle_aside(w, i);
	stop_k3s(w, i);
	d->etcd = (struct etcd){ 0 };
	note(w, "%s: etcd's data kept aside", node_names[i]);
	if (!w->quiet && chance(w, 10)) {
		power_off(w, i);
		return;
	}
	d->formation[0] = 0;
	d->promise = (struct promise){ .node = -1 };
	if (*d->words.abandoned && str_eq(d->words.abandoned, d->cluster)) {
		d->formed[0] = 0;
		d->words = (struct words){ 0 };
	}
}

static void act(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct decision d;

	node_look_at_self(w, i);
	m->views[i] = m->me;
	end_words(w, i);
	if (m->disk.recovering && m->mount == MOUNT_OK) {
		recover_begin(w, i);
		return;
	}
	decide(i, m->views, &m->disk.words, m->disk.formation, node_names, &d);
	if (w->verbose && (d.action != m->last.action || !str_eq(d.why, m->last.why)))
		note(w, "%s: %s: %s", node_names[i], action_name(d.action), d.why);
	m->last = d;
	oracle_decision(w, i);
	m->phase = PHASE_IDLE;
	if (d.even_running)
		stop_k3s(w, i);
	if (d.action == ACT_WAIT || d.action == ACT_STOP || m->mount != MOUNT_OK)
		return;
	m->at = 0;
	if (d.action == ACT_ASK_PROMISES) {
		m->phase = PHASE_ASK;
	} else if (d.action == ACT_FORM) {
		m->phase = PHASE_FORM_WAL;
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
	case PHASE_FORM_WAL:
		form_step(w, i);
		break;
	case PHASE_JOIN_RECORD:
	case PHASE_JOIN_ADD:
	case PHASE_JOIN_WAL:
		join_step(w, i);
		break;
	case PHASE_ASIDE:
		aside_step(w, i);
		break;
	default:
		recover_step(w, i);
		break;
	}
}
