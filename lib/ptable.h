/* Partition tables (GPT), by libfdisk; its types stop here. A table is only ever made in memory:
 * what a disk is to begin and to end with, as bytes. In which order they are written, so that a cut
 * at any moment leaves a disk that says what it is, is the caller's business. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PTABLE_SECTOR 512
/* What lies before the first partition (partitions begin at a MiB), and the copy at the end. */
#define PTABLE_HEAD (1U << 20)
#define PTABLE_TAIL (33 * PTABLE_SECTOR)

struct partition {
	char name[73]; /* UTF-8 of at most 36 characters */
	char type[37], uuid[37];
	uint64_t start, size; /* bytes */
	uint64_t attributes;
};

struct ptable {
	bool gpt; /* false: an MBR, whose entries have no names, types and uuids */
	char uuid[37];
	uint64_t size; /* of the disk as the table knows it, in bytes: up to the end of its copy */
	struct partition *v;
	size_t n;
};
#define _ptable_ _cleanup_(ptable_free)

/* Reads the table of FD, a disk or file of SIZE bytes called NAME; a GPT's copy at the end counts
 * when the beginning is damaged. 1: read; 0: there is no table at all; -EUCLEAN: it is damaged
 * beyond use, or of a kind that nobody has used on such machines for long. */
int ptable_read(int fd, uint64_t size, const char *name, struct ptable *ret, struct fault *f);
/* The same of a GPT alone, by a file's first HEAD_LEN bytes (at least PTABLE_HEAD of an image). */
int ptable_read_head(const void *head, size_t head_len, const char *name, struct ptable *ret,
		     struct fault *f);
void ptable_free(struct ptable *t);
/* The partition of that name; NULL: none. *N (may be NULL) is how many have it. */
const struct partition *ptable_find(const struct ptable *t, const char *name, size_t *n);
/* End of the last partition, in bytes. */
uint64_t ptable_end(const struct ptable *t);
void ptable_add(struct ptable *t, const struct partition *p);

/* Makes the table T for a disk of SIZE bytes. BOOT (PTABLE_HEAD bytes, or NULL) gives the boot code
 * of the first sector and what lies between table and first partition. Entries without uuid get a
 * random one; so does a table without. */
int ptable_make(const struct ptable *t, uint64_t size, const void *boot,
		unsigned char head[PTABLE_HEAD], unsigned char tail[PTABLE_TAIL], struct fault *f);
