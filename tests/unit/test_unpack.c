/* What was compressed comes out again, and nothing that is not whole passes for it. */
#include "tests/unit/test.h"

#include "lib/str.h"
#include "lib/unpack.h"

#include <errno.h>
#include <lzma.h>
#include <zstd.h>

#define SIZE 700001 /* several pieces, and an odd rest */

/* A source that gives its text in portions. */
struct script {
	const unsigned char *p;
	size_t n, portion;
	int fails; /* -errno once the text has been given */
};

static ssize_t script_read(void *user, void *buf, size_t n, struct fault *f)
{
	struct script *s = user;

	if (n > s->portion)
		n = s->portion;
	if (n > s->n)
		n = s->n;
	if (!n && s->fails)
		return fault_set(f, -s->fails, "the server went away");
	memcpy(buf, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

static unsigned char plain[SIZE];

/* Compressible, but not to nothing. */
static void make_plain(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = (unsigned char)(i % 5 ? 'a' : x >> 24);
	}
}

static void pack_zstd(struct str *out)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(SIZE);
	_free_ void *buf = mem_alloc(bound);

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	str_add_n(out, buf, ZSTD_compress2(c, buf, bound, plain, SIZE));
	ZSTD_freeCCtx(c);
}

static void pack_xz(struct str *out)
{
	size_t bound = lzma_stream_buffer_bound(SIZE), n = 0;
	_free_ uint8_t *buf = mem_alloc(bound);

	assert_int_equal(
		lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, plain, SIZE, buf, &n, bound),
		LZMA_OK);
	str_add_n(out, buf, n);
}

static void pack_raw(struct str *out)
{
	str_add_n(out, plain, SIZE);
}

static const struct {
	const char *kind;
	void (*pack)(struct str *out);
} kinds[] = { { "zstd", pack_zstd }, { "xz", pack_xz }, { "raw", pack_raw } };

/* Everything, by reads of PORTION bytes. */
static int unpack_all(const void *p, size_t n, size_t portion, int fails, struct str *out,
		      struct fault *f)
{
	struct script s = { p, n, portion, fails };
	const struct unpack_source source = { script_read, &s };
	_unpack_ struct unpack *u = NULL;
	char buf[50000];
	ssize_t got;
	int r = unpack_open(&source, "image", &u, f);

	if (r < 0)
		return r;
	while ((got = unpack_read(u, buf, sizeof buf, f)) > 0)
		str_add_n(out, buf, (size_t)got);
	if (got == 0)
		assert_int_equal(unpack_read(u, buf, sizeof buf, f), 0);
	return (int)got;
}

static void test_kinds(void **state)
{
	static const size_t portions[] = { 1 << 20, 4096, 3 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		_str_ struct str packed = { 0 };

		kinds[k].pack(&packed);
		for (size_t i = 0; i < ARRAY_LEN(portions); i++) {
			_str_ struct str out = { 0 };
			struct fault f = { 0 };

			assert_int_equal(unpack_all(packed.p, packed.len, portions[i], 0, &out, &f),
					 0);
			assert_int_equal(out.len, SIZE);
			assert_memory_equal(out.p, plain, SIZE);
		}
	}
}

static void test_kind_by_content(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		_str_ struct str packed = { 0 };
		_unpack_ struct unpack *u = NULL;

		kinds[k].pack(&packed);

		struct script s = { (unsigned char *)packed.p, packed.len, SIZE, 0 };
		const struct unpack_source source = { script_read, &s };

		assert_int_equal(unpack_open(&source, "image", &u, NULL), 0);
		assert_string_equal(unpack_kind(u), kinds[k].kind);
	}
}

/* Cut off anywhere, the last byte too, it is no shorter image. */
static void test_cut_off(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		_str_ struct str packed = { 0 };

		kinds[k].pack(&packed);
		for (size_t less = 1; less < packed.len - 6; less += 9999) {
			_str_ struct str out = { 0 };
			struct fault f = { 0 };

			assert_int_equal(unpack_all(packed.p, packed.len - less, SIZE, 0, &out, &f),
					 -EBADMSG);
			assert_non_null(strstr(f.text, "cut off"));
		}
	}
}

static void test_spoiled(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		_str_ struct str packed = { 0 }, out = { 0 }, more = { 0 };
		struct fault f = { 0 };

		kinds[k].pack(&packed);
		str_add_n(&more, packed.p, packed.len);
		str_add(&more, "garbage behind the end");
		assert_int_equal(unpack_all(more.p, more.len, 4096, 0, &out, &f), -EBADMSG);
		packed.p[packed.len / 2] ^= 4;
		str_reset(&out);
		assert_int_equal(unpack_all(packed.p, packed.len, 4096, 0, &out, &f), -EBADMSG);
		assert_non_null(strstr(f.text, "spoiled"));
	}
}

/* As `cat a.zst b.zst` and pzstd make them. */
static void test_two_in_a_row(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		_str_ struct str packed = { 0 }, out = { 0 };
		struct fault f = { 0 };

		kinds[k].pack(&packed);
		kinds[k].pack(&packed);
		assert_int_equal(unpack_all(packed.p, packed.len, 4096, 0, &out, &f), 0);
		assert_int_equal(out.len, 2 * SIZE);
		assert_memory_equal(out.p + SIZE, plain, SIZE);
	}
}

static void test_memory_bound(void **state)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	_str_ struct str out = { 0 };
	struct fault f = { 0 };
	char packed[4096];
	ZSTD_inBuffer in = { plain, 1000, 0 };
	ZSTD_outBuffer to = { packed, sizeof packed, 0 };

	(void)state;
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27);
	/* its size is not known at the start, so the window stays as it was set */
	ZSTD_compressStream2(c, &to, &in, ZSTD_e_flush);
	ZSTD_compressStream2(c, &to, &in, ZSTD_e_end);
	ZSTD_freeCCtx(c);
	assert_int_equal(unpack_all(packed, to.pos, 4096, 0, &out, &f), -EFBIG);
	assert_non_null(strstr(f.text, "--long"));
}

static void test_source_fails(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		_str_ struct str packed = { 0 }, out = { 0 };
		struct fault f = { 0 };

		kinds[k].pack(&packed);
		assert_int_equal(unpack_all(packed.p, packed.len / 2, 4096, -ECONNRESET, &out, &f),
				 -ECONNRESET);
		assert_string_equal(f.text, "the server went away");
	}
}

static void test_empty(void **state)
{
	_str_ struct str out = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(unpack_all("", 0, 10, 0, &out, &f), -ENODATA);
	/* shorter than any magic: what it is, as it is */
	assert_int_equal(unpack_all("abc", 3, 10, 0, &out, &f), 0);
	assert_string_equal(out.p, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	     cmocka_unit_test(test_kind_by_content),
		cmocka_unit_test(test_cut_off),	     cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_two_in_a_row), cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_source_fails), cmocka_unit_test(test_empty),
	};

	make_plain();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
