/* A pod: the core, and a PostgreSQL that takes its time. */
#include "tests/sim-db/sim.h"

#include <stdio.h>
#include <string.h>

static void new_holder(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	snprintf(p->core.holder, sizeof p->core.holder, "pod-%d/%d", i, ++p->nonce);
	p->core.need_holder = false;
	note(w, "%d: is %s", i, p->core.holder);
}

void pod_start(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	p->on = true;
	p->known = p->volume.n == 0;
	p->paused = p->all_paused = false;
	p->server = PG_DOWN;
	p->busy = IDLE;
	p->permit = 0;
	p->from = -1;
	w->request[i] = 0;
	pg_core_start(&p->core, i, w->mode, local(w, i), "", &p->vote);
	new_holder(w, i);
}

/* At once: the pod, and all in it. */
void pod_stop(struct world *w, int i)
{
	struct pod *p = &w->pods[i];

	note(w, "%d: off", i);
	p->on = p->paused = p->all_paused = false;
	p->server = PG_DOWN;
	p->permit = 0;
}

static void server_is(struct world *w, int i, enum pg_server s)
{
	static const char *const names[] = { "down", "standby", "primary" };
	struct pod *p = &w->pods[i];

	p->server = s;
	p->known |= s != PG_DOWN;
	p->busy = IDLE;
	p->from = -1;
	note(w, "%d: PostgreSQL %s, term %ld, %d", i, names[s], (long)volume_place(&p->volume).term,
	     p->volume.n);
}

static void begin(struct world *w, struct pod *p, enum busy what, int most)
{
	p->busy = what;
	p->busy_until = w->now + (w->quick ? 1 : 20 + below(w, most));
}

/* After a crash PostgreSQL reads its log first. */
static int start_ms(struct world *w)
{
	return !w->quiet && !w->story && chance(w, 150) ? 15000 : 1500;
}

static void server_wish(struct world *w, int i, const struct pg_wish *wish)
{
	struct pod *p = &w->pods[i];

	switch (wish->server) {
	case PG_LEAVE:
		return;
	case PG_RUN:
		/* (an empty volume is cloned: data.c) */
		if (p->busy == IDLE) {
			begin(w, p, STARTING, start_ms(w));
			p->promote_term = 0;
		}
		return;
	case PG_RESTART:
		if (p->busy == IDLE) {
			begin(w, p, STARTING, start_ms(w));
			p->promote_term = -1;
		}
		return;
	case PG_PROMOTE:
		if (p->busy == IDLE) {
			note(w, "%d: promotes to %ld", i, (long)wish->term);
			begin(w, p, PROMOTING, 900);
			p->promote_term = wish->term;
		}
		return;
	case PG_STOP:
		if (p->busy != STOPPING)
			begin(w, p, STOPPING, 700);
		return;
	}
}

static void server_step(struct world *w, int i)
{
	struct pod *p = &w->pods[i];
	bool restart = p->promote_term == -1;

	if (p->mark_at && p->server != PG_PRIMARY)
		p->mark_at = 0;
	if (p->mark_at && w->now >= p->mark_at) {
		volume_add(&p->volume, volume_place(&p->volume).term, p->mark, 0);
		p->mark_at = 0;
	}

	if (p->busy == IDLE || w->now < p->busy_until)
		return;
	if (p->busy == STOPPING) {
		server_is(w, i, PG_DOWN);
	} else if (p->busy == STARTING) {
		p->promote_term = 0;
		server_is(w, i, restart ? PG_PRIMARY : PG_STANDBY);
	} else {
		/* the term is the first that it writes */
		volume_add(&p->volume, p->promote_term, volume_place(&p->volume).recorded, 0);
		p->acked = p->volume.n;
		p->promote_term = 0;
		memset(p->names, 0, sizeof p->names);
		p->names_at = 0;
		w->stats->promotions++;
		server_is(w, i, PG_PRIMARY);
	}
}

void pod_do(struct world *w, int i, const struct pg_wish *wish)
{
	struct pod *p = &w->pods[i];

	server_wish(w, i, wish);
	if (wish->mark && !p->mark_at) {
		p->mark_at = w->now + 1 + (w->quick ? 0 : below(w, 200));
		p->mark = wish->mark;
	}
	if (wish->set_names && (!p->names_at || memcmp(p->wished, wish->names, sizeof p->wished))) {
		memcpy(p->wished, wish->names, sizeof p->wished);
		p->names_at = w->now + 10 + below(w, 400);
	}
	if (wish->read_lease || wish->write_lease) {
		struct message *m = post(w, wish->write_lease ? API_WRITE : API_READ, i, i);

		m->sent = w->requested[i] = local(w, i);
		m->lease = wish->lease;
		m->request = w->request[i] = 1 + (int)(draw(w) % 1000000000);
	}
	for (int k = 0; k < PG_PODS; k++)
		if (wish->ask[k]) {
			struct message *m = post(w, PEER_ASK, i, k);

			m->sent = local(w, i);
			m->q = wish->question;
		}
}

/* What the supervisor sees of its PostgreSQL. */
static void told(struct world *w, int i)
{
	struct pod *p = &w->pods[i];
	struct pg_core *c = &p->core;

	c->server = p->server;
	c->place_known = p->known;
	c->place = p->known ? volume_place(&p->volume) : (struct pg_place){ 0 };
	for (int k = 0; k < PG_PODS; k++) {
		const struct pod *s = &w->pods[k];

		c->streams[k] = k != i && s->on && s->from == i && s->server == PG_STANDBY;
		c->flushed[k] = c->streams[k] ? (uint64_t)s->volume.n : 0;
		c->fresh[k] = c->streams[k] && s->volume.n + LAG >= p->volume.n;
	}
	if (p->names_at && w->now >= p->names_at) {
		/* older and newer processes: a commit may still go by the old ones until now */
		memcpy(p->names, p->wished, sizeof p->names);
		p->names_at = 0;
		if (memcmp(p->names, c->names, sizeof p->names) == 0)
			c->names_set = true;
	}
}

void pod_step(struct world *w, int i)
{
	struct pod *p = &w->pods[i];
	struct pg_wish wish;

	if (!p->on || p->all_paused)
		return;
	server_step(w, i);
	if (p->paused)
		return;
	told(w, i);
	pg_core_tick(&p->core, local(w, i), &wish);
	pod_do(w, i, &wish);
	if (p->core.need_holder && !p->core.in_flight)
		new_holder(w, i);
	p->permit = p->core.permit_until;
	if (p->core.leaving && p->server == PG_DOWN && !p->core.holds && !p->core.in_flight) {
		pod_stop(w, i);
		p->until = w->now + below(w, 5000);
	}
}
