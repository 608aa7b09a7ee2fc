/* Chance, clocks, and what travels between pods and the API. */
#include "tests/sim-db/sim.h"

#include "tests/random.h"

#include "lib/str.h"

#include <stdio.h>
#include <string.h>

uint64_t draw(struct world *w)
{
	return random_next(&w->seed);
}

int below(struct world *w, int n)
{
	return (int)(draw(w) % (uint64_t)n);
}

bool chance(struct world *w, int per_mille)
{
	return below(w, 1000) < per_mille;
}

void note(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%7.2f  ", (double)w->now / 1000);
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

int64_t local(const struct world *w, int i)
{
	return w->pods[i].offset + (int64_t)((double)w->now * w->pods[i].rate);
}

bool reach(const struct world *w, int i, int j)
{
	return w->pods[i].on && w->pods[j].on && w->linked[i][j];
}

/* Mostly at once; some are held up, by seconds. */
static int64_t delay(struct world *w, bool slow)
{
	if (w->quiet || w->story || chance(w, slow ? 300 : 900))
		return 1 + below(w, 30);
	if (slow && chance(w, 800))
		return below(w, 1500);
	return chance(w, 700) ? below(w, 300) : below(w, 4000);
}

struct message *post(struct world *w, enum kind kind, int from, int to)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct message *m = &w->messages[i];

		if (m->used)
			continue;
		if (i >= w->messages_used)
			w->messages_used = i + 1;
		*m = (struct message){ .used = true,
				       .kind = kind,
				       .from = from,
				       .to = to,
				       .at = w->now + delay(w, from == w->slow || to == w->slow) };
		return m;
	}
	broken(w, "too many messages");
	return &w->messages[0];
}

/* What the API does with a request. */
static void api_serve(struct world *w, const struct message *m)
{
	struct pod *p = &w->pods[m->from];
	struct message *answer;
	bool fits = m->lease.version == (w->lease.exists ? w->lease.version : 0);
	bool write = m->kind == API_WRITE && fits;

	if (!w->api_up || !p->api)
		return;
	if (write) {
		w->lease = m->lease;
		w->lease.exists = true;
		w->lease.version = ++w->version;
		if (w->lease.renewals != w->noted + 1 || !w->lease.holder[0])
			note(w, "Lease: %s, term %ld%s", w->lease.holder, (long)w->lease.term,
			     w->lease.released ? ", released" : "");
		w->noted = w->lease.renewals;
		recorded(w, m->from, &w->lease);
		if (!w->story && chance(w, w->lease.released ? 500 : 20)) {
			w->snapshot = w->lease;
			w->snapshot_version = w->version;
		}
	}
	answer = post(w, API_ANSWER, m->from, m->from);
	answer->sent = m->sent;
	answer->request = m->request;
	answer->there = true;
	answer->lease = w->lease;
	answer->written = write;
}

static void arrive(struct world *w, const struct message *m)
{
	struct pod *p = &w->pods[m->to];
	struct message *answer;

	switch (m->kind) {
	case API_READ:
	case API_WRITE:
		api_serve(w, m);
		return;
	case API_ANSWER:
		/* who gave up waiting does not hear it */
		if (p->on && p->api && w->request[m->to] == m->request) {
			w->request[m->to] = 0;
			pg_core_api(&p->core, local(w, m->to), m->sent, &m->lease, m->written);
		}
		return;
	case PEER_ASK:
		if (!reach(w, m->from, m->to))
			return;
		answer = post(w, PEER_ANSWER, m->to, m->from);
		answer->sent = m->sent;
		answer->q = m->q;
		pg_core_ask(&p->core, local(w, m->to), &m->q, &answer->a);
		p->vote = p->core.vote;
		if (m->q.what != PG_TELL)
			note(w, "%d: %s %s of %s, term %ld", m->to,
			     answer->a.yes ? "gives" : "refuses",
			     m->q.what == PG_VOTE ? "the vote" : "the promise", m->q.holder,
			     (long)m->q.term);
		return;
	case PEER_ANSWER:
		if (reach(w, m->from, m->to))
			pg_core_answer(&p->core, local(w, m->to), m->sent, m->from, &m->q, &m->a);
		return;
	}
}

void deliver(struct world *w)
{
	for (int i = 0; i < w->messages_used; i++) {
		struct message m, *each = &w->messages[i];

		if (!each->used || each->at > w->now)
			continue;
		/* a pod that stands still reads it later */
		if (each->kind != API_READ && each->kind != API_WRITE && w->pods[each->to].on &&
		    w->pods[each->to].paused)
			continue;
		m = *each;
		each->used = false;
		arrive(w, &m);
	}
	for (int i = 0; i < PG_PODS; i++)
		if (w->request[i] && w->pods[i].on && !w->pods[i].paused &&
		    local(w, i) - w->requested[i] > 1000) {
			w->request[i] = 0;
			pg_core_api(&w->pods[i].core, local(w, i), w->requested[i], NULL, false);
		}
}
