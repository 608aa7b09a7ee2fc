/* Three database pods: a run, from its first step until somebody writes again. */
#include "tests/sim-db/sim.h"

#include "tests/sim_main.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_MS 90000

static void step(struct world *w)
{
	w->now += STEP_MS;
	if (!w->story && chance(w, w->idle ? 4 : 2))
		w->idle = !w->idle && !w->quiet;
	squeeze_on(w);
	story_on(w);
	deliver(w);
	for (int i = 0; i < PG_PODS; i++) {
		struct pod *p = &w->pods[i];

		if (!p->on && w->now >= p->until)
			pod_start(w, i);
		if (p->paused && w->now >= p->until)
			p->paused = p->all_paused = false;
		pod_step(w, i);
		data_step(w, i);
	}
}

/* May anybody at all become the primary by the rules? A volume that was recorded may be empty now. */
static bool is_hopeless(const struct world *w)
{
	const struct pg_record *r = &w->lease.record;

	for (int i = 0; i < PG_PODS; i++)
		if (r->known && r->eligible[i] &&
		    volume_place(&w->pods[i].volume).term >= r->place.term)
			return false;
	return r->known;
}

static void end(struct world *w)
{
	int64_t until = w->now + SETTLE_MS;

	heal(w);
	for (w->last_ack = w->now; w->now < until && !*w->broken;) {
		step(w);
		if (w->now > until - SETTLE_MS / 2 && w->last_ack > until - SETTLE_MS / 2)
			return;
		if (w->next_id >= ENTRIES - 10)
			return;
	}
	if (!*w->broken && is_hopeless(w))
		w->stats->words++;
	else
		broken(w, "stuck: %s | %s | %s", w->pods[0].core.why, w->pods[1].core.why,
		       w->pods[2].core.why);
}

static void begin(struct world *w, struct stats *stats, uint64_t number, bool verbose)
{
	memset(w, 0, sizeof *w);
	w->stats = stats;
	w->run = number;
	w->seed = number * 0x2545f4914f6cdd1d + 1;
	w->verbose = verbose;
	w->mode = number % 2 ? PG_SYNC : PG_ASYNC;
	w->slow = below(w, 4) - 1;
	/* Every other pair with no more between two pods' times than clocks that differ by a
	 * thousandth take: what is only saved by the margins is noticed. */
	w->tight = number / 6 % 2;
	if (number / 12 % 3 == 2)
		story_choose(w, (int)(number / 36 * 12 + number % 12));
	pg_times.fence_ms = w->tight ? 5450 : 4500;
	pg_times.margin_ms = w->tight ? 50 : 500;
	pg_times.renew_ms = w->tight ? 250 : 750;
	w->quick = w->tight || w->story;
	w->next_id = 1;
	w->api_up = true;
	w->lease =
		(struct pg_lease){ .exists = true,
				   .holder = "before",
				   .term = 1,
				   .version = ++w->version,
				   .record = { .known = true, .number = 1, .place = { 1, 1, 1 } } };
	for (int i = 0; i < PG_PODS; i++) {
		struct pod *p = &w->pods[i];

		p->api = true;
		p->rate = w->tight ? 0.999 + below(w, 3) / 1000.0 : 0.97 + below(w, 60) / 1000.0;
		p->offset = 100000 + below(w, 1000000);
		volume_add(&p->volume, 1, 1, 0);
		w->lease.record.eligible[i] = true;
		for (int k = 0; k < PG_PODS; k++)
			w->linked[i][k] = true;
	}
}

/* True: nothing was broken. */
static bool run(struct world *w, uint64_t number, struct stats *stats, bool verbose)
{
	int64_t until;
	int faults;

	begin(w, stats, number, verbose);
	until = w->story ? 60000 : 20000 + below(w, 100000);
	faults = 1 + below(w, 12);
	while (w->now < until && !*w->broken && w->next_id < ENTRIES - 10) {
		step(w);
		if (w->now < 8000 || w->story)
			continue;
		if (number / 12 % 3 == 0 && chance(w, faults))
			fault(w);
		else if (number / 12 % 3 == 1 && w->now % 20000 == 0)
			drill(w);
	}
	if (!*w->broken)
		end(w);
	stats->runs++;
	return !*w->broken;
}

static struct stats totals;

static const char *one_run(uint64_t number, bool verbose)
{
	static struct world w;

	return run(&w, number, &totals, verbose) ? NULL : w.broken;
}

static const char *name_of(int r)
{
	return pg_rule_name((enum pg_rule)r);
}

static void summary(int failed)
{
	printf("%ld runs, %d broken: %ld commits acknowledged (%ld on a promise), %ld promotions, "
	       "%ld old states of the API restored, %ld ended with a volume that only a person can "
	       "give up\n",
	       totals.runs, failed, totals.acks, totals.failsafe, totals.promotions,
	       totals.restores, totals.words);
}

int main(int argc, char **argv)
{
	static const struct sim sim = { .name = "sim-db",
					.runs = 500,
					.rules = PG_RULE_COUNT,
					.removed = &pg_removed,
					.rule_name = name_of,
					.name_width = 14,
					.run = one_run,
					.summary = summary };

	return sim_main(&sim, argc, argv);
}
