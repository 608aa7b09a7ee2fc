/* The places where a seed may lie. */
#pragma once

#include "cloud-init/seed.h"

/* What lies at one place. */
struct seed_candidate {
	char *source;	 /* for people: the place */
	char *file;	 /* …and the file there, for what has a line */
	struct str text; /* the file; empty when it could not be read or was not fetched */
	char sha256[65];
	struct fault fault; /* why it could not be read; code 0: it was */
};
struct seed_candidates {
	struct seed_candidate *v;
	size_t n;
	struct strv
		looked; /* every place, with what was there, for the message that there is none */
};
#define _candidates_ _cleanup_(seed_candidates_free)
void seed_candidates_free(struct seed_candidates *c);
/* All places in their order. The URL of the command line is fetched only when its checksum is not
 * KNOWN. */
void seed_places_look(const struct fs *fs, bool (*known)(void *user, const char *sha256),
		      void *user, struct seed_candidates *c);
/* The folders among the places, NULL-terminated. */
extern const char *const seed_folders[];

/* Value of phoenix.seed=… and phoenix.seed-sha256=… (NULL: absent). CMDLINE separates words by
 * spaces or NULs. */
void seed_cmdline(const char *cmdline, size_t len, char **url, char **sha256);
