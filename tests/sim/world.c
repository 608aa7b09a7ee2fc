/* Chance, power and reachability. */
#include "tests/sim/sim.h"

#include "tests/random.h"

#include <inttypes.h>
#include <stdarg.h>

const char *const node_names[NODE_COUNT] = { "phoenix-a", "phoenix-b", "phoenix-c" };

uint64_t draw(struct world *w)
{
	return random_next(&w->seed);
}

int below(struct world *w, int n)
{
	return (int)(draw(w) % (uint64_t)n);
}

bool chance(struct world *w, int percent)
{
	return below(w, 100) < percent;
}

void new_id(struct world *w, char ret[ID_LEN])
{
	snprintf(ret, ID_LEN, "%08" PRIx32, (uint32_t)draw(w));
}

void note(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%5d  ", w->step);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void broken(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (*w->broken)
		return;
	va_start(ap, fmt);
	vsnprintf(w->broken, sizeof w->broken, fmt, ap);
	va_end(ap);
	note(w, "BROKEN: %s", w->broken);
}

bool reach(const struct world *w, int i, int j)
{
	const struct machine *a = &w->m[i], *b = &w->m[j];

	return i == j || (a->on && b->on && a->link && b->link && a->side == b->side);
}

bool can_write(const struct world *w, int i)
{
	return w->m[i].on && w->m[i].mount == MOUNT_OK && !w->m[i].full;
}

void stop_k3s(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	if (!m->runs)
		return;
	note(w, "%s: K3s ends", node_names[i]);
	m->runs = m->leader = false;
	if (m->commit > m->disk.etcd.commit)
		m->disk.etcd.commit += below(w, m->commit - m->disk.etcd.commit + 1);
	m->commit = 0;
}

void start_k3s(struct world *w, int i)
{
	struct machine *m = &w->m[i];

	m->runs = true;
	m->leader = false;
	m->commit = m->disk.etcd.commit;
	note(w, "%s: K3s runs", node_names[i]);
}

void power_off(struct world *w, int i)
{
	stop_k3s(w, i);
	w->m[i].on = w->m[i].answered = false;
	w->m[i].phase = PHASE_IDLE;
	w->m[i].last.why[0] = 0;
	note(w, "%s: no power", node_names[i]);
}

void fresh_disk(struct world *w, int i)
{
	w->m[i].disk = (struct disk){ .promise.node = -1, .since = w->step };
}
