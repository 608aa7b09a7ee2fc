/* xz, by liblzma, for unpack.c. */
#include "lib/library.h"
#include "lib/str.h"
#include "lib/unpack_internal.h"

#include <errno.h>
#include <lzma.h>

static struct {
	__typeof__(lzma_stream_decoder) *decoder;
	__typeof__(lzma_code) *code;
	__typeof__(lzma_end) *end;
} xz;
static const struct library_call calls[] = {
	{ "lzma_stream_decoder", &xz.decoder },
	{ "lzma_code", &xz.code },
	{ "lzma_end", &xz.end },
};
static struct library library = { .so = "liblzma.so.5", .calls = calls, .n = ARRAY_LEN(calls) };

static int xz_start(void **state, struct fault *f)
{
	lzma_stream *s;
	int r = library_load(&library, f);

	if (r < 0)
		return r;
	s = mem_alloc(sizeof *s);
	*s = (lzma_stream)LZMA_STREAM_INIT;
	if (xz.decoder(s, UNPACK_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		abort(); /* out of memory, as mem_alloc has it */
	*state = s;
	return 0;
}

static ssize_t xz_wrong(lzma_ret r, const char *name, struct fault *f)
{
	if (r == LZMA_MEMLIMIT_ERROR)
		return fault_set(f, EFBIG,
				 "%s was compressed with more memory than %u MiB: compress it "
				 "with xz -8 or less",
				 name, UNPACK_MEMORY >> 20);
	return fault_set(f, EBADMSG, "%s is spoiled (xz: error %d)", name, (int)r);
}

static ssize_t xz_step(void *state, struct unpack_input *in, void *out, size_t size, bool *done,
		       const char *name, struct fault *f)
{
	lzma_stream *s = state;
	lzma_ret r;

	s->next_in = in->buf + in->at;
	s->avail_in = in->len - in->at;
	s->next_out = out;
	s->avail_out = size;
	/* LZMA_FINISH is what lets it tell an end from a stream that was cut off */
	r = xz.code(s, in->ended ? LZMA_FINISH : LZMA_RUN);
	in->at = in->len - s->avail_in;
	*done = r == LZMA_STREAM_END;
	if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
		return xz_wrong(r, name, f);
	return (ssize_t)(size - s->avail_out);
}

static void xz_stop(void *state)
{
	xz.end(state);
	free(state);
}

const struct unpack_format unpack_xz = {
	.kind = "xz",
	.magic = "\xfd"
		 "7zXZ",
	.magic_len = 6,
	.start = xz_start,
	.step = xz_step,
	.stop = xz_stop,
};
