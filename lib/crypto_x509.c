/* Certificates. See crypto.h. */
#include "lib/crypto.h"

#include "lib/crypto_openssl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define DAY (24 * 60 * 60)
#define ANY_TIME INT64_MIN

int ossl_certs_read(const char *pem, STACK_OF(X509) * *ret, struct fault *f)
{
	_bio_ BIO *in = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	_certs_ STACK_OF(X509) *certs = sk_X509_new_null();
	unsigned long end;
	X509 *c;

	while (in && certs && (c = PEM_read_bio_X509(in, NULL, ossl_no_password, NULL)))
		if (!sk_X509_push(certs, c))
			X509_free(c);
	end = ERR_peek_last_error();
	if (sk_X509_num(certs) < 1)
		return ossl_fault(f, EINVAL, "not a certificate in PEM");
	if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
		return ossl_fault(f, EINVAL, "certificate %d of the bundle",
				  sk_X509_num(certs) + 1);
	ERR_clear_error();
	*ret = TAKE_PTR(certs);
	return 0;
}

int ossl_common_name(const X509 *cert, char ret[128], struct fault *f)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), n;
	unsigned char *text = NULL;

	if (at < 0) {
		ret[0] = 0;
		return 0;
	}
	if (X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return fault_set(f, EINVAL, "certificate with several common names");
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0 || n >= 128 || memchr(text, 0, (size_t)n)) {
		OPENSSL_free(text);
		return ossl_fault(f, EINVAL, "certificate with a broken common name");
	}
	memcpy(ret, text, (size_t)n);
	ret[n] = 0;
	OPENSSL_free(text);
	return 0;
}

const char *ossl_verify_text(long code)
{
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "certificate has expired (or this machine's clock is wrong)";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "certificate is not yet valid (or this machine's clock is behind)";
	default:
		return X509_verify_cert_error_string(code);
	}
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* Built as values, not as OpenSSL's configuration text: a comma in a name would begin another
 * one. */
static int push_name(GENERAL_NAMES *names, const char *text, bool address)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
	ASN1_STRING *s = address ? a2i_IPADDRESS(text) : ASN1_IA5STRING_new();
	GENERAL_NAME *g = GENERAL_NAME_new();
	bool fits = address || (*text && strspn(text, letters) == strlen(text));

	if (!s || !g || !fits || (!address && !ASN1_STRING_set(s, text, -1)) ||
	    !sk_GENERAL_NAME_push(names, g)) {
		ASN1_STRING_free(s);
		GENERAL_NAME_free(g);
		return 0;
	}
	GENERAL_NAME_set0_value(g, address ? GEN_IPADD : GEN_DNS, s);
	return 1;
}

static int add_names(X509 *cert, const struct cert_request *rq, struct fault *f)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	const char *bad = NULL;
	int ok = names != NULL;

	for (size_t i = 0; ok && !bad && rq->dns && rq->dns[i]; i++)
		if (!push_name(names, rq->dns[i], false))
			bad = rq->dns[i];
	for (size_t i = 0; ok && !bad && rq->addresses && rq->addresses[i]; i++)
		if (!push_name(names, rq->addresses[i], true))
			bad = rq->addresses[i];
	if (ok && !bad && sk_GENERAL_NAME_num(names))
		ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	if (bad)
		return ossl_fault(f, EINVAL, "certificate for the name '%s'", bad);
	return ok ? 0 : ossl_fault(f, EIO, "certificate");
}

static int add_extensions(X509 *cert, X509 *issuer, const struct cert_request *rq, struct fault *f)
{
	const char *usage = rq->is_ca ? "critical,digitalSignature,keyCertSign,cRLSign"
				      : "critical,digitalSignature";
	const char *extended = rq->server && rq->client ? "serverAuth,clientAuth"
			       : rq->server		? "serverAuth"
							: "clientAuth";

	/* the subject's key id first: a self-signed certificate's authority key id is a copy of
	 * it */
	if (!add_extension(cert, issuer, NID_basic_constraints,
			   rq->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") ||
	    !add_extension(cert, issuer, NID_key_usage, usage) ||
	    ((rq->server || rq->client) &&
	     !add_extension(cert, issuer, NID_ext_key_usage, extended)) ||
	    !add_extension(cert, issuer, NID_subject_key_identifier, "hash") ||
	    !add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always"))
		return ossl_fault(f, EIO, "certificate for %s", rq->common_name);
	return add_names(cert, rq, f);
}

static int set_serial(X509 *cert, struct fault *f)
{
	unsigned char raw[16];
	BIGNUM *n;
	int r = crypto_random(raw, sizeof raw, f);

	if (r < 0)
		return r;
	raw[0] = (raw[0] & 0x7f) | 0x40; /* positive, and always of the same length */
	n = BN_bin2bn(raw, sizeof raw, NULL);
	r = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return r ? 0 : ossl_fault(f, EIO, "certificate serial number");
}

static int set_subject(X509 *cert, const struct cert_request *rq, struct fault *f)
{
	X509_NAME *name = X509_get_subject_name(cert);
	const unsigned char *cn = (const unsigned char *)rq->common_name,
			    *o = (const unsigned char *)rq->organization;

	if (o && !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, o, -1, -1, 0))
		return ossl_fault(f, EINVAL, "certificate for organization '%s'", rq->organization);
	if (!X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0))
		return ossl_fault(f, EINVAL, "certificate for '%s'", rq->common_name);
	return 0;
}

/* The issuer's certificate and key, checked: a certificate that nobody can verify is found here,
 * not on a node at night. */
static int open_issuer(const char *cert_pem, const char *key_pem, STACK_OF(X509) * *chain,
		       EVP_PKEY **key, struct fault *f)
{
	X509 *issuer;

	if (ossl_certs_read(cert_pem, chain, f) < 0 || ossl_key_read(key_pem, key, f) < 0) {
		fault_wrap(f, "issuer");
		return -EINVAL;
	}
	issuer = sk_X509_value(*chain, 0);
	if (X509_check_ca(issuer) != 1)
		return fault_set(f, EINVAL, "issuer: its certificate is not a CA's");
	if (!X509_check_private_key(issuer, *key))
		return ossl_fault(f, EINVAL, "issuer: its key belongs to another certificate");
	return 0;
}

int crypto_cert_new(const struct cert_request *rq, const char *subject_key, const char *issuer_cert,
		    const char *issuer_key, struct str *pem, struct fault *f)
{
	_bio_ BIO *out = BIO_new(BIO_s_mem());
	_certs_ STACK_OF(X509) *chain = NULL;
	_key_ EVP_PKEY *key = NULL, *ca_key = NULL;
	_cert_ X509 *cert = X509_new();
	X509 *issuer = cert;
	char *text;
	int r;

	if (!out || !cert)
		return ossl_fault(f, EIO, "certificate");
	r = ossl_key_read(subject_key, &key, f);
	if (r >= 0 && issuer_cert) {
		r = open_issuer(issuer_cert, issuer_key, &chain, &ca_key, f);
		issuer = sk_X509_value(chain, 0);
	}
	if (r < 0) {
		fault_wrap(f, "certificate for %s", rq->common_name);
		return r;
	}
	if (!X509_set_version(cert, X509_VERSION_3) || !X509_set_pubkey(cert, key) ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) ||
	    !X509_time_adj_ex(X509_getm_notAfter(cert), rq->days, 0, NULL))
		return ossl_fault(f, EIO, "certificate for %s", rq->common_name);
	r = set_serial(cert, f);
	if (r >= 0)
		r = set_subject(cert, rq, f);
	if (r >= 0 && !X509_set_issuer_name(cert, X509_get_subject_name(issuer)))
		r = ossl_fault(f, EIO, "certificate for %s", rq->common_name);
	if (r >= 0)
		r = add_extensions(cert, issuer, rq, f);
	if (r < 0)
		return r;
	if (!X509_sign(cert, ca_key ? ca_key : key, EVP_sha256()) || !PEM_write_bio_X509(out, cert))
		return ossl_fault(f, EIO, "certificate for %s", rq->common_name);
	r = (int)BIO_get_mem_data(out, &text);
	str_add_n(pem, text, (size_t)r);
	return 0;
}

static int to_time(const ASN1_TIME *t, int64_t *ret, struct fault *f)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return ossl_fault(f, EINVAL, "certificate with a broken date");
	*ret = timegm(&tm);
	return 0;
}

static int der_sha256(X509 *cert, char out[65], struct fault *f)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n < 0)
		return ossl_fault(f, EINVAL, "certificate");
	crypto_sha256_hex(der, (size_t)n, out);
	OPENSSL_free(der);
	return 0;
}

static int read_info(X509 *cert, struct cert_info *ret, struct fault *f)
{
	struct cert_info info = { 0 };
	int r = ossl_common_name(cert, info.common_name, f);

	if (r >= 0)
		r = to_time(X509_get0_notBefore(cert), &info.not_before, f);
	if (r >= 0)
		r = to_time(X509_get0_notAfter(cert), &info.not_after, f);
	if (r >= 0)
		r = der_sha256(cert, info.sha256, f);
	if (r < 0)
		return r;
	info.is_ca = X509_check_ca(cert) == 1;
	ERR_clear_error();
	*ret = info;
	return 0;
}

int crypto_cert_info(const char *pem, struct cert_info *ret, struct fault *f)
{
	_certs_ STACK_OF(X509) *certs = NULL;
	int r = ossl_certs_read(pem, &certs, f);

	return r < 0 ? r : read_info(sk_X509_value(certs, 0), ret, f);
}

static int match_key(X509 *cert, const char *key, struct fault *f)
{
	_key_ EVP_PKEY *k = NULL;
	int r = ossl_key_read(key, &k, f);

	if (r < 0)
		return r;
	if (!X509_check_private_key(cert, k))
		return ossl_fault(f, EINVAL, "the key does not belong to the certificate");
	return 0;
}

int crypto_key_matches(const char *cert, const char *key, struct fault *f)
{
	_certs_ STACK_OF(X509) *certs = NULL;
	int r = ossl_certs_read(cert, &certs, f);

	return r < 0 ? r : match_key(sk_X509_value(certs, 0), key, f);
}

/* Verifies the first of CHAIN, by the rest of it, to one of ROOTS; ANCHOR (may be NULL) gets the
 * root it ended at. */
static int verify(STACK_OF(X509) * chain, STACK_OF(X509) * roots, int64_t unix_time, X509 **anchor,
		  struct fault *f)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int code = X509_V_ERR_OUT_OF_MEM;

	if (ctx && X509_STORE_CTX_init(ctx, NULL, sk_X509_value(chain, 0), chain)) {
		X509_STORE_CTX_set0_trusted_stack(ctx, roots);
		if (unix_time == ANY_TIME)
			X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
		else if (unix_time >= 0)
			X509_STORE_CTX_set_time(ctx, 0, (time_t)unix_time);
		X509_verify_cert(ctx);
		code = X509_STORE_CTX_get_error(ctx);
	}
	if (code == X509_V_OK && anchor) {
		STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(ctx);

		*anchor = sk_X509_value(built, sk_X509_num(built) - 1);
		X509_up_ref(*anchor);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return code == X509_V_OK ? 0 : fault_set(f, EACCES, "%s", ossl_verify_text(code));
}

int crypto_cert_verify(const char *cert, const char *root, int64_t unix_time, struct fault *f)
{
	_certs_ STACK_OF(X509) *chain = NULL, *roots = NULL;
	int r = ossl_certs_read(cert, &chain, f);

	if (r >= 0)
		r = ossl_certs_read(root, &roots, f);
	return r < 0 ? r : verify(chain, roots, unix_time, NULL, f);
}

void crypto_root_free(struct crypto_root *r)
{
	STACK_OF(X509) *certs = r->certs;

	ossl_certs_freep(&certs);
	*r = (struct crypto_root){ 0 };
}

/* Whether ROOT is what LAST holds: read when it is not. */
static bool read_root(const char *root, struct crypto_root *last, struct fault *f)
{
	STACK_OF(X509) *certs = NULL;

	if (last->pem == root)
		return true;
	crypto_root_free(last);
	if (ossl_certs_read(root, &certs, f) < 0)
		return false;
	*last = (struct crypto_root){ root, certs };
	return true;
}

void crypto_pair_check(const char *cert, const char *key, const char *root,
		       struct crypto_root *last, int64_t now, struct cert_findings *ret)
{
	_certs_ STACK_OF(X509) *chain = NULL;
	_root_ struct crypto_root own = { 0 };
	struct crypto_root *anchor = last ? last : &own;

	*ret = (struct cert_findings){ 0 };
	if (ossl_certs_read(cert, &chain, &ret->cert) < 0 ||
	    read_info(sk_X509_value(chain, 0), &ret->info, &ret->cert) < 0)
		return;
	if (key)
		match_key(sk_X509_value(chain, 0), key, &ret->key);
	if (root && (root == cert || read_root(root, anchor, &ret->chain)))
		verify(chain, root == cert ? chain : anchor->certs,
		       now > ret->info.not_before ? now : ret->info.not_before, NULL, &ret->chain);
}

static bool is_root(X509 *cert)
{
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(cert),
				*issuer = X509_get0_authority_key_id(cert);

	return !issuer || (own && ASN1_OCTET_STRING_cmp(own, issuer) == 0);
}

/* K3s takes as roots those of the bundle after the first whose authority key id is absent or their
 * own. It ignores a chain that does not verify and hashes the file instead; then a renewed
 * intermediate changes the token, so that is refused here. The dates do not count: the workstation
 * that makes a token may have another clock. */
static int bundle_sha256(const char *pem, STACK_OF(X509) * certs, char out[65], struct fault *f)
{
	_certs_ STACK_OF(X509) *roots = sk_X509_new_null();
	_cert_ X509 *anchor = NULL;
	struct fault why = { 0 };

	if (pem && sk_X509_num(certs) == 1) {
		crypto_sha256_hex(pem, strlen(pem), out);
		return 0;
	}
	for (int i = 1; roots && i < sk_X509_num(certs); i++) {
		X509 *c = sk_X509_value(certs, i);

		if (is_root(c) && X509_up_ref(c) && !sk_X509_push(roots, c))
			X509_free(c);
	}
	if (verify(certs, roots, ANY_TIME, &anchor, &why) < 0)
		return fault_set(f, EINVAL, "the bundle does not lead to its root: %s", why.text);
	return der_sha256(anchor, out, f);
}

int crypto_k3s_token(const char *server_ca_bundle, const char *password, struct str *token,
		     struct fault *f)
{
	_certs_ STACK_OF(X509) *certs = NULL;
	char hash[65];
	int r = ossl_certs_read(server_ca_bundle, &certs, f);

	if (r >= 0)
		r = bundle_sha256(server_ca_bundle, certs, hash, f);
	if (r < 0) {
		fault_wrap(f, "token: server CA");
		return r;
	}
	if (!password || !*password)
		return fault_set(f, EINVAL, "token: the password is empty");
	str_addf(token, "K10%s::server:%s", hash, password);
	return 0;
}
