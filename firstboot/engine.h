/* Runs the table of steps: check, apply, check again; stops at the first that is not done, because
 * later ones stand on it. One pass never waits and never repeats: when to look again is the
 * caller's business (a daemon with backoff, a command that runs once). */
#pragma once

#include "firstboot/step.h"

enum step_state {
	STATE_PENDING, /* not looked at yet, or no longer reached */
	STATE_WORKING,
	STATE_DONE,    /* was so already; text is the note, if any */
	STATE_CHANGED, /* this pass made it so */
	STATE_NEEDED,  /* --plan: would be done */
	STATE_WAITING, /* for something outside */
	STATE_FAILED,
	STATE_SKIPPED, /* does not apply here; text says why */
};

struct step_result {
	enum step_state state;
	char text[1000]; /* one line for people; "" when there is nothing to say */
	int64_t ms;	 /* spent in this step by all passes so far */
	int tries;	 /* how often it was applied */
	int changes;	 /* how often that changed the machine */
};

struct engine {
	struct boot *boot;
	const struct step *steps;
	struct step_result *results; /* one a step; zeroed by the caller before the first pass */
	size_t n;
	/* Called whenever results[i] changed its state or text; may be NULL. */
	void (*report)(void *user, const struct engine *e, size_t i);
	void *user;
};

size_t engine_count(const struct step *table);
/* 0: every step is done. -EAGAIN: one waits. Otherwise a step failed; F is that step's fault in
 * both cases, wrapped with the step's name. With boot->plan nothing is applied and the pass goes
 * on behind a needed or failed step as long as there is a seed; 1 = something would be done. */
int engine_pass(struct engine *e, struct fault *f);
/* Runs only the step NAME (check, apply, check); -ENOENT when there is none. The steps before it
 * must have been done. */
int engine_step(struct engine *e, const char *name, struct fault *f);
const char *step_state_name(enum step_state s);
