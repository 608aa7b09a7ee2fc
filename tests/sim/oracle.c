/* What must never be, looked at after every step, and what must be in the end. */
#include "tests/sim/sim.h"

static bool majority(const struct world *w, int i, int upto, int mask)
{
	struct member_list l;
	int n = 0;

	etcd_list(&w->m[i].disk.etcd, upto, &l);
	if (!list_has(l.voters, l.n_voters, w->m[i].disk.etcd.id))
		return false;
	for (int j = 0; j < NODE_COUNT; j++)
		n += (mask >> j & 1) && list_has(l.voters, l.n_voters, w->m[j].disk.etcd.id);
	return n > l.n_voters / 2;
}

/* A set of running etcd processes (MASK, of machines) is a quorum if each of them is a voter by
 * its own list and the set holds a majority of that list: of what it knows to be committed, and
 * of its whole log, which it has to commit before it can acknowledge anything new. */
static bool is_quorum(const struct world *w, int mask)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if ((mask >> i & 1) && (!w->m[i].runs || !majority(w, i, w->m[i].commit, mask) ||
					!majority(w, i, w->m[i].disk.etcd.n, mask)))
			return false;
	return mask;
}

/* Beyond any rule: two old disks that are a quorum by themselves, or one that carries an operator's
 * true word about the nodes of its own time. Not in the end, when all see each other. */
static bool excused(struct world *w, int mask)
{
	int old = 0, word = 0;

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct disk *d = &w->m[i].disk;

		if (!(mask >> i & 1) || !d->old)
			continue;
		old++;
		for (int j = 0; j < NODE_COUNT; j++)
			word |= d->words.missing[j];
	}
	if (old == 1 && word)
		w->stats->splits_excused_words++;
	return old >= 2 || (old == 1 && word);
}

void oracle_step(struct world *w)
{
	for (int a = 1; a < 8; a++)
		for (int b = a + 1; b < 8; b++) {
			if ((a & b) || !is_quorum(w, a) || !is_quorum(w, b))
				continue;
			if (excused(w, a) || excused(w, b))
				w->stats->excused++;
			else
				broken(w, "split: two quorums, machines %d and %d (bits)", a, b);
		}
	if (w->panics && w->profile != PROFILE_OLD_DISKS && w->profile != PROFILE_RECOVER &&
	    w->profile != PROFILE_ALL)
		broken(w, "commit-lost: a committed entry was contradicted");
}

void oracle_form(struct world *w, int i)
{
	const struct disk *me = &w->m[i].disk;

	if (me->etcd.wal)
		broken(w, "data-lost: %s forms over etcd data", node_names[i]);
	for (int j = 0; j < NODE_COUNT; j++) {
		const struct disk *d = &w->m[j].disk;

		if (w->m[j].destroyed || d->since > w->m[i].round)
			continue;
		if (j != i && d->etcd.wal)
			broken(w, "form-beside: %s forms while %s has data", node_names[i],
			       node_names[j]);
		if (*d->formed && !d->etcd.wal && !str_eq(d->formed, d->words.abandoned) &&
		    !str_eq(d->formed, me->words.abandoned))
			broken(w, "form-empty: %s forms although %s belonged to %s", node_names[i],
			       node_names[j], d->formed);
	}
}

/* What a decision must never be, given what was true when it was looked at. */
void oracle_decision(struct world *w, int i)
{
	const struct machine *m = &w->m[i];
	const struct decision *d = &m->last;
	const struct disk *k = &m->disk;
	int seen = k->retired > k->generation ? k->retired : k->generation;

	if (m->mount != MOUNT_OK && d->action != ACT_WAIT && d->action != ACT_STOP)
		broken(w, "unknown-acts: %s cannot read its disk: %s", node_names[i],
		       action_name(d->action));
	if (d->action == ACT_JOIN && !m->truly_ready[d->through])
		broken(w, "join-unready: %s joins through %s, which was not ready", node_names[i],
		       node_names[d->through]);
	if (d->action == ACT_JOIN && m->views[d->through].generation < seen)
		broken(w, "join-older: %s has seen generation %d and joins %d", node_names[i], seen,
		       m->views[d->through].generation);
	for (int j = 0; j < NODE_COUNT && d->action == ACT_START; j++) {
		const struct node_view *v = &m->views[j];

		if (!v->answered || !v->self)
			continue;
		if (v->generation > k->generation)
			broken(w, "start-older: %s starts generation %d and has seen %d",
			       node_names[i], k->generation, v->generation);
		if (v->api_ready && v->state == NODE_MEMBER && *v->cluster && *k->cluster &&
		    v->generation == k->generation && !str_eq(v->cluster, k->cluster))
			broken(w, "start-beside: %s starts %s and has seen %s alive", node_names[i],
			       k->cluster, v->cluster);
	}
}

/* Could others still be a quorum, now or after a boot? Then this reset would make a second one. */
void oracle_reset(struct world *w, int i)
{
	for (int mask = 1; mask < 8; mask++) {
		bool quorum = !(mask >> i & 1);

		for (int j = 0; j < NODE_COUNT && quorum; j++) {
			const struct disk *d = &w->m[j].disk;

			if (mask >> j & 1)
				quorum = d->etcd.wal && d->retired <= d->generation &&
					 !d->etcd.tombstone && d->since <= w->m[i].round &&
					 majority(w, j, d->etcd.n, mask);
		}
		if (quorum)
			broken(w,
			       "reset-beside: %s is reset while machines %d (bits) could be a "
			       "quorum",
			       node_names[i], mask);
	}
}

void oracle_aside(struct world *w, int i)
{
	const struct machine *m = &w->m[i];
	bool ready = !m->disk.etcd.n; /* a log without an entry needs nobody */

	if (*m->disk.cluster && str_eq(m->disk.cluster, m->disk.words.abandoned))
		return;
	for (int j = 0; j < NODE_COUNT; j++)
		ready |= m->truly_ready[j];
	if (!ready)
		broken(w, "aside-unready: %s moves its data aside, and nobody was ready",
		       node_names[i]);
	for (int j = 0; j < NODE_COUNT; j++) {
		struct member_list l;

		/* What an old disk believes of members that were removed since is its own. */
		if (!raft_leads(w, j) || m->disk.retired || j == i || w->m[0].disk.old ||
		    w->m[1].disk.old || w->m[2].disk.old)
			continue;
		etcd_list(&w->m[j].disk.etcd, w->m[j].commit, &l);
		if (list_has(l.voters, l.n_voters, m->disk.etcd.id))
			broken(w, "aside-voter: %s moves aside the data of a voter", node_names[i]);
	}
}

bool converged(struct world *w)
{
	int leader = raft_leader(w, 0);
	struct member_list l;

	if (leader < 0)
		return false;
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct machine *m = &w->m[i];

		if (!m->runs || raft_leader(w, i) != leader || !raft_ready(w, i) ||
		    m->disk.retired || m->disk.promise.node >= 0 || m->disk.words.generation ||
		    !str_eq(m->disk.formed, w->m[0].disk.cluster) ||
		    m->disk.generation != w->m[0].disk.generation)
			return false;
		etcd_list(&m->disk.etcd, m->commit, &l);
		if (l.n_voters != NODE_COUNT || l.n_learners)
			return false;
	}
	return true;
}
