/* What a machine knows of itself, tells the others, and grants them. */
#include "tests/sim/sim.h"

static void from_records(const struct disk *d, struct node_view *v)
{
	v->answered = true;
	v->promise = d->promise;
	memcpy(v->cluster, d->cluster, ID_LEN);
	v->generation = d->generation;
	v->retired = d->retired;
	v->retired_for = d->retired_for;
	v->marker[0] = 0;
	if (v->state == NODE_BLANK && !str_eq(d->formed, d->words.abandoned))
		memcpy(v->marker, d->formed, ID_LEN);
	v->empty_log = d->etcd.wal && !d->etcd.n && !v->removed && !*d->formed;
}

/* What the etcd data says at this moment. */
void node_view(const struct world *w, int i, struct node_view *ret)
{
	const struct machine *m = &w->m[i];
	const struct etcd *e = &m->disk.etcd;
	struct member_list l;
	int upto = m->runs ? m->commit : e->n;

	*ret = (struct node_view){ .answered = true, .promise.node = -1 };
	if (m->mount != MOUNT_OK)
		return;
	ret->state = NODE_BLANK;
	if (e->wal) {
		etcd_list(e, upto, &l);
		memcpy(ret->voters, l.voters, sizeof l.voters);
		memcpy(ret->learners, l.learners, sizeof l.learners);
		ret->n_voters = l.n_voters;
		ret->n_learners = l.n_learners;
		ret->self = e->id;
		ret->removed = e->tombstone || etcd_removed(e, upto, e->id);
		ret->state = !ret->removed && list_has(l.voters, l.n_voters, e->id) ? NODE_MEMBER
										    : NODE_JOINING;
	}
	from_records(&m->disk, ret);
}

void node_look_at_self(struct world *w, int i)
{
	node_view(w, i, &w->m[i].me);
	w->m[i].answered = true;
}

/* From the decision to form or join until this node has seen its own data. */
static bool leaving_blank(const struct machine *m)
{
	return m->phase == PHASE_FORM_WAL || m->phase == PHASE_JOIN_ADD ||
	       m->phase == PHASE_JOIN_WAL || (m->me.state == NODE_BLANK && m->disk.etcd.wal);
}

/* What the others are told: a node that is about to have data does not say that it is blank. */
void node_tells(const struct world *w, int i, struct node_view *ret)
{
	const struct machine *m = &w->m[i];

	*ret = m->me;
	if (ret->state != NODE_UNKNOWN)
		from_records(&m->disk, ret);
	if (ret->state == NODE_BLANK && leaving_blank(m))
		ret->state = NODE_JOINING;
}

/* Data of ours that another node's recovery supersedes. Of two recoveries the higher generation
 * wins, then the first node. A blank node has nothing to retire, but ends what it promised. */
static bool take_retire(struct world *w, const struct request *r)
{
	struct machine *m = &w->m[r->to];
	struct disk *d = &m->disk;

	if (leaving_blank(m))
		return false;
	if (!d->etcd.wal) {
		d->promise = (struct promise){ .node = -1 };
		d->formation[0] = 0;
		return true;
	}
	if (r->generation <= d->generation ||
	    (d->recovering && (r->generation < d->words.generation ||
			       (r->generation == d->words.generation && r->from > r->to))))
		return false;
	d->recovering = false;
	d->retired = r->generation;
	d->retired_for = r->from;
	stop_k3s(w, r->to);
	node_look_at_self(w, r->to);
	m->phase = PHASE_IDLE;
	note(w, "%s: retired for %s, generation %d", node_names[r->to], node_names[r->from],
	     r->generation);
	return true;
}

/* The giver's side: durable before the answer. From the moment that K3s is being started on a blank
 * disk nothing is promised. True: granted. */
bool node_take(struct world *w, const struct request *r)
{
	struct machine *m = &w->m[r->to];
	struct node_view local = m->me;
	char why[WHY_LEN];

	if (!can_write(w, r->to) || !m->answered)
		return false;
	if (r->retire)
		return take_retire(w, r);
	from_records(&m->disk, &local);
	if (leaving_blank(m))
		return false;
	if (!decide_promise(&local, r->from, &r->promise, r->generation, r->abandons, why)) {
		note(w, "%s: no promise to %s: %s", node_names[r->to], node_names[r->from], why);
		return false;
	}
	if (m->disk.etcd.wal)
		broken(w, "promise-with-data: %s has etcd data and promised", node_names[r->to]);
	m->disk.promise = r->promise;
	m->disk.promise.node = r->from;
	note(w, "%s: promised to %s, formation %s", node_names[r->to], node_names[r->from],
	     r->promise.formation);
	return true;
}
