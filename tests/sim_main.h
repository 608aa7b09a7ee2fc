/* The command line that the simulations share: runs by their numbers, or a rule removed, which has
 * to be noticed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim {
	const char *name;
	long runs; /* unless --runs says otherwise */
	/* the rules that can be removed: bit N of *REMOVED is rule N */
	int rules;
	unsigned *removed;
	const char *(*rule_name)(int rule);
	int name_width;
	/* One run: NULL, or what was broken, until the next one. */
	const char *(*run)(uint64_t number, bool verbose);
	/* What all runs came to, FAILED of which were broken. */
	void (*summary)(int failed);
};

int sim_main(const struct sim *s, int argc, char **argv);
