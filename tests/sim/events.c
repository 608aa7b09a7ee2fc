/* What happens to the machines, and when. */
#include "tests/sim/sim.h"

static void keep_snapshot(struct world *w, int i)
{
	int s = NODE_COUNT + below(w, SNAPS - NODE_COUNT);

	w->snaps[s].used = true;
	w->snaps[s].node = i;
	w->snaps[s].disk = w->m[i].disk;
}

static void power_on(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (m->on || m->destroyed)
		return;
	m->on = true;
	m->phase = PHASE_IDLE;
	m->mount = w->quiet || chance(w, 85) ? MOUNT_OK : chance(w, 50) ? MOUNT_LATE : MOUNT_BAD;
	note(w, "%s: power, disk %s", node_names[i], m->mount == MOUNT_OK ? "found" : "not found");
}

static void power_cut(struct world *w, int i)
{
	int mask = chance(w, 40) ? 7 : (1 << i) | (1 << below(w, NODE_COUNT));

	for (int j = 0; j < NODE_COUNT; j++)
		if ((mask >> j & 1) && w->m[j].on)
			power_off(w, j);
	if (chance(w, 50))
		for (int j = 0; j < NODE_COUNT; j++)
			if (mask >> j & 1)
				power_on(w, j);
}

static void boot(struct world *w, int i)
{
	(void)i;
	for (int j = 0; j < NODE_COUNT; j++) {
		power_on(w, j);
		if (w->m[j].on && chance(w, 50))
			w->m[j].mount = MOUNT_OK;
	}
}

static void partition(struct world *w, int i)
{
	w->m[i].side = chance(w, 60);
	w->m[(i + 1) % NODE_COUNT].side = chance(w, 30);
	note(w, "sides %d%d%d", w->m[0].side, w->m[1].side, w->m[2].side);
}

static void heal(struct world *w, int i)
{
	(void)i;
	for (int j = 0; j < NODE_COUNT; j++) {
		w->m[j].side = 0;
		w->m[j].link = true;
		w->m[j].differs = w->m[j].full = false;
	}
	note(w, "network healed");
}

static void link_down(struct world *w, int i)
{
	w->m[i].link = false;
	note(w, "%s: link down", node_names[i]);
}

static void k3s_crash(struct world *w, int i)
{
	stop_k3s(w, i);
}

static void description(struct world *w, int i)
{
	w->m[i].differs = !w->m[i].differs;
}

static void disk_full(struct world *w, int i)
{
	w->m[i].full = !w->m[i].full;
}

static void snapshot(struct world *w, int i)
{
	keep_snapshot(w, i);
}

static void wipe(struct world *w, int i)
{
	if (w->m[i].destroyed)
		return;
	power_off(w, i);
	keep_snapshot(w, i);
	fresh_disk(w, i);
	note(w, "%s: a new data disk, the old one goes into a drawer", node_names[i]);
	power_on(w, i);
}

static void two_wiped(struct world *w, int i)
{
	wipe(w, i);
	wipe(w, (i + 1) % NODE_COUNT);
}

static void etcd_gone(struct world *w, int i)
{
	int all = chance(w, 40);

	for (int j = 0; j < NODE_COUNT; j++) {
		if ((j != i && !all) || w->m[j].destroyed)
			continue;
		power_off(w, j);
		w->m[j].disk.etcd = (struct etcd){ 0 };
		w->m[j].disk.since = w->step;
		note(w, "%s: somebody deleted K3s's data", node_names[j]);
		power_on(w, j);
	}
}

static void bring_back(struct world *w, int i, int s)
{
	struct disk now = w->m[i].disk;

	if (!w->snaps[s].used || w->snaps[s].node != i || w->m[i].destroyed)
		return;
	power_off(w, i);
	w->m[i].disk = w->snaps[s].disk;
	w->m[i].disk.old = true;
	w->m[i].disk.since = w->step;
	if (chance(w, 50))
		w->snaps[s].disk = now;
	note(w, "%s: an old disk comes back (term %d, %d entries)", node_names[i],
	     w->m[i].disk.etcd.term, w->m[i].disk.etcd.n);
	power_on(w, i);
}

static void old_disk(struct world *w, int i)
{
	int s = below(w, SNAPS);

	for (int k = 0; k < SNAPS && (!w->snaps[s].used || w->snaps[s].node != i); k++)
		s = (s + 1) % SNAPS;
	bring_back(w, i, s);
}

static void two_old_disks(struct world *w, int i)
{
	if (chance(w, 50))
		for (int j = 0; j < NODE_COUNT; j++)
			w->m[j].side = j == (i + 2) % NODE_COUNT;
	old_disk(w, i);
	old_disk(w, (i + 1) % NODE_COUNT);
}

/* A machine is destroyed with all its disks, and somebody says so on others: the truth. */
static void destroy(struct world *w, int i)
{
	int told = (i + 1 + below(w, 2)) % NODE_COUNT;

	for (int j = 0; j < NODE_COUNT; j++)
		if (w->m[j].destroyed)
			return;
	power_off(w, i);
	w->m[i].destroyed = true;
	fresh_disk(w, i);
	for (int s = 0; s < SNAPS; s++)
		if (w->snaps[s].used && w->snaps[s].node == i)
			w->snaps[s].used = false;
	for (int k = 0; k < LATE_MAX; k++)
		if (w->late[k].from == i)
			w->late[k].used = false;
	note(w, "%s: destroyed; told on %s", node_names[i], node_names[told]);
	for (int j = 0; j < NODE_COUNT; j++) {
		struct disk *d = &w->m[j].disk;

		if (j == i || (j != told && chance(w, 60)) || !can_write(w, j))
			continue;
		node_view(w, j, &w->m[j].views[j]);
		d->words.missing[i] = true;
		d->words.generation = highest_generation(w, j) + 1;
	}
}

static void replacement(struct world *w, int i)
{
	(void)i;
	for (int j = 0; j < NODE_COUNT; j++)
		if (w->m[j].destroyed) {
			w->m[j].destroyed = false;
			note(w, "%s: a new machine in its place", node_names[j]);
			power_on(w, j);
		}
}

static void recover(struct world *w, int i)
{
	if (w->m[i].on)
		word_recover(w, i);
}

/* The mistake that recover has to survive: the others are not lost, only out of sight. */
static void recover_cut_off(struct world *w, int i)
{
	for (int j = 0; j < NODE_COUNT; j++)
		w->m[j].side = j == i;
	recover(w, i);
}

static void words(struct world *w, int i)
{
	(void)i;
	if (chance(w, 30))
		operator_acts(w);
}

static const struct {
	void (*happen)(struct world *w, int i);
	int weight[PROFILE_COUNT];
} table[] = {
	{ power_cut, { 10, 8, 6, 6, 8, 6 } },
	{ boot, { 30, 25, 25, 25, 25, 25 } },
	{ partition, { 12, 10, 14, 10, 14, 12 } },
	{ heal, { 14, 12, 14, 14, 14, 14 } },
	{ link_down, { 4, 4, 4, 4, 4, 4 } },
	{ k3s_crash, { 8, 4, 4, 4, 4, 4 } },
	{ description, { 2, 2, 2, 2, 2, 2 } },
	{ disk_full, { 2, 2, 2, 2, 2, 2 } },
	{ wipe, { 0, 8, 6, 4, 4, 6 } },
	{ two_wiped, { 0, 3, 1, 1, 1, 2 } },
	{ etcd_gone, { 0, 3, 1, 1, 1, 2 } },
	{ snapshot, { 0, 0, 10, 0, 0, 6 } },
	{ old_disk, { 0, 0, 8, 0, 0, 6 } },
	{ two_old_disks, { 0, 0, 2, 0, 0, 2 } },
	{ destroy, { 0, 0, 0, 8, 2, 4 } },
	{ replacement, { 0, 0, 0, 16, 6, 8 } },
	{ recover, { 0, 0, 0, 2, 16, 6 } },
	{ recover_cut_off, { 0, 0, 0, 0, 6, 2 } },
	{ words, { 0, 6, 6, 10, 10, 10 } },
};

void event(struct world *w)
{
	int sum = 0, pick, i = below(w, NODE_COUNT);

	for (size_t k = 0; k < ARRAY_LEN(table); k++)
		sum += table[k].weight[w->profile];
	pick = below(w, sum);
	for (size_t k = 0; k < ARRAY_LEN(table); k++) {
		pick -= table[k].weight[w->profile];
		if (pick < 0) {
			table[k].happen(w, i);
			return;
		}
	}
}

/* A request that arrives long after its sender stopped waiting for the answer. */
void event_late(struct world *w)
{
	struct request *r = &w->late[below(w, LATE_MAX)];

	if (!r->used || !reach(w, r->from, r->to) || w->m[r->from].differs != w->m[r->to].differs)
		return;
	r->used = false;
	note(w, "a late request of %s reaches %s", node_names[r->from], node_names[r->to]);
	node_take(w, r);
}

static bool stage_reached(struct world *w, int target)
{
	int voters = 0, learners = 0;

	for (int i = 0; i < NODE_COUNT; i++) {
		struct member_list l;

		if (!w->m[i].runs)
			continue;
		etcd_list(&w->m[i].disk.etcd, w->m[i].commit, &l);
		if (l.n_voters >= voters)
			learners = l.n_learners;
		if (l.n_voters > voters)
			voters = l.n_voters;
	}
	return voters >= target || (target == NODE_COUNT + 1 && voters == 1 && learners);
}

static void grow(struct world *w, int target, bool snaps, bool words_too)
{
	for (int n = 1; n < 900 && !*w->broken && !stage_reached(w, target); n++) {
		if (snaps && chance(w, 1))
			keep_snapshot(w, below(w, NODE_COUNT));
		if (words_too && n % 250 == 0)
			operator_acts(w);
		world_step(w);
	}
}

/* A cluster that was, whose disks may come back into the one that is. Returns the node by which the
 * new one begins. */
static int earlier_life(struct world *w)
{
	int i = below(w, NODE_COUNT), before;

	grow(w, chance(w, 60) ? NODE_COUNT : 1 + below(w, NODE_COUNT), true, false);
	for (int j = 0; j < NODE_COUNT; j++) {
		w->snaps[j].used = true;
		w->snaps[j].node = j;
		w->snaps[j].disk = w->m[j].disk;
	}
	switch (below(w, 5)) {
	case 0:
	case 1:
		wipe(w, i);
		two_wiped(w, (i + 1) % NODE_COUNT);
		return 0;
	case 2:
		two_wiped(w, i);
		break;
	case 3:
		etcd_gone(w, i);
		break;
	default:
		before = w->m[i].disk.generation;
		recover(w, i);
		for (int n = 0; n < 400 && w->m[i].disk.generation == before; n++)
			world_step(w);
		break;
	}
	return i;
}

/* A quiet beginning up to some number of voters, so that faults meet every stage of a cluster. */
void event_prefix(struct world *w)
{
	bool snaps = w->profile == PROFILE_OLD_DISKS || w->profile == PROFILE_ALL;
	int target = below(w, NODE_COUNT + 2), first = -1;

	w->quiet = true;
	if (snaps && chance(w, 60)) {
		first = earlier_life(w);
		target = chance(w, 60) ? 1 : target;
	}
	if (target)
		grow(w, target, snaps, snaps);
	w->quiet = false;
	note(w, "faults begin");
	if (first >= 0 && chance(w, 50)) {
		int second = (first + 1) % NODE_COUNT, third = (first + 2) % NODE_COUNT;

		w->m[first].side = chance(w, 50);
		bring_back(w, second, second);
		bring_back(w, third, third);
		if (chance(w, 20))
			etcd_gone(w, first);
	}
	if (chance(w, 20)) {
		/* Asked before all this, by the one that formed or tried to, and never arrived. */
		w->late[0] = (struct request){ .used = true, .to = 1, .generation = 1 };
		memcpy(w->late[0].promise.cluster, w->m[0].disk.cluster, ID_LEN);
		new_id(w, w->late[0].promise.formation);
	}
}

void all_quiet(struct world *w)
{
	w->quiet = true;
	note(w, "faults end");
	memset(w->late, 0, sizeof w->late);
	heal(w, 0);
	replacement(w, 0);
	for (int i = 0; i < NODE_COUNT; i++) {
		power_on(w, i);
		w->m[i].mount = MOUNT_OK;
	}
}
