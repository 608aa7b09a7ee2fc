/* Between unpack.c and the decoders: one wrapped library each. */
#pragma once

#include "lib/unpack.h"

#include <stdbool.h>
#include <stdint.h>

#define UNPACK_PIECE (128 * 1024)

/* What has been read of the source and is not decoded yet. */
struct unpack_input {
	unsigned char buf[UNPACK_PIECE];
	size_t at, len;
	bool ended; /* the source has no more */
};

/* A decoder's row in unpack.c. */
struct unpack_format {
	const char *kind;
	const char *magic;
	size_t magic_len;
	int (*start)(void **state, struct fault *f);
	/* Decodes what it can of IN (its `at` moves on) into OUT, of SIZE bytes. Returns how many
	 * bytes it made, which may be 0 when it wants more input; sets DONE when everything so far
	 * is whole, so that the source may end here. */
	ssize_t (*step)(void *state, struct unpack_input *in, void *out, size_t size, bool *done,
			const char *name, struct fault *f);
	void (*stop)(void *state);
};
extern const struct unpack_format unpack_zstd, unpack_xz;
