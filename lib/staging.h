/* A folder that appears whole or not at all: it is filled under a temporary name beside its place
 * and renamed at the end. */
#pragma once

#include "lib/fault.h"
#include "lib/fs.h"

struct staging {
	struct fs fs; /* the folder while it is filled; mode 0700 */
	int lock;     /* held on it: one without is left over from a program that was killed */
	char *target, *temporary;
};
#define _staging_ _cleanup_(staging_abort)

/* TARGET's parent must exist. What a killed run of ours left beside TARGET is removed. */
int staging_begin(struct staging *s, const char *target, struct fault *f);
/* Takes the place of TARGET: absent, or an empty folder (-EEXIST otherwise); with REPLACE whatever
 * folder is there goes away. */
int staging_commit(struct staging *s, bool replace, struct fault *f);
/* Removes what was not committed. */
void staging_abort(struct staging *s);
