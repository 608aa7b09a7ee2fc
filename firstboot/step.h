/* First boot is a table of steps. A step tells whether it is needed (check: read-only) and does it
 * (apply); the engine runs check, apply, check again at every boot, so that the truth is the
 * machine's state and never a stamp file. The same table serves --plan (check only) and audit. */
#pragma once

#include "cloud-init/seed.h"
#include "lib/fault.h"
#include "lib/fs.h"

#include <stdint.h>

struct agent; /* what the steps from the node exchange on share: see agent.h */

struct boot {
	struct fs fs; /* the machine's root, or --root R */
	/* fs is the running machine: kernel and services may be asked and changed. With --root only
	 * files are. */
	bool live;
	bool plan;	     /* nothing may change */
	struct seed *seed;   /* set by step `seed`; every later step may rely on it */
	struct agent *agent; /* NULL with --plan and --root */
	char why[400];	     /* a check that returns 1 says here what is missing, in words */
	/* What is not as it should be although the machine can live with it: shown as a warning when the
	 * step is done, stops nothing. */
	char note[400];
};

enum { STEP_DONE = 0, STEP_NEEDED = 1 };

struct step {
	const char *name;    /* one word, for status and journal */
	const char *summary; /* one line for --plan: what it ensures */
	bool live_only; /* makes sense on the running machine only: skipped by name with --root */
	/* 0 done, 1 needed (boot->why says what), -errno could not look. Changes nothing. */
	int (*check)(struct boot *b, struct fault *f);
	/* Does it. 0, or -errno. -EAGAIN (of either): waiting for something outside (the fault
	 * says for what); the engine looks again soon, without alarm. */
	int (*apply)(struct boot *b, struct fault *f);
};

/* The table, in order; ended by a row without a name (steps.c). */
extern const struct step steps[];
/* This node's and the cluster's configuration, once `seed` is done. */
static inline const struct cluster_config *boot_config(const struct boot *b)
{
	return b->seed->config;
}
static inline const struct node_config *boot_node(const struct boot *b)
{
	return &b->seed->config->nodes[b->seed->self];
}
/* Sets boot->why and returns STEP_NEEDED. */
int step_needed(struct boot *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds a sentence to boot->note. */
void step_note(struct boot *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For a step that owns files: is PATH a file with MODE and exactly TEXT? 1 yes, 0 no. */
bool step_file_is(const struct boot *b, const char *path, mode_t mode, const char *text);
