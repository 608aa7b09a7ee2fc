/* sim [--from N] [--runs N] [--verbose] [--mutant RULE | --mutants] */
#include "tests/sim/sim.h"

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

static int runs(uint64_t from, uint64_t n, bool verbose)
{
	struct stats stats = { 0 };
	struct world w;
	int failed = 0;

	for (uint64_t k = from; k < from + n; k++)
		if (!run(&w, k, &stats, verbose)) {
			printf("run %llu: %s\n", (unsigned long long)k, w.broken);
			if (++failed == 20)
				break;
		}
	printf("%ld runs: %ld ended by themselves, %ld with an operator's word (%ld words in all), "
	       "%d broken; %ld etcd panics after old disks or resets, %ld excused steps (%ld by "
	       "words "
	       "on an old disk), %ld logs full\n",
	       stats.runs, stats.alone, stats.helped, stats.words, failed, stats.panics,
	       stats.excused, stats.splits_excused_words, stats.full);
	return failed > 0;
}

static bool mutant(enum rule r, uint64_t from, uint64_t n)
{
	struct stats stats = { 0 };
	struct world w;
	bool caught = false;

	decide_removed = 1u << r;
	for (uint64_t k = from; k < from + n && !caught; k++)
		if (!run(&w, k, &stats, false)) {
			printf("%-20s run %-6llu %.90s\n", rule_name(r), (unsigned long long)k,
			       w.broken);
			caught = true;
		}
	if (!caught)
		printf("%-20s NOT CAUGHT in %llu runs\n", rule_name(r), (unsigned long long)n);
	decide_removed = 0;
	return caught;
}

static int usage(void)
{
	fputs("usage: sim [--from N] [--runs N] [--verbose] [--mutant RULE | --mutants]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	long from = 0, n = 2000, missed = 0;
	bool verbose = false, mutants = false;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (str_eq(argv[i], "--verbose")) {
			verbose = true;
		} else if (str_eq(argv[i], "--mutants")) {
			mutants = true;
		} else if (str_eq(argv[i], "--mutant")) {
			for (int r = 0; r < RULE_COUNT; r++)
				if (str_eq(value, rule_name(r)))
					decide_removed |= 1u << r;
			if (!decide_removed)
				return usage();
			i++;
		} else if ((str_eq(argv[i], "--from") && str_to_long(value, 0, 1L << 40, &from)) ||
			   (str_eq(argv[i], "--runs") && str_to_long(value, 1, 1L << 40, &n))) {
			i++;
		} else {
			return usage();
		}
	}
	if (!mutants)
		return runs((uint64_t)from, (uint64_t)n, verbose);
	for (int r = 0; r < RULE_COUNT; r++)
		missed += !mutant(r, (uint64_t)from, (uint64_t)n);
	return missed > 0;
}
