/* A stream that may be compressed, read as what it was before: zstd, xz, or neither, told by its
 * first bytes, never by a name. The end is believed only where the format says so: a stream that
 * was cut off is an error, not a short file. */
#pragma once

#include "lib/fault.h"

#include <stddef.h>
#include <sys/types.h>

/* Where the bytes come from. Returns how many were read, 0 at the end, or -errno with the fault
 * filled; may give fewer than N. */
struct unpack_source {
	ssize_t (*read)(void *user, void *buf, size_t n, struct fault *f);
	void *user;
};

struct unpack;
#define _unpack_ _cleanup_(unpack_freep)

/* Reads the first bytes of SOURCE, which must live as long as the stream. NAME is for messages. An
 * empty source is -ENODATA. */
int unpack_open(const struct unpack_source *source, const char *name, struct unpack **ret,
		struct fault *f);
/* "zstd", "xz" or "raw". */
const char *unpack_kind(const struct unpack *u);
/* Fills BUF with N bytes; fewer only at the end, which is 0 from then on. -EBADMSG: the stream is
 * spoiled, cut off, or has something behind its end; -EFBIG: it wants more memory than
 * UNPACK_MEMORY. */
ssize_t unpack_read(struct unpack *u, void *buf, size_t n, struct fault *f);
void unpack_freep(struct unpack **u);

/* What a decoder may take: with the buffers around it the whole is to stay below 64 MiB. That of
 * `xz -8`; `xz -9` wants 65 MiB. */
#define UNPACK_MEMORY (40U << 20)
