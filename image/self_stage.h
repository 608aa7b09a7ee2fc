/* What a node needs to renew itself, brought into memory and looked at before anything changes: the
 * image, all of it, and the seed. */
#pragma once

#include "image/flash_seed.h"
#include "image/self_tree.h"
#include "image/source.h"

/* How many bytes PATH will take: 0 when it does not tell (standard input). */
int self_stage_size(const char *path, uint64_t *ret, struct fault *f);
/* Copies the image PATH ("-": standard input), reads it through to its end as it will be written, and
 * compares it with SHA256 or PATH.sha256. *RET is at its beginning again, called as PATH, and its
 * `expected` is what was published, `sha256` what it is. STOP: a signal number. */
int self_stage_image(struct self_tree *t, const char *path, const char *sha256,
		     const volatile sig_atomic_t *stop, struct source **ret, struct fault *f);
/* The seed: of the file or folder PATH, which must be for OWN's node; NULL: OWN again, which never
 * says that anything may be erased. */
int self_stage_seed(struct self_tree *t, const char *path, const struct seed *own,
		    struct flash_seed *ret, struct fault *f);
