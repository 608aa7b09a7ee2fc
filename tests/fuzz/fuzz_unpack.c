/* An image as it may be served by somebody else: its checksum is known at its end only, so whatever is
 * before it goes through the decoder. The first byte says in which pieces it arrives. */
#include "lib/unpack.h"

#include "lib/str.h"

#include <stdint.h>

struct bytes {
	const uint8_t *p;
	size_t left, piece;
};

static ssize_t give(void *user, void *buf, size_t n, struct fault *f)
{
	struct bytes *b = user;
	size_t k = b->left < b->piece ? b->left : b->piece;

	(void)f;
	k = k < n ? k : n;
	memcpy(buf, b->p, k);
	b->p += k;
	b->left -= k;
	return (ssize_t)k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[65536];
	struct bytes b = { 0 };
	const struct unpack_source source = { give, &b };
	_unpack_ struct unpack *u = NULL;

	if (!size)
		return 0;
	b = (struct bytes){ data + 1, size - 1, data[0] + 1U };
	if (unpack_open(&source, "fuzz", &u, NULL) < 0)
		return 0;
	/* bounded: a few bytes may stand for gigabytes of zeros */
	for (int i = 0; i < 64; i++) {
		struct fault f = { 0 };
		ssize_t n = unpack_read(u, out, sizeof out - (size_t)(i % 3), &f);

		if (n < 0 && (!f.code || !*f.text))
			abort();
		if (n <= 0)
			break;
	}
	return 0;
}
