/* Randomness, digests and private keys. See crypto.h. */
#include "lib/crypto.h"

#include "lib/crypto_openssl.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <sys/random.h>

int ossl_fault(struct fault *f, int code, const char *fmt, ...)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	_str_ struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	if (reason)
		str_addf(&s, ": %s", reason);
	ERR_clear_error();
	return fault_set(f, code, "%s", s.p);
}

/* From the kernel, not from OpenSSL's generator: it waits until a blank machine has gathered
 * entropy at its first boot, and has no state that a fork could copy. */
int crypto_random(void *buf, size_t n, struct fault *f)
{
	unsigned char *p = buf;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(f, "random numbers");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

/* A secret that is not random is worse than no program. */
static void must_random(void *buf, size_t n)
{
	struct fault f = { 0 };

	if (crypto_random(buf, n, &f) < 0) {
		fprintf(stderr, "phoenix: %s\n", f.text);
		abort();
	}
}

static void to_hex(const unsigned char *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * n] = 0;
}

char *crypto_random_hex(size_t n)
{
	unsigned char *raw = mem_alloc(n);
	char *hex = mem_alloc(2 * n + 1);

	must_random(raw, n);
	to_hex(raw, n, hex);
	explicit_bzero(raw, n);
	free(raw);
	return hex;
}

char *crypto_random_word(size_t n)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const unsigned count = sizeof letters - 1, fair = 256 / count * count;
	char *word = mem_alloc(n + 1);
	unsigned char r;

	for (size_t i = 0; i < n;) {
		must_random(&r, 1);
		if (r < fair) /* the rest would make the first letters more likely */
			word[i++] = letters[r % count];
	}
	return word;
}

void crypto_sha256(const void *data, size_t n, unsigned char out[32])
{
	if (!EVP_Digest(n ? data : "", n, out, NULL, EVP_sha256(), NULL))
		abort(); /* only without memory */
}

void crypto_sha256_hex(const void *data, size_t n, char out[65])
{
	unsigned char raw[32];

	crypto_sha256(data, n, raw);
	to_hex(raw, sizeof raw, out);
}

bool crypto_is_sha256(const char *text)
{
	return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

bool crypto_equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && CRYPTO_memcmp(a, b, n) == 0;
}

struct crypto_hash {
	EVP_MD_CTX *ctx;
};

struct crypto_hash *crypto_hash_new(void)
{
	struct crypto_hash *h = mem_alloc(sizeof *h);

	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || !EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL))
		abort();
	return h;
}

void crypto_hash_add(struct crypto_hash *h, const void *data, size_t n)
{
	if (!EVP_DigestUpdate(h->ctx, data, n))
		abort();
}

void crypto_hash_end(struct crypto_hash *h, char out_hex[65])
{
	unsigned char raw[32];

	if (!EVP_DigestFinal_ex(h->ctx, raw, NULL))
		abort();
	to_hex(raw, sizeof raw, out_hex);
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

int crypto_key_new(enum key_form form, struct str *pem, struct fault *f)
{
	_key_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_bio_ BIO *out = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int ok;

	if (!key || !out)
		return ossl_fault(f, EIO, "new key");
	if (form == KEY_SEC1)
		ok = PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL);
	else
		ok = PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	if (!ok)
		return ossl_fault(f, EIO, "new key");
	n = BIO_get_mem_data(out, &text);
	str_add_n(pem, text, (size_t)n);
	return 0;
}

int ossl_no_password(char *buf, int size, int rwflag, void *user)
{
	(void)buf, (void)size, (void)rwflag, (void)user;
	return -1;
}

/* Told that it is an elliptic curve's, OpenSSL 3 reads a key in a third of the time that guessing
 * takes. */
static EVP_PKEY *read_ec_key(BIO *in)
{
	EVP_PKEY *key = NULL;
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, "EC",
							      EVP_PKEY_KEYPAIR, NULL, NULL);

	if (ctx && OSSL_DECODER_CTX_set_pem_password_cb(ctx, ossl_no_password, NULL))
		OSSL_DECODER_from_bio(ctx, in);
	OSSL_DECODER_CTX_free(ctx);
	return key;
}

int ossl_key_read(const char *pem, EVP_PKEY **ret, struct fault *f)
{
	_bio_ BIO *in = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	EVP_PKEY *key = in ? read_ec_key(in) : NULL;

	if (!key && in && BIO_reset(in) == 1)
		key = PEM_read_bio_PrivateKey(in, NULL, ossl_no_password, NULL);
	if (!key)
		return ossl_fault(f, EINVAL, "not a private key in PEM without a password");
	ERR_clear_error();
	*ret = key;
	return 0;
}

bool crypto_key_is_sec1(const char *pem)
{
	_bio_ BIO *in = BIO_new_mem_buf(pem, -1);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	bool sec1 = false;
	long n = 0;

	/* `openssl ecparam -genkey` writes the curve as a block of its own in front */
	while (in && PEM_read_bio(in, &name, &header, &der, &n)) {
		const unsigned char *p = der;
		bool params = str_eq(name, "EC PARAMETERS");

		if (str_eq(name, "EC PRIVATE KEY") && !*header)
			key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, n);
		sec1 = key != NULL;
		EVP_PKEY_free(key);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
		if (!params)
			break;
	}
	ERR_clear_error();
	return sec1;
}

void crypto_base64(const void *data, size_t n, struct str *out)
{
	const unsigned char *p = data;

	/* in pieces of whole groups, on the stack: what is encoded is mostly secret */
	for (size_t at = 0; at < n; at += 48) {
		int piece = n - at < 48 ? (int)(n - at) : 48;
		unsigned char text[65];

		str_add_n(out, text, (size_t)EVP_EncodeBlock(text, p + at, piece));
		OPENSSL_cleanse(text, sizeof text);
	}
}

bool crypto_base64_decode(const char *text, size_t n, struct str *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t body = strspn(text, digits), pad;
	_free_ unsigned char *bytes = NULL;

	if (body > n)
		body = n;
	pad = n - body;
	if (!n || n % 4 || pad > 2 || strspn(text + body, "=") < pad || n > INT32_MAX)
		return false;
	bytes = mem_alloc(n / 4 * 3);
	if (EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)n) < 0)
		return false;
	str_add_n(out, (const char *)bytes, n / 4 * 3 - pad);
	return true;
}

int crypto_key_pin(const char *cert_pem, char **ret, struct fault *f)
{
	_certs_ STACK_OF(X509) *certs = NULL;
	unsigned char sum[32], text[64], *der = NULL;
	int n, r = ossl_certs_read(cert_pem, &certs, f);

	if (r < 0)
		return r;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(certs, 0)), &der);
	if (n <= 0)
		return ossl_fault(f, EINVAL, "public key of a certificate");
	crypto_sha256(der, (size_t)n, sum);
	OPENSSL_free(der);
	EVP_EncodeBlock(text, sum, sizeof sum);
	*ret = mem_printf("sha256//%s", (const char *)text);
	return 0;
}
