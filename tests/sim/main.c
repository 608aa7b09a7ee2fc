/* Three nodes: a run, from its first step until all is settled. */
#include "tests/sim/sim.h"

#include "tests/sim_main.h"

#define SETTLE 700
#define WORDS_MAX 14

void world_step(struct world *w)
{
	int i = below(w, NODE_COUNT);

	w->step++;
	if (chance(w, 65))
		node_step(w, i);
	else
		raft_tick(w, i);
	if (chance(w, 1))
		event_late(w);
	oracle_step(w);
}

static bool settle(struct world *w)
{
	for (int n = 0; n < SETTLE && !*w->broken && !w->full; n++) {
		if (n % 10 == 0 && converged(w))
			return true;
		world_step(w);
	}
	return false;
}

/* A disk whose etcd panics for good, or whose split nothing ends, is a person's to wipe: only
 * where old disks came back. */
static void end(struct world *w)
{
	int before = w->words;

	all_quiet(w);
	for (int n = 0; n < WORDS_MAX; n++) {
		int given = w->words;

		if (settle(w)) {
			w->stats->alone += w->words == before;
			w->stats->helped += w->words > before;
			w->stats->words += w->words;
			return;
		}
		if (*w->broken || w->full)
			return;
		operator_acts(w);
		if (w->words == given)
			break;
		if (w->profile == PROFILE_GENTLE)
			broken(w,
			       "not-alone: nothing but passing faults, and a person is needed: %s",
			       w->m[0].last.why);
	}
	broken(w, "stuck: a: %.120s | b: %.120s | c: %.120s", w->m[0].last.why, w->m[1].last.why,
	       w->m[2].last.why);
}

/* True: nothing was broken. */
static bool run(struct world *w, uint64_t number, struct stats *stats, bool verbose)
{
	int steps;

	memset(w, 0, sizeof *w);
	w->stats = stats;
	w->run = number;
	w->seed = number * 0x2545f4914f6cdd1d + 1;
	w->verbose = verbose;
	w->profile = (enum profile)(number % PROFILE_COUNT);
	for (int i = 0; i < NODE_COUNT; i++) {
		fresh_disk(w, i);
		w->m[i].on = w->m[i].link = true;
	}
	event_prefix(w);
	steps = chance(w, 25) ? below(w, 50) : 100 + below(w, 300);
	for (int n = 0; n < steps && !*w->broken && !w->full; n++) {
		if (chance(w, 7))
			event(w);
		world_step(w);
	}
	if (!*w->broken && !w->full)
		end(w);
	stats->runs++;
	stats->panics += w->panics;
	stats->full += w->full;
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
	return rule_name((enum rule)r);
}

static void summary(int failed)
{
	printf("%ld runs: %ld ended by themselves, %ld with an operator's word (%ld words in all), "
	       "%d broken; %ld etcd panics after old disks or resets, %ld excused steps (%ld by "
	       "words "
	       "on an old disk), %ld logs full\n",
	       totals.runs, totals.alone, totals.helped, totals.words, failed, totals.panics,
	       totals.excused, totals.splits_excused_words, totals.full);
}

int main(int argc, char **argv)
{
	static const struct sim sim = { .name = "sim",
					.runs = 2000,
					.rules = RULE_COUNT,
					.removed = &decide_removed,
					.rule_name = name_of,
					.name_width = 20,
					.run = one_run,
					.summary = summary };

	return sim_main(&sim, argc, argv);
}
