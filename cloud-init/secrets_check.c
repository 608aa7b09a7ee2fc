/* Do the secrets belong together? Every mismatch that is found here on the workstation would otherwise be found by three
 * nodes that wait for each other. See secrets.h. */
#include "cloud-init/secrets_internal.h"

#include "lib/crypto.h"

#include <time.h>

#define REMEDY "phoenix init --secrets DIR issues what is missing"

struct checking {
	struct schema *sc;
	const char *prefix;
	int64_t now;
};

static void wrong(const struct checking *x, const char *path, const char *what)
{
	_free_ char *full = mem_printf("%s%s%s", x->prefix, *x->prefix ? "." : "", path);

	schema_wrong(x->sc, full, "%s", what);
}

/* CERT is what it should be: leads to ROOT (NULL: itself), valid, its key the one beside it (KEY may be NULL). */
static bool check_pair(const struct checking *x, const char *path, const char *cert, const char *key,
		       const char *root, bool is_ca, struct cert_info *info)
{
	_free_ char *cert_path = mem_printf("%s.certificate", path), *key_path = mem_printf("%s.key", path);
	struct fault f = { 0 };

	if (!cert)
		return false;
	if (crypto_cert_info(cert, info, &f) < 0) {
		wrong(x, cert_path, f.text);
		return false;
	}
	if (info->is_ca != is_ca)
		wrong(x, cert_path, is_ca ? "is not the certificate of a CA" : "is the certificate of a CA");
	if (key && crypto_key_matches(cert, key, &f) < 0)
		wrong(x, key_path, str_starts(f.text, "the key does not") ?
					   "does not belong to the certificate beside it" :
					   f.text);
	/* a blank machine's clock may be years behind; that is no mistake in the seed */
	if (root &&
	    crypto_cert_verify(cert, root, x->now > info->not_before ? x->now : info->not_before, &f) < 0) {
		_free_ char *text = mem_printf("does not lead to its root: %s", f.text);

		wrong(x, cert_path, info->not_after < x->now ? "has expired" : text);
	}
	return true;
}

static void check_exchange(const struct checking *x, const struct secrets *s, const struct cluster_config *c,
			   enum secrets_scope scope, int self)
{
	struct cert_info info;

	check_pair(x, "exchange.ca", s->exchange_ca, s->exchange_ca_key, s->exchange_ca, true, &info);
	if (scope != SECRETS_NODE && !s->exchange_ca_key)
		wrong(x, "exchange.ca.key", "is missing; it signs the nodes' certificates");
	if (scope == SECRETS_NODE && s->exchange_ca_key)
		wrong(x, "exchange.ca.key", "has no business in a seed: it could make any node's certificate");
	for (int i = 0; c && i < NODE_COUNT; i++) {
		const char *name = c->nodes[i].name;
		_free_ char *path = mem_printf("exchange.nodes.%s", name);
		_free_ char *cert = mem_printf("%s.certificate", path);

		if (scope == SECRETS_NODE && i != self) {
			if (s->nodes[i].key)
				wrong(x, path, "has no business in another node's seed");
			continue;
		}
		if (!s->nodes[i].cert && !s->nodes[i].key && scope != SECRETS_PARTIAL)
			wrong(x, path, "is missing; " REMEDY);
		if (!check_pair(x, path, s->nodes[i].cert, s->nodes[i].key, s->exchange_ca, false, &info))
			continue;
		if (!str_eq(info.common_name, name)) {
			_free_ char *text = mem_printf("is the certificate of '%s'", info.common_name);

			wrong(x, cert, text);
		}
	}
}

static void check_k3s(const struct checking *x, struct secrets *s, enum secrets_scope scope)
{
	_secret_ struct str token = { 0 };
	struct cert_info info;
	struct fault f = { 0 };

	check_pair(x, "k3s.root", s->root_ca, s->root_ca_key, s->root_ca, true, &info);
	if (scope != SECRETS_NODE && !s->root_ca_key)
		wrong(x, "k3s.root.key", "is missing; it renews K3s's CAs");
	if (scope == SECRETS_NODE && s->root_ca_key)
		wrong(x, "k3s.root.key", "has no business in a seed");
	for (size_t i = 0; i < K3S_CA_COUNT; i++) {
		_free_ char *path = mem_printf("k3s.%s", k3s_cas[i].key);

		check_pair(x, path, *secrets_member(s, k3s_cas[i].cert), *secrets_member(s, k3s_cas[i].cert_key),
			   s->root_ca, true, &info);
	}
	/* PKCS#8 here kills the API servers of the whole cluster, and only after it formed */
	if (s->service_key && !crypto_key_is_sec1(s->service_key))
		wrong(x, "k3s.service_key", "is not an EC key in the form 'BEGIN EC PRIVATE KEY', the only one that K3s reads");
	if (!s->token || !s->server_ca)
		return;
	if (crypto_k3s_token(s->server_ca, s->token_password, &token, &f) < 0)
		wrong(x, "k3s.server_ca.certificate", f.text);
	else if (!crypto_equal(token.p, s->token))
		wrong(x, "token", "its hash is not that of k3s.server_ca");
}

void secrets_check(struct schema *sc, const char *prefix, struct secrets *s, const struct cluster_config *c,
		   enum secrets_scope scope, int self)
{
	struct checking x = { .sc = sc, .prefix = prefix, .now = time(NULL) };

	if (c && s->cluster && !str_eq(c->name, s->cluster)) {
		_free_ char *text = mem_printf("these are the secrets of '%s', the description is of '%s'", s->cluster,
					       c->name);

		wrong(&x, "cluster", text);
	}
	check_exchange(&x, s, c, scope, self);
	check_k3s(&x, s, scope);
	if (scope == SECRETS_PARTIAL)
		return;
	if (c && c->s3_bucket && !s->s3_access_key)
		wrong(&x, "s3.access_key", "is missing; phoenix.yaml has backup.s3");
	if (c && c->s3_bucket && !s->s3_secret_key)
		wrong(&x, "s3.secret_key", "is missing; phoenix.yaml has backup.s3");
}
