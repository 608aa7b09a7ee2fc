/* The person: reads what the nodes say and does what it names, if it is true. */
#include "tests/sim/sim.h"

static bool has_etcd(const struct world *w, int i)
{
	return w->m[i].on && w->m[i].mount == MOUNT_OK && w->m[i].disk.etcd.wal;
}

static int ready_node(struct world *w)
{
	int best = -1;

	for (int i = 0; i < NODE_COUNT; i++)
		if (w->m[i].runs && raft_ready(w, i) &&
		    (best < 0 || w->m[i].disk.generation > w->m[best].disk.generation))
			best = i;
	return best;
}

/* The word after COMMAND in what I says, and the node that it is to be given on. */
static bool named(const struct world *w, int i, const char *command, char ret[ID_LEN], int *where)
{
	const char *p = strstr(w->m[i].last.why, command), *on;
	int n;

	if (!p || !w->m[i].on)
		return false;
	p += strlen(command);
	n = (int)strcspn(p, "` ");
	snprintf(ret, ID_LEN, "%.*s", n < ID_LEN ? n : ID_LEN - 1, p);
	*where = i;
	on = strstr(p, "` on ");
	for (int j = 0; on && j < NODE_COUNT; j++)
		if (str_starts(on + 5, node_names[j]))
			*where = j;
	return n > 0;
}

/* Written down; the rules then move the data aside. Only of what the disk belongs to. */
static bool word_abandon(struct world *w, int i, const char *id)
{
	struct disk *d = &w->m[i].disk;

	if (!can_write(w, i) || (!str_eq(d->cluster, id) && !str_eq(d->formed, id)))
		return false;
	note(w, "%s: `phoenix abandon %s`", node_names[i], id);
	snprintf(d->words.abandoned, ID_LEN, "%s", id);
	w->words++;
	return true;
}

/* True only when no machine has a disk on which that formation became a cluster, or that could
 * still form with it. A disk in a drawer is none: should it come back, it is an old disk. */
static bool word_forget(struct world *w, int i, const char *formation)
{
	struct disk *d = &w->m[i].disk;
	bool own = d->promise.node == i;

	if (!can_write(w, i) || d->promise.node < 0 || !str_eq(d->promise.formation, formation) ||
	    (own && (d->etcd.wal || w->m[i].phase >= PHASE_FORM_WAL)))
		return false;
	for (int j = 0; j < NODE_COUNT; j++) {
		const struct disk *other = &w->m[j].disk;

		if (!(own && j == i) &&
		    (str_eq(other->formation, formation) ||
		     (other->etcd.wal && str_eq(other->cluster, d->promise.cluster))))
			return false;
	}
	note(w, "%s: `phoenix forget %s`", node_names[i], formation);
	d->promise = (struct promise){ .node = -1 };
	if (own)
		d->formation[0] = 0;
	w->m[i].phase = PHASE_IDLE;
	w->words++;
	return true;
}

static bool better(const struct etcd *a, const struct etcd *b)
{
	int ta = a->n ? a->log[a->n - 1].term : 0, tb = b->n ? b->log[b->n - 1].term : 0;

	return ta != tb ? ta > tb : a->n > b->n;
}

/* The node whose data is worth keeping: of the newest generation, then of the longest log. */
static int best_data(struct world *w)
{
	int best = ready_node(w);

	for (int i = 0; i < NODE_COUNT && (best < 0 || !w->m[best].runs); i++) {
		struct node_view v;

		node_view(w, i, &v);
		if (!has_etcd(w, i) || v.state != NODE_MEMBER)
			continue;
		if (best < 0 || w->m[i].disk.generation > w->m[best].disk.generation ||
		    (w->m[i].disk.generation == w->m[best].disk.generation &&
		     better(&w->m[i].disk.etcd, &w->m[best].disk.etcd)))
			best = i;
	}
	return best;
}

static bool busy(const struct world *w)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (w->m[i].on && w->m[i].disk.recovering && !w->quiet)
			return true;
	return false;
}

/* Data that a newer or a living cluster has left behind; without any data, a marker. */
static bool abandons(struct world *w)
{
	int ready = ready_node(w), best = best_data(w), where;
	char id[ID_LEN];

	for (int i = 0; i < NODE_COUNT; i++) {
		if (!named(w, i, "phoenix abandon ", id, &where) || !can_write(w, where))
			continue;
		if (has_etcd(w, where) &&
		    (where == best || where == ready || (ready >= 0 && raft_ready(w, where))))
			continue;
		if (!has_etcd(w, where) && best >= 0)
			continue;
		if (word_abandon(w, where, id))
			return true;
	}
	return false;
}

void operator_acts(struct world *w)
{
	char id[ID_LEN];
	int where, best, ready = ready_node(w);

	if (busy(w))
		return;
	for (int i = 0; i < NODE_COUNT; i++)
		if (named(w, i, "phoenix forget ", id, &where) && word_forget(w, where, id))
			return;
	if (ready >= 0 && abandons(w))
		return;
	best = best_data(w);
	for (int i = 0; best >= 0 && i < NODE_COUNT; i++)
		if ((ready < 0 || w->m[i].last.action != ACT_START) &&
		    named(w, i, "phoenix recover --keep ", id, &where)) {
			word_recover(w, best);
			return;
		}
	abandons(w);
}
