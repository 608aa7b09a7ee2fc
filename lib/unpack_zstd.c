/* zstd, for unpack.c. */
#include "lib/str.h"
#include "lib/unpack_internal.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

/* 2^26 = 64 MiB: the largest window within UNPACK_MEMORY. */
#define WINDOW_LOG 26

static void *zstd_start(void)
{
	ZSTD_DStream *s = ZSTD_createDStream();

	if (!s)
		abort(); /* out of memory, as mem_alloc has it */
	ZSTD_DCtx_setParameter(s, ZSTD_d_windowLogMax, WINDOW_LOG);
	return s;
}

/* 0 from the library is the end of a frame; whatever follows must be another one. */
static ssize_t zstd_step(void *state, struct unpack_input *in, void *out, size_t size, bool *done,
			 const char *name, struct fault *f)
{
	ZSTD_inBuffer from = { in->buf, in->len, in->at };
	ZSTD_outBuffer to = { out, size, 0 };
	size_t r;

	r = ZSTD_decompressStream(state, &to, &from);
	if (ZSTD_isError(r)) {
		if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge)
			return fault_set(f, EFBIG,
					 "%s was compressed with a window of more than %u MiB: "
					 "compress it without --long or --ultra",
					 name, 1U << (WINDOW_LOG - 20));
		return fault_set(f, EBADMSG, "%s is spoiled (zstd: %s)", name,
				 ZSTD_getErrorName(r));
	}
	if (to.pos || from.pos != in->at)
		*done = r == 0;
	in->at = from.pos;
	return (ssize_t)to.pos;
}

static void zstd_stop(void *state)
{
	ZSTD_freeDStream(state);
}

const struct unpack_format unpack_zstd = {
	.kind = "zstd",
	.magic = "\x28\xb5\x2f\xfd",
	.magic_len = 4,
	.start = zstd_start,
	.step = zstd_step,
	.stop = zstd_stop,
};
