/* Keys, certificates and digests by OpenSSL; its types stop here. Keys and certificates are PEM
 * text at this border. Private keys are erased when freed (struct str with str_erase). */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdint.h>

int crypto_random(void *buf, size_t n, struct fault *f);
/* N random bytes as lower-case hex (2N digits), or N random letters and digits. Caller's. */
char *crypto_random_hex(size_t n);
char *crypto_random_word(size_t n);
/* Appends N bytes as base64, in one line. */
void crypto_base64(const void *data, size_t n, struct str *out);
/* Base64 of whole groups of four, without spaces or lines. False: it is none; OUT is then as it
 * was. */
bool crypto_base64_decode(const char *text, size_t n, struct str *out);
void crypto_sha256(const void *data, size_t n, unsigned char out[32]);
void crypto_sha256_hex(const void *data, size_t n, char out[65]);
/* 64 digits of 0-9 and a-f, as crypto_sha256_hex() and sha256sum(1) write them; NULL is none. */
bool crypto_is_sha256(const char *text);
bool crypto_equal(const char *a, const char *b); /* constant time for equal lengths */

/* A digest fed in pieces. */
struct crypto_hash;
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_add(struct crypto_hash *h, const void *data, size_t n);
void crypto_hash_end(struct crypto_hash *h, char out_hex[65]); /* frees h */

/* SEC1 is what K3s's service.key must be: PKCS#8 there kills its API server. */
enum key_form { KEY_PKCS8, KEY_SEC1 };
/* A new EC P-256 key. */
int crypto_key_new(enum key_form form, struct str *pem, struct fault *f);
/* "EC PRIVATE KEY" (SEC1) or not, by its PEM header and by parsing it. */
bool crypto_key_is_sec1(const char *pem);

/* "sha256//BASE64" of the public key in the first certificate of PEM, as curl pins it; the
 * caller's. */
int crypto_key_pin(const char *cert_pem, char **ret, struct fault *f);

struct cert_request {
	const char *common_name, *organization; /* organization may be NULL */
	bool is_ca;
	int days;
	const char *const *dns;	      /* NULL-terminated, or NULL */
	const char *const *addresses; /* IP literals, likewise */
	bool server, client;	      /* extended key usage */
};
/* A certificate for SUBJECT_KEY, signed by ISSUER_CERT/ISSUER_KEY (both NULL: self-signed),
 * appended to PEM. Starts a day ago: blank machines' clocks are behind at first boot. ISSUER_CERT
 * may be a bundle: its first certificate issues. */
int crypto_cert_new(const struct cert_request *rq, const char *subject_key, const char *issuer_cert,
		    const char *issuer_key, struct str *pem, struct fault *f);

struct cert_info {
	char common_name[128];
	int64_t not_before, not_after; /* Unix time */
	bool is_ca;
	char sha256[65]; /* of the DER */
};
/* The first certificate of PEM. */
int crypto_cert_info(const char *pem, struct cert_info *ret, struct fault *f);
/* 0 when KEY belongs to the first certificate of CERT; -EINVAL with the reason otherwise. */
int crypto_key_matches(const char *cert, const char *key, struct fault *f);
/* 0 when the first certificate of CERT is valid now (or at UNIX_TIME >= 0) and chains over the
 * rest of its bundle to ROOT; -EACCES with the reason otherwise. */
int crypto_cert_verify(const char *cert, const char *root, int64_t unix_time, struct fault *f);
/* All that can be wrong with a certificate, the key beside it (may be NULL) and the chain to ROOT
 * (may be NULL), found in one go: parsing is what takes the time, and a cluster has a dozen of
 * them. */
struct cert_findings {
	struct cert_info info;
	struct fault cert, key,
		chain; /* code 0: fine; after a broken certificate the others are not looked at */
};
/* The root that was read last: it is the same for many certificates. Zeroed by the caller, who
 * keeps the text it was read from. */
struct crypto_root {
	const char *pem;
	void *certs;
};
#define _root_ _cleanup_(crypto_root_free)
void crypto_root_free(struct crypto_root *r);
/* NOW: Unix time; a clock that is behind the certificate's beginning is taken for wrong. LAST may
 * be NULL. */
void crypto_pair_check(const char *cert, const char *key, const char *root,
		       struct crypto_root *last, int64_t now, struct cert_findings *ret);
/* K3s's token: "K10" + hash of the CA bundle + "::server:" + password. As K3s computes it: of a
 * bundle, SHA-256 of the DER of the root that its first certificate verifies to; of a single
 * certificate, SHA-256 of the PEM file. */
int crypto_k3s_token(const char *server_ca_bundle, const char *password, struct str *token,
		     struct fault *f);
