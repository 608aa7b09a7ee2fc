/* Reads a bbolt database (format version 2) without its lock and without mmap: each page is read
 * and checked before it is believed, so a cut, foreign or hostile file, or a bad sector, is an
 * error and never a signal. Only what is asked for is read: a few pages of a file of any size. */
#pragma once

#include "lib/fault.h"

#include <stddef.h>
#include <stdint.h>

struct bbolt {
	int fd; /* borrowed */
	uint64_t size;
	uint32_t page_size;
	uint64_t root;	     /* root page of the root bucket */
	uint64_t high;	     /* pages from here on don't exist */
	unsigned pages_left; /* how many pages may still be read: ends cycles */
};

/* Chooses the newer valid meta page of the file FD, as bbolt does. -EBADMSG when there is none, or
 * when the file is shorter than it says. */
int bbolt_open(struct bbolt *b, int fd, struct fault *f);

/* A key and its value; both end with the call. A negative return ends the walk with it. */
typedef int bbolt_pair(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t value_len, struct fault *f);
/* Calls PAIR for each key of the top-level bucket NAME in order. Returns 1, or 0 when there is no
 * such bucket. */
int bbolt_each(struct bbolt *b, const char *name, bbolt_pair *pair, void *user, struct fault *f);
