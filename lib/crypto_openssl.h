/* What the files that wrap OpenSSL (crypto.c, crypto_x509.c, tls.c) share. Nobody else includes it:
 * OpenSSL's types stop behind crypto.h and tls.h. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

static inline void ossl_bio_freep(BIO **b)
{
	BIO_free_all(*b);
}
static inline void ossl_key_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
static inline void ossl_cert_freep(X509 **c)
{
	X509_free(*c);
}
static inline void ossl_certs_freep(STACK_OF(X509) **c)
{
	sk_X509_pop_free(*c, X509_free);
}
#define _bio_ _cleanup_(ossl_bio_freep)
#define _key_ _cleanup_(ossl_key_freep)
#define _cert_ _cleanup_(ossl_cert_freep)
#define _certs_ _cleanup_(ossl_certs_freep)

/* fault_set with OpenSSL's own reason at the end; empties its error queue. */
int ossl_fault(struct fault *f, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A pem_password_cb without an answer: OpenSSL would ask for the password of an encrypted file
 * on the terminal. */
int ossl_no_password(char *buf, int size, int rwflag, void *user);
/* The private key of PEM text; an encrypted one is refused. */
int ossl_key_read(const char *pem, EVP_PKEY **ret, struct fault *f);
/* All certificates of PEM text, at least one. */
int ossl_certs_read(const char *pem, STACK_OF(X509) **ret, struct fault *f);
/* The subject's one common name, "" when it has none; -EINVAL when it has several or a NUL in it:
 * an identity must not depend on who reads it. */
int ossl_common_name(const X509 *cert, char ret[128], struct fault *f);
/* Why a certificate was not accepted, in words that name the cure; CODE is an X509_V_ERR_*. */
const char *ossl_verify_text(long code);
