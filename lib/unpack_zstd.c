/* zstd, for unpack.c. */
#include "lib/library.h"
#include "lib/str.h"
#include "lib/unpack_internal.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

/* 2^25 = 32 MiB: the largest window within UNPACK_MEMORY, that of `zstd --ultra -22` being 128. */
#define WINDOW_LOG 25

static struct {
	__typeof__(ZSTD_createDStream) *create;
	__typeof__(ZSTD_freeDStream) *free;
	__typeof__(ZSTD_DCtx_setParameter) *set;
	__typeof__(ZSTD_decompressStream) *decompress;
	__typeof__(ZSTD_isError) *is_error;
	__typeof__(ZSTD_getErrorCode) *error_code;
	__typeof__(ZSTD_getErrorName) *error_name;
} zstd;
static const struct library_call calls[] = {
	{ "ZSTD_createDStream", &zstd.create },	   { "ZSTD_freeDStream", &zstd.free },
	{ "ZSTD_DCtx_setParameter", &zstd.set },   { "ZSTD_decompressStream", &zstd.decompress },
	{ "ZSTD_isError", &zstd.is_error },	   { "ZSTD_getErrorCode", &zstd.error_code },
	{ "ZSTD_getErrorName", &zstd.error_name },
};
static struct library library = { .so = "libzstd.so.1", .calls = calls, .n = ARRAY_LEN(calls) };

static int zstd_start(void **state, struct fault *f)
{
	int r = library_load(&library, f);

	if (r < 0)
		return r;
	*state = zstd.create();
	if (!*state)
		abort(); /* out of memory, as mem_alloc has it */
	zstd.set(*state, ZSTD_d_windowLogMax, WINDOW_LOG);
	return 0;
}

/* 0 from the library is the end of a frame; whatever follows must be another one. */
static ssize_t zstd_step(void *state, struct unpack_input *in, void *out, size_t size, bool *done,
			 const char *name, struct fault *f)
{
	ZSTD_inBuffer from = { in->buf, in->len, in->at };
	ZSTD_outBuffer to = { out, size, 0 };
	size_t r;

	r = zstd.decompress(state, &to, &from);
	if (zstd.is_error(r)) {
		if (zstd.error_code(r) == ZSTD_error_frameParameter_windowTooLarge)
			return fault_set(f, EFBIG,
					 "%s was compressed with a window of more than %u MiB: "
					 "compress it without --long or --ultra",
					 name, 1U << (WINDOW_LOG - 20));
		return fault_set(f, EBADMSG, "%s is spoiled (zstd: %s)", name, zstd.error_name(r));
	}
	if (to.pos || from.pos != in->at)
		*done = r == 0;
	in->at = from.pos;
	return (ssize_t)to.pos;
}

static void zstd_stop(void *state)
{
	zstd.free(state);
}

const struct unpack_format unpack_zstd = {
	.kind = "zstd",
	.magic = "\x28\xb5\x2f\xfd",
	.magic_len = 4,
	.start = zstd_start,
	.step = zstd_step,
	.stop = zstd_stop,
};
