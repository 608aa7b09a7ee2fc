/* Do the secrets belong together? Every mismatch that is found here on the workstation would
 * otherwise be found by three nodes that wait for each other. See secrets.h. */
#include "cloud-init/secrets_internal.h"

#include "lib/crypto.h"

#include <time.h>

#define REMEDY "phoenix init --secrets DIR issues what is missing"

struct checking {
	struct schema *sc;
	const char *prefix;
	int64_t now;
	struct crypto_root root; /* the last that was needed */
};

static void wrong(const struct checking *x, const char *path, const char *what)
{
	_free_ char *full = mem_printf("%s%s%s", x->prefix, *x->prefix ? "." : "", path);

	schema_wrong(x->sc, full, "%s", what);
}

/* CERT is what it should be: leads to ROOT, valid, its key the one beside it (KEY may be NULL).
 * True: it is, and NAME is whose. */
static bool check_pair(struct checking *x, const char *path, const char *cert, const char *key,
		       const char *root, bool is_ca, char name[128])
{
	_free_ char *cert_path = mem_printf("%s.certificate", path),
		    *key_path = mem_printf("%s.key", path);
	struct cert_findings found;

	if (!cert)
		return false;
	crypto_pair_check(cert, key, root, &x->root, x->now, &found);
	if (found.cert.code) {
		wrong(x, cert_path, found.cert.text);
		return false;
	}
	if (found.key.code)
		wrong(x, key_path,
		      str_starts(found.key.text, "the key does not")
			      ? "does not belong to the certificate beside it"
			      : found.key.text);
	snprintf(name, 128, "%s", found.info.common_name);
	if (found.info.is_ca != is_ca) {
		wrong(x, cert_path,
		      is_ca ? "is not the certificate of a CA" : "is the certificate of a CA");
	} else if (found.chain.code) {
		_free_ char *text = mem_printf("does not lead to its root: %s", found.chain.text);

		wrong(x, cert_path, found.info.not_after < x->now ? "has expired" : text);
	} else {
		return !found.key.code;
	}
	return false;
}

/* The certificate and key of node I. */
static void check_node(struct checking *x, const struct secrets *s, const struct cluster_config *c,
		       int i, const char *root, enum secrets_scope scope, int self)
{
	const char *name = c->nodes[i].name;
	_free_ char *path = NULL, *cert = NULL;
	char owner[128];

	/* a name that could not be read, or stands twice, was reported with the description */
	if (!name || config_node(c, name) != i)
		return;
	path = mem_printf("exchange.nodes.%s", name);
	cert = mem_printf("%s.certificate", path);
	if (scope == SECRETS_NODE && i != self) {
		if (s->nodes[i].key)
			wrong(x, path, "has no business in another node's seed");
		return;
	}
	if (!s->nodes[i].cert && !s->nodes[i].key && scope != SECRETS_PARTIAL)
		wrong(x, path, "is missing; " REMEDY);
	if (!check_pair(x, path, s->nodes[i].cert, s->nodes[i].key, root, false, owner))
		return;
	if (!str_eq(owner, name)) {
		_free_ char *text = mem_printf("is the certificate of '%s'", owner);

		wrong(x, cert, text);
	}
}

static void check_exchange(struct checking *x, const struct secrets *s,
			   const struct cluster_config *c, enum secrets_scope scope, int self)
{
	char owner[128];
	/* below a broken CA everything is broken: that is one mistake */
	const char *root = check_pair(x, "exchange.ca", s->exchange_ca, s->exchange_ca_key,
				      s->exchange_ca, true, owner)
				   ? s->exchange_ca
				   : NULL;

	if (scope != SECRETS_NODE && !s->exchange_ca_key)
		wrong(x, "exchange.ca.key", "is missing; it signs the nodes' certificates");
	if (scope == SECRETS_NODE && s->exchange_ca_key)
		wrong(x, "exchange.ca.key",
		      "has no business in a seed: it could make any node's certificate");
	for (int i = 0; c && i < NODE_COUNT; i++)
		check_node(x, s, c, i, root, scope, self);
}

/* What a seed of an older program has not, is missed when it is needed. */
static void check_database(struct checking *x, struct secrets *s, enum secrets_scope scope)
{
	char owner[128];
	const char *root = check_pair(x, "database.ca", s->database_ca, s->database_ca_key,
				      s->database_ca, true, owner)
				   ? s->database_ca
				   : NULL;

	if (scope == SECRETS_CLUSTER && !s->database_ca)
		wrong(x, "database.ca", "is missing; " REMEDY);
	if (scope != SECRETS_NODE && s->database_ca && !s->database_ca_key)
		wrong(x, "database.ca.key", "is missing; it signs the database's certificates");
	if (scope == SECRETS_NODE && s->database_ca_key)
		wrong(x, "database.ca.key", "has no business in a seed");
	for (size_t i = 0; i < DATABASE_CERT_COUNT; i++) {
		const struct database_cert *d = &database_certs[i];
		const char *cert = *secrets_member(s, d->cert),
			   *key = *secrets_member(s, d->cert_key);
		_free_ char *path = mem_printf("database.%s", d->key),
			    *cert_path = mem_printf("%s.certificate", path);

		if (!cert != !key || (!cert && scope == SECRETS_CLUSTER))
			wrong(x, path, "is missing or not whole; " REMEDY);
		if (check_pair(x, path, cert, key, root, false, owner) &&
		    !str_eq(owner, d->common_name))
			wrong(x, cert_path, "is the certificate of another");
	}
}

static void check_passwords(const struct checking *x, const struct secrets *s)
{
	const struct {
		const char *path, *value;
	} later[] = { { "passwords.pgbauth", s->pgbauth_password },
		      { "passwords.pgpool", s->pgpool_password },
		      { "passwords.route", s->route_password } };

	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (!later[i].value)
			wrong(x, later[i].path, "is missing; " REMEDY);
}

static void check_k3s(struct checking *x, struct secrets *s, enum secrets_scope scope)
{
	_secret_ struct str token = { 0 };
	char owner[128];
	bool fine = check_pair(x, "k3s.root", s->root_ca, s->root_ca_key, s->root_ca, true, owner),
	     server = false;
	struct fault f = { 0 };

	if (scope != SECRETS_NODE && !s->root_ca_key)
		wrong(x, "k3s.root.key", "is missing; it renews K3s's CAs");
	if (scope == SECRETS_NODE && s->root_ca_key)
		wrong(x, "k3s.root.key", "has no business in a seed");
	for (size_t i = 0; i < K3S_CA_COUNT; i++) {
		_free_ char *path = mem_printf("k3s.%s", k3s_cas[i].key);
		const char *cert = *secrets_member(s, k3s_cas[i].cert);
		bool good = check_pair(x, path, cert, *secrets_member(s, k3s_cas[i].cert_key),
				       fine ? s->root_ca : NULL, true, owner);

		server = server || (good && cert == s->server_ca);
	}
	/* PKCS#8 here kills the API servers of the whole cluster, and only after it formed */
	if (s->service_key && !crypto_key_is_sec1(s->service_key))
		wrong(x, "k3s.service_key",
		      "is not an EC key in the form 'BEGIN EC PRIVATE KEY', the only one that K3s "
		      "reads");
	if (!s->token || !server)
		return;
	if (crypto_k3s_token(s->server_ca, s->token_password, &token, &f) < 0)
		wrong(x, "k3s.server_ca.certificate", f.text);
	else if (!crypto_equal(token.p, s->token))
		wrong(x, "token", "its hash is not that of k3s.server_ca");
}

void secrets_check(struct schema *sc, const char *prefix, struct secrets *s,
		   const struct cluster_config *c, enum secrets_scope scope, int self)
{
	struct checking x = { .sc = sc, .prefix = prefix, .now = time(NULL) };

	if (c && c->name && s->cluster && !str_eq(c->name, s->cluster)) {
		_free_ char *text =
			mem_printf("these are the secrets of '%s', the description is of '%s'",
				   s->cluster, c->name);

		wrong(&x, "cluster", text);
	}
	check_exchange(&x, s, c, scope, self);
	check_k3s(&x, s, scope);
	check_database(&x, s, scope);
	if (scope == SECRETS_CLUSTER)
		check_passwords(&x, s);
	crypto_root_free(&x.root);
	if (scope == SECRETS_PARTIAL)
		return;
	if (c && c->s3_bucket && !s->s3_access_key)
		wrong(&x, "s3.access_key", "is missing; phoenix.yaml has backup.s3");
	if (c && c->s3_bucket && !s->s3_secret_key)
		wrong(&x, "s3.secret_key", "is missing; phoenix.yaml has backup.s3");
}
