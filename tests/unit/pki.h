/* Certificates for tests, made by lib/crypto itself. */
#pragma once

#include "lib/crypto.h"

struct pki_identity {
	struct str key, cert;
};

/* An identity signed by CA (NULL: self-signed); DAYS may be negative: expired. */
__attribute__((unused)) static struct pki_identity
pki_make(const char *name, const struct pki_identity *ca, bool is_ca, int days)
{
	static const char *const dns[] = { "localhost", NULL }, *const addresses[] = { "127.0.0.1",
										       "::1",
										       NULL };
	struct cert_request rq = { .common_name = name,
				   .is_ca = is_ca,
				   .days = days,
				   .dns = is_ca ? NULL : dns,
				   .addresses = is_ca ? NULL : addresses,
				   .server = !is_ca,
				   .client = !is_ca };
	struct pki_identity id = { 0 };
	struct fault f = { 0 };

	if (crypto_key_new(KEY_PKCS8, &id.key, &f) < 0 ||
	    crypto_cert_new(&rq, id.key.p, ca ? ca->cert.p : NULL, ca ? ca->key.p : NULL, &id.cert,
			    &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		abort();
	}
	return id;
}

__attribute__((unused)) static void pki_free(struct pki_identity *id)
{
	str_erase(&id->key);
	str_erase(&id->cert);
}
