/* Keys, certificates and digests; against OpenSSL's program where it is installed. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/proc.h"
#include "tests/unit/pki.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define DAY (24 * 60 * 60)

/* Root, intermediate, CA below it; and the CA's bundle. */
struct chain {
	struct pki_identity root, middle, ca;
	struct str bundle;
};

static int setup(void **state)
{
	struct chain *c = mem_alloc(sizeof *c);

	c->root = pki_make("root", NULL, true, 3650);
	c->middle = pki_make("middle", &c->root, true, 3650);
	c->ca = pki_make("server-ca", &c->middle, true, 3650);
	str_addf(&c->bundle, "%s%s%s", c->ca.cert.p, c->middle.cert.p, c->root.cert.p);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct chain *c = *state;

	pki_free(&c->root);
	pki_free(&c->middle);
	pki_free(&c->ca);
	str_free(&c->bundle);
	free(c);
	return 0;
}

static void random_is_random(void **state)
{
	_free_ char *a = crypto_random_hex(16), *b = crypto_random_hex(16),
		    *w = crypto_random_word(4000), *none = crypto_random_word(0);
	int seen[256] = { 0 }, kinds = 0;

	(void)state;
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(w), 4000);
	assert_string_equal(none, "");
	for (const char *p = w; *p; p++)
		kinds += !seen[(unsigned char)*p]++;
	assert_int_equal(kinds, 62);
}

static void digests(void **state)
{
	const char *abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		   *empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct crypto_hash *h = crypto_hash_new();
	char hex[65];

	(void)state;
	crypto_sha256_hex("abc", 3, hex);
	assert_string_equal(hex, abc);
	assert_true(crypto_is_sha256(hex));
	assert_false(crypto_is_sha256(hex + 1));
	assert_false(crypto_is_sha256(NULL));
	hex[63] = 'G';
	assert_false(crypto_is_sha256(hex));
	crypto_sha256_hex(NULL, 0, hex);
	assert_string_equal(hex, empty);
	crypto_hash_add(h, "a", 1);
	crypto_hash_add(h, "", 0);
	crypto_hash_add(h, "bc", 2);
	crypto_hash_end(h, hex);
	assert_string_equal(hex, abc);
	assert_true(crypto_equal("abc", "abc"));
	assert_true(crypto_equal("", ""));
	assert_false(crypto_equal("abc", "abd"));
	assert_false(crypto_equal("abc", "abcd"));
}

static void keys_have_their_form(void **state)
{
	static const char *const not_sec1[] = {
		"",
		"x",
		"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
		"-----BEGIN EC PRIVATE KEY-----\n",
	};
	_secret_ struct str pkcs8 = { 0 }, sec1 = { 0 }, odd = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(crypto_key_new(KEY_PKCS8, &pkcs8, &f), 0);
	assert_int_equal(crypto_key_new(KEY_SEC1, &sec1, &f), 0);
	assert_true(str_starts(pkcs8.p, "-----BEGIN PRIVATE KEY-----\n"));
	assert_true(str_starts(sec1.p, "-----BEGIN EC PRIVATE KEY-----\n"));
	assert_true(crypto_key_is_sec1(sec1.p));
	assert_false(crypto_key_is_sec1(pkcs8.p));
	for (size_t i = 0; i < ARRAY_LEN(not_sec1); i++)
		assert_false(crypto_key_is_sec1(not_sec1[i]));
	/* as `openssl ecparam -genkey` writes it */
	str_addf(&odd,
		 "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n%s",
		 sec1.p);
	assert_true(crypto_key_is_sec1(odd.p));
}

static void tells_about_a_certificate(void **state)
{
	struct chain *c = *state;
	struct pki_identity leaf = pki_make("phoenix-a", &c->ca, false, 30);
	struct cert_info info;
	struct fault f = { 0 };
	time_t now = time(NULL);

	assert_int_equal(crypto_cert_info(leaf.cert.p, &info, &f), 0);
	assert_string_equal(info.common_name, "phoenix-a");
	assert_false(info.is_ca);
	assert_in_range(info.not_before, now - DAY - 60, now - DAY + 1);
	assert_in_range(info.not_after, now + 30 * DAY - 60, now + 30 * DAY + 1);
	assert_int_equal(crypto_cert_info(c->bundle.p, &info, &f), 0);
	assert_string_equal(info.common_name, "server-ca");
	assert_true(info.is_ca);
	assert_int_equal(crypto_cert_info("", &info, &f), -EINVAL);
	assert_int_equal(
		crypto_cert_info("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
				 &info, &f),
		-EINVAL);
	str_add(&leaf.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(crypto_cert_info(leaf.cert.p, &info, &f), -EINVAL);
	pki_free(&leaf);
}

static void keys_match(void **state)
{
	struct chain *c = *state;
	struct fault f = { 0 };

	assert_int_equal(crypto_key_matches(c->bundle.p, c->ca.key.p, &f), 0);
	assert_int_equal(crypto_key_matches(c->bundle.p, c->root.key.p, &f), -EINVAL);
	assert_int_equal(crypto_key_matches(c->bundle.p, "", &f), -EINVAL);
	assert_int_equal(crypto_key_matches("", c->root.key.p, &f), -EINVAL);
}

static void verifies(void **state)
{
	struct chain *c = *state;
	struct pki_identity leaf = pki_make("a", &c->ca, false, 30),
			    other = pki_make("root", NULL, true, 9),
			    old = pki_make("a", &c->ca, false, 0);
	_str_ struct str full = { 0 };
	struct fault f = { 0 };
	int64_t now = time(NULL);

	str_addf(&full, "%s%s%s", leaf.cert.p, c->ca.cert.p, c->middle.cert.p);
	assert_int_equal(crypto_cert_verify(full.p, c->root.cert.p, -1, &f), 0);
	assert_int_equal(crypto_cert_verify(c->root.cert.p, c->root.cert.p, -1, &f), 0);
	assert_int_equal(crypto_cert_verify(full.p, other.cert.p, -1, &f), -EACCES);
	assert_int_equal(crypto_cert_verify(leaf.cert.p, c->root.cert.p, -1, &f), -EACCES);
	/* valid a day before it was made, and not earlier; not after its days */
	assert_int_equal(crypto_cert_verify(full.p, c->root.cert.p, now - DAY + 60, &f), 0);
	assert_int_equal(crypto_cert_verify(full.p, c->root.cert.p, now - DAY - 60, &f), -EACCES);
	assert_non_null(strstr(f.text, "not yet valid"));
	assert_int_equal(crypto_cert_verify(full.p, c->root.cert.p, now + 31 * DAY, &f), -EACCES);
	assert_non_null(strstr(f.text, "expired"));
	assert_int_equal(crypto_cert_verify(old.cert.p, c->root.cert.p, now + 60, &f), -EACCES);
	assert_int_equal(crypto_cert_verify(full.p, "", -1, &f), -EINVAL);
	pki_free(&leaf);
	pki_free(&other);
	pki_free(&old);
}

static void refuses_bad_requests(void **state)
{
	struct chain *c = *state;
	struct pki_identity leaf = pki_make("a", &c->ca, false, 30);
	const char *const bad_dns[] = { "a,IP:1.2.3.4", "a b", "", "ü" };
	_str_ struct str out = { 0 };
	struct fault f = { 0 };
	char longest[70];
	struct cert_request rq = { .common_name = longest, .days = 1 };

	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, NULL, NULL, &out, &f), -EINVAL);
	rq.common_name = "a";
	for (size_t i = 0; i < ARRAY_LEN(bad_dns); i++) {
		rq.dns = (const char *const[]){ bad_dns[i], NULL };
		assert_int_equal(crypto_cert_new(&rq, leaf.key.p, NULL, NULL, &out, &f), -EINVAL);
	}
	rq.dns = NULL;
	rq.addresses = (const char *const[]){ "1.2.3", NULL };
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, NULL, NULL, &out, &f), -EINVAL);
	rq.addresses = NULL;
	/* issuers that are none */
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, leaf.cert.p, leaf.key.p, &out, &f),
			 -EINVAL);
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, c->ca.cert.p, leaf.key.p, &out, &f),
			 -EINVAL);
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, "", leaf.key.p, &out, &f), -EINVAL);
	assert_int_equal(crypto_cert_new(&rq, "", NULL, NULL, &out, &f), -EINVAL);
	assert_int_equal(out.len, 0);
	pki_free(&leaf);
}

/* An encrypted key is refused; nobody is asked for a password on the terminal. */
static void refuses_encrypted_keys(void **state)
{
	static const char key[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				  "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgn\n"
				  "-----END ENCRYPTED PRIVATE KEY-----\n",
			  old[] = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
				  "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
				  "AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n";
	struct chain *c = *state;
	struct fault f = { 0 };

	assert_int_equal(crypto_key_matches(c->ca.cert.p, key, &f), -EINVAL);
	assert_int_equal(crypto_key_matches(c->ca.cert.p, old, &f), -EINVAL);
	assert_false(crypto_key_is_sec1(old));
}

static void makes_the_token(void **state)
{
	struct chain *c = *state;
	_secret_ struct str token = { 0 }, want = { 0 }, broken = { 0 };
	struct cert_info root;
	struct fault f = { 0 };
	char hex[65];

	assert_int_equal(crypto_cert_info(c->root.cert.p, &root, &f), 0);
	assert_int_equal(crypto_k3s_token(c->bundle.p, "pass", &token, &f), 0);
	str_addf(&want, "K10%s::server:pass", root.sha256);
	assert_string_equal(token.p, want.p);
	/* one certificate: the file's own bytes */
	str_reset(&token);
	str_reset(&want);
	assert_int_equal(crypto_k3s_token(c->root.cert.p, "pass", &token, &f), 0);
	crypto_sha256_hex(c->root.cert.p, c->root.cert.len, hex);
	str_addf(&want, "K10%s::server:pass", hex);
	assert_string_equal(token.p, want.p);
	/* the root first, or the middle missing: K3s would hash the file, silently */
	str_addf(&broken, "%s%s", c->ca.cert.p, c->root.cert.p);
	assert_int_equal(crypto_k3s_token(broken.p, "pass", &token, &f), -EINVAL);
	str_reset(&broken);
	str_addf(&broken, "%s%s", c->root.cert.p, c->middle.cert.p);
	assert_int_equal(crypto_k3s_token(broken.p, "pass", &token, &f), -EINVAL);
	assert_int_equal(crypto_k3s_token(c->bundle.p, "", &token, &f), -EINVAL);
	assert_int_equal(crypto_k3s_token("", "pass", &token, &f), -EINVAL);
	assert_string_equal(token.p, want.p);
}

static void assert_shows(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("'%s' is not in:\n%s", what, text);
}

/* What others read in our certificates. */
static void openssl_agrees(void **state)
{
	static const char *const dns[] = { "git.example.org", NULL }, *const ips[] = { "192.0.2.1",
										       NULL };
	struct chain *c = *state;
	struct cert_request rq = { .common_name = "phoenix-a",
				   .organization = "system:masters",
				   .days = 30,
				   .dns = dns,
				   .addresses = ips,
				   .server = true,
				   .client = true };
	struct proc p = { .argv = (const char *const[]){ "openssl", "x509", "-noout", "-text",
							 NULL } };
	struct pki_identity leaf = { 0 };
	_str_ struct str ca = { 0 }, text = { 0 };
	struct fault f = { 0 };

	crypto_key_new(KEY_SEC1, &leaf.key, &f);
	assert_int_equal(crypto_cert_new(&rq, leaf.key.p, c->bundle.p, c->ca.key.p, &leaf.cert, &f),
			 0);
	p.input = leaf.cert.p;
	p.input_len = leaf.cert.len;
	if (proc_ok(&p, &text, &f) == -ENOENT) {
		pki_free(&leaf);
		skip();
	}
	assert_shows(text.p, "Version: 3");
	assert_shows(text.p, "prime256v1");
	assert_shows(text.p, "ecdsa-with-SHA256");
	assert_shows(text.p, "Subject: O = system:masters, CN = phoenix-a");
	assert_shows(text.p, "Issuer: CN = server-ca");
	assert_shows(text.p, "X509v3 Key Usage: critical\n                Digital Signature\n");
	assert_shows(text.p, "TLS Web Server Authentication, TLS Web Client Authentication");
	assert_shows(text.p, "DNS:git.example.org, IP Address:192.0.2.1");
	p.input = c->root.cert.p;
	p.input_len = c->root.cert.len;
	assert_int_equal(proc_ok(&p, &ca, &f), 0);
	assert_shows(ca.p, "X509v3 Basic Constraints: critical\n                CA:TRUE\n");
	assert_shows(ca.p, "Digital Signature, Certificate Sign, CRL Sign");
	assert_shows(ca.p, "X509v3 Subject Key Identifier");
	assert_shows(ca.p, "X509v3 Authority Key Identifier");
	assert_null(strstr(ca.p, "Alternative"));
	pki_free(&leaf);
}

#define WITH_CHAIN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static void test_base64(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7);
	for (size_t n = 0; n < sizeof text; n++) {
		_str_ struct str encoded = { 0 }, back = { 0 };

		crypto_base64(text, n, &encoded);
		assert_int_equal(encoded.len, (n + 2) / 3 * 4);
		if (n) {
			assert_true(crypto_base64_decode(encoded.p, encoded.len, &back));
			assert_int_equal(back.len, n);
			assert_memory_equal(back.p, text, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(random_is_random),
		cmocka_unit_test(digests),
		cmocka_unit_test(keys_have_their_form),
		WITH_CHAIN(tells_about_a_certificate),
		WITH_CHAIN(keys_match),
		WITH_CHAIN(verifies),
		WITH_CHAIN(refuses_bad_requests),
		WITH_CHAIN(refuses_encrypted_keys),
		WITH_CHAIN(makes_the_token),
		WITH_CHAIN(openssl_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
