/* A disk image as it arrives: a file or standard input, compressed or not. While it is read its
 * SHA-256 is taken, of the bytes as they were published; its partition table is known before the
 * first byte goes anywhere. */
#pragma once

#include "lib/crypto.h"
#include "lib/ptable.h"
#include "lib/unpack.h"

#include <signal.h>

struct source {
	char *name; /* for messages */
	int fd;
	uint64_t packed, packed_size; /* bytes read so far, and in all (0: not known) */
	unsigned char *head;	      /* the first PTABLE_HEAD bytes */
	struct ptable table;
	char expected[65]; /* SHA-256 that was published, or "" */
	char sha256[65];   /* what it was: after source_end */
	struct crypto_hash *hash;
	struct unpack_source raw;
	struct unpack *unpack;
	const volatile sig_atomic_t *stop; /* a signal number ends the reading: -EINTR; or NULL */
	int (*ended)(void *user, struct fault *f); /* source_open_fd's; NULL once called */
	void *user;
};
#define _source_ _cleanup_(source_freep)

/* Opens PATH ("-": standard input), reads the beginning. SHA256 is what was published; NULL: what
 * PATH.sha256 says, if there is one. -EINVAL: no image of a disk. */
int source_open(const char *path, const char *sha256, struct source **ret, struct fault *f);
/* The same of FD, which becomes the source's, such as the end of a pipe: SIZE bytes (0: not known)
 * called NAME. ENDED (may be NULL) is called once, when nothing more comes or is wanted, also when
 * this fails: its error is why the stream ended early. */
int source_open_fd(int fd, const char *name, const char *sha256, uint64_t size,
		   int (*ended)(void *user, struct fault *f), void *user, struct source **ret,
		   struct fault *f);
/* The next bytes after the head: as unpack_read. For one thread at a time. */
ssize_t source_read(struct source *s, void *buf, size_t n, struct fault *f);
/* Reads what is left, and compares: -EBADMSG names both sums. */
int source_end(struct source *s, struct fault *f);
void source_freep(struct source **s);
