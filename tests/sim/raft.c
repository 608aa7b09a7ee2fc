/* etcd as far as membership goes: terms, votes, a log of configuration changes that take effect
 * when committed, learners, removal. Replication is atomic per follower; who gets it and who
 * learns of the commit is random. */
#include "tests/sim/sim.h"

static void list_drop(struct voter *v, int *n, uint64_t id)
{
	for (int i = 0; i < *n; i++)
		if (v[i].id == id) {
			v[i] = v[--*n];
			return;
		}
}

bool list_has(const struct voter *v, int n, uint64_t id)
{
	for (int i = 0; i < n; i++)
		if (v[i].id == id)
			return true;
	return false;
}

void etcd_list(const struct etcd *e, int upto, struct member_list *ret)
{
	ret->n_voters = ret->n_learners = 0;
	for (int i = 0; i < upto && i < e->n; i++) {
		struct voter v = { e->log[i].node, e->log[i].id };

		if (e->log[i].kind == ENTRY_NOOP)
			continue;
		list_drop(ret->learners, &ret->n_learners, v.id);
		list_drop(ret->voters, &ret->n_voters, v.id);
		if (e->log[i].kind == ENTRY_LEARNER && ret->n_learners < VOTERS_MAX)
			ret->learners[ret->n_learners++] = v;
		if (e->log[i].kind == ENTRY_VOTER && ret->n_voters < VOTERS_MAX)
			ret->voters[ret->n_voters++] = v;
	}
}

bool etcd_removed(const struct etcd *e, int upto, uint64_t id)
{
	for (int i = 0; i < upto && i < e->n; i++)
		if (e->log[i].kind == ENTRY_REMOVE && e->log[i].id == id)
			return true;
	return false;
}

uint64_t raft_member(struct world *w, int node)
{
	uint64_t id = draw(w) | 1;

	if (w->n_members == MEMBERS) {
		w->full = true;
		return id;
	}
	w->members[w->n_members].id = id;
	w->members[w->n_members].published = false;
	w->members[w->n_members++].node = node;
	return id;
}

static void publish(struct world *w, uint64_t id)
{
	for (int i = 0; i < w->n_members; i++)
		if (w->members[i].id == id)
			w->members[i].published = true;
}

bool raft_published(struct world *w, uint64_t id)
{
	for (int i = 0; i < w->n_members; i++)
		if (w->members[i].id == id)
			return w->members[i].published;
	return true;
}

static bool same_cluster(const struct world *w, int i, int j)
{
	const struct machine *a = &w->m[i], *b = &w->m[j];

	return a->runs && b->runs && a->disk.etcd.fork == b->disk.etcd.fork && reach(w, i, j);
}

bool raft_link(const struct world *w, int i, int j)
{
	const struct etcd *a = &w->m[i].disk.etcd, *b = &w->m[j].disk.etcd;

	return same_cluster(w, i, j) && !etcd_removed(a, w->m[i].commit, b->id) &&
	       !etcd_removed(b, w->m[j].commit, a->id);
}

/* How many voters of I's configuration are in MASK (machines), I itself among them. */
static int count_voters(const struct world *w, int i, int mask, int *n_voters)
{
	struct member_list l;
	int n = 0;

	etcd_list(&w->m[i].disk.etcd, w->m[i].commit, &l);
	for (int j = 0; j < NODE_COUNT; j++)
		n += (mask >> j & 1) && list_has(l.voters, l.n_voters, w->m[j].disk.etcd.id);
	*n_voters = l.n_voters;
	return n;
}

bool raft_leads(const struct world *w, int i)
{
	int mask = 1 << i, n, all;

	if (!w->m[i].runs || !w->m[i].leader)
		return false;
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && raft_link(w, i, j) &&
		    w->m[j].disk.etcd.term <= w->m[i].disk.etcd.term)
			mask |= 1 << j;
	n = count_voters(w, i, mask, &all);
	return n > all / 2;
}

int raft_leader(struct world *w, int i)
{
	for (int j = 0; j < NODE_COUNT; j++)
		if (raft_leads(w, j) &&
		    (j == i ||
		     (raft_link(w, i, j) && w->m[i].disk.etcd.term <= w->m[j].disk.etcd.term)))
			return j;
	return -1;
}

static void learn_commit(struct world *w, int i, int commit)
{
	struct machine *m = &w->m[i];

	if (commit > m->disk.etcd.n)
		commit = m->disk.etcd.n;
	if (commit > m->commit)
		m->commit = commit;
	if (etcd_removed(&m->disk.etcd, m->commit, m->disk.etcd.id))
		stop_k3s(w, i);
}

/* The leader's log to J, if it is heard: acknowledged? */
static bool replicate(struct world *w, int leader, int j)
{
	struct etcd *from = &w->m[leader].disk.etcd, *to = &w->m[j].disk.etcd;
	int same = 0;

	if (!raft_link(w, leader, j))
		return false;
	if (to->term > from->term) {
		w->m[leader].leader = false;
		return false;
	}
	if (to->term < from->term) {
		to->term = from->term;
		to->vote = 0;
	}
	w->m[j].leader = false;
	while (same < from->n && same < to->n && from->log[same].term == to->log[same].term &&
	       from->log[same].id == to->log[same].id && from->log[same].kind == to->log[same].kind)
		same++;
	if (same < to->n && same < from->n && same < w->m[j].commit) {
		note(w, "%s: etcd panics, a committed entry is contradicted", node_names[j]);
		w->panics++;
		stop_k3s(w, j);
		return false;
	}
	if (same < from->n) {
		to->n = from->n;
		memcpy(to->log + same, from->log + same,
		       sizeof *to->log * (size_t)(from->n - same));
	}
	learn_commit(w, j, w->m[leader].commit);
	to->commit = w->m[j].commit;
	publish(w, to->id);
	return w->m[j].runs;
}

/* Sends what the leader has to a random part of those it reaches; true: all of it is committed. */
static bool spread(struct world *w, int leader)
{
	struct machine *m = &w->m[leader];
	int mask = 1 << leader, n, all;

	for (int j = 0; j < NODE_COUNT && m->leader; j++)
		if (j != leader && (w->quiet || chance(w, 80)) && replicate(w, leader, j))
			mask |= 1 << j;
	if (!m->leader)
		return false;
	n = count_voters(w, leader, mask, &all);
	if (n <= all / 2)
		return false;
	learn_commit(w, leader, m->disk.etcd.n);
	for (int j = 0; j < NODE_COUNT; j++)
		if ((mask >> j & 1) && w->m[j].runs && chance(w, 50))
			learn_commit(w, j, m->disk.etcd.n);
	return true;
}

bool raft_append(struct world *w, int leader, struct entry e)
{
	struct etcd *d = &w->m[leader].disk.etcd;

	if (d->n == LOG_MAX) {
		w->full = true;
		return false;
	}
	/* One change of the configuration at a time. */
	if (e.kind != ENTRY_NOOP && w->m[leader].commit < d->n)
		return false;
	e.term = d->term;
	d->log[d->n++] = e;
	d->commit = w->m[leader].commit;
	return spread(w, leader);
}

bool raft_ready(struct world *w, int i)
{
	struct member_list l;
	int leader = raft_leader(w, i);

	if (leader < 0 || w->m[leader].commit < w->m[leader].disk.etcd.n ||
	    (leader != i && !replicate(w, leader, i)))
		return false;
	etcd_list(&w->m[i].disk.etcd, w->m[i].commit, &l);
	return list_has(l.voters, l.n_voters, w->m[i].disk.etcd.id);
}

bool raft_lists(const struct world *w, int i, int node)
{
	struct member_list l;
	bool listed = false;

	etcd_list(&w->m[i].disk.etcd, w->m[i].commit, &l);
	for (int k = 0; k < l.n_voters; k++)
		listed |= l.voters[k].node == node;
	for (int k = 0; k < l.n_learners; k++)
		listed |= l.learners[k].node == node;
	return listed;
}

/* With pre-vote: who follows a leader is not disturbed. */
static bool would_vote(struct world *w, int i, int j)
{
	const struct etcd *me = &w->m[i].disk.etcd, *you = &w->m[j].disk.etcd;
	int mine = me->n ? me->log[me->n - 1].term : 0,
	    yours = you->n ? you->log[you->n - 1].term : 0;

	return raft_link(w, i, j) && raft_leader(w, j) < 0 &&
	       (mine > yours || (mine == yours && me->n >= you->n));
}

static void campaign(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct member_list l;
	int mask = 1 << i, votes = 1 << i, term = m->disk.etcd.term, n, all;

	etcd_list(&m->disk.etcd, m->commit, &l);
	if (!list_has(l.voters, l.n_voters, m->disk.etcd.id))
		return;
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && would_vote(w, i, j)) {
			mask |= 1 << j;
			if (w->m[j].disk.etcd.term > term)
				term = w->m[j].disk.etcd.term;
		}
	n = count_voters(w, i, mask, &all);
	if (n <= all / 2)
		return;
	m->disk.etcd.term = term + 1;
	m->disk.etcd.vote = m->disk.etcd.id;
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && (mask >> j & 1) && (w->quiet || chance(w, 85))) {
			w->m[j].disk.etcd.term = term + 1;
			w->m[j].disk.etcd.vote = m->disk.etcd.id;
			w->m[j].leader = false;
			votes |= 1 << j;
		}
	n = count_voters(w, i, votes, &all);
	if (n <= all / 2)
		return;
	m->leader = true;
	publish(w, m->disk.etcd.id);
	raft_append(w, i, (struct entry){ .kind = ENTRY_NOOP });
}

static void promote(struct world *w, int i)
{
	struct machine *m = &w->m[i];
	struct member_list l;

	etcd_list(&m->disk.etcd, m->commit, &l);
	for (int k = 0; k < l.n_learners; k++)
		for (int j = 0; j < NODE_COUNT; j++) {
			const struct etcd *e = &w->m[j].disk.etcd;

			if (e->id != l.learners[k].id || !raft_link(w, i, j) ||
			    e->n < m->disk.etcd.n)
				continue;
			raft_append(w, i,
				    (struct entry){ .kind = ENTRY_VOTER, .id = e->id, .node = j });
			return;
		}
}

void raft_tick(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!m->runs)
		return;
	for (int j = 0; j < NODE_COUNT; j++)
		if (j != i && same_cluster(w, i, j) &&
		    etcd_removed(&w->m[j].disk.etcd, w->m[j].commit, m->disk.etcd.id)) {
			note(w, "%s: told by %s that it was removed", node_names[i], node_names[j]);
			m->disk.etcd.tombstone = true;
			stop_k3s(w, i);
			return;
		}
	if (m->leader && !raft_leads(w, i))
		m->leader = false;
	if (m->leader) {
		bool all = spread(w, i);

		if (all && m->runs && m->leader && chance(w, 60))
			promote(w, i);
	} else if (raft_leader(w, i) < 0) {
		campaign(w, i);
	}
}

void raft_form(struct world *w, int i)
{
	struct etcd *e = &w->m[i].disk.etcd;

	*e = (struct etcd){ .wal = true, .id = raft_member(w, i), .fork = draw(w) | 1, .term = 1 };
	e->log[e->n++] = (struct entry){ .term = 1, .node = i, .kind = ENTRY_VOTER, .id = e->id };
	e->commit = 1;
}

/* --cluster-reset: keeps the member id; what was not committed goes, the others are removed. */
void raft_reset(struct world *w, int i)
{
	struct etcd *e = &w->m[i].disk.etcd;
	struct member_list l;

	if (e->n > LOG_MAX - 2 * VOTERS_MAX) {
		w->full = true;
		return;
	}
	e->n = e->commit;
	etcd_list(e, e->n, &l);
	for (int k = 0; k < l.n_voters + l.n_learners; k++) {
		struct voter v = k < l.n_voters ? l.voters[k] : l.learners[k - l.n_voters];

		if (v.id != e->id)
			e->log[e->n++] = (struct entry){ e->term, v.node, ENTRY_REMOVE, v.id };
	}
	if (!list_has(l.voters, l.n_voters, e->id))
		e->log[e->n++] = (struct entry){ e->term, i, ENTRY_VOTER, e->id };
	e->tombstone = false;
	e->commit = e->n;
}
