/* SIM [--from N] [--runs N] [--verbose] [--mutant RULE | --mutants] */
#include "tests/sim_main.h"

#include "lib/str.h"

#include <stdio.h>

#define FAILURES_MAX 20

static int runs(const struct sim *s, uint64_t from, uint64_t n, bool verbose)
{
	int failed = 0;

	for (uint64_t k = from; k < from + n && failed < FAILURES_MAX; k++) {
		const char *broken = s->run(k, verbose);

		if (broken) {
			printf("run %llu: %s\n", (unsigned long long)k, broken);
			failed++;
		}
	}
	s->summary(failed);
	return failed > 0;
}

static bool mutant(const struct sim *s, int r, uint64_t from, uint64_t n)
{
	const char *broken = NULL;

	*s->removed = 1u << r;
	for (uint64_t k = from; k < from + n && !broken; k++) {
		broken = s->run(k, false);
		if (broken)
			printf("%-*s run %-6llu %.90s\n", s->name_width, s->rule_name(r),
			       (unsigned long long)k, broken);
	}
	if (!broken)
		printf("%-*s NOT CAUGHT in %llu runs\n", s->name_width, s->rule_name(r),
		       (unsigned long long)n);
	*s->removed = 0;
	return broken != NULL;
}

static int usage(const struct sim *s)
{
	fprintf(stderr, "usage: %s [--from N] [--runs N] [--verbose] [--mutant RULE | --mutants]\n",
		s->name);
	return 2;
}

static void remove_rule(const struct sim *s, const char *name)
{
	for (int r = 0; r < s->rules; r++)
		if (str_eq(name, s->rule_name(r)))
			*s->removed |= 1u << r;
}

int sim_main(const struct sim *s, int argc, char **argv)
{
	long from = 0, n = s->runs, missed = 0;
	bool verbose = false, mutants = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (str_eq(argv[i], "--verbose")) {
			verbose = true;
		} else if (str_eq(argv[i], "--mutants")) {
			mutants = true;
		} else if (str_eq(argv[i], "--mutant")) {
			remove_rule(s, value);
			if (!*s->removed)
				return usage(s);
			i++;
		} else if ((str_eq(argv[i], "--from") && str_to_long(value, 0, 1L << 40, &from)) ||
			   (str_eq(argv[i], "--runs") && str_to_long(value, 1, 1L << 40, &n))) {
			i++;
		} else {
			return usage(s);
		}
	}
	if (!mutants)
		return runs(s, (uint64_t)from, (uint64_t)n, verbose);
	for (int r = 0; r < s->rules; r++)
		missed += !mutant(s, r, (uint64_t)from, (uint64_t)n);
	return missed > 0;
}
