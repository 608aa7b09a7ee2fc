/* Makes the secrets of a cluster: K3s's own CAs (root, one intermediate, five CAs below it, as
 * K3s's documentation has them), a CA apart for the exchange between the nodes, one for the database,
 * and passwords. See
 * secrets.h. */
#include "cloud-init/secrets_internal.h"

#include "lib/crypto.h"

#include <errno.h>

#define CA_DAYS (20 * 365)
#define NODE_DAYS (10 * 365)
#define PASSWORD_LENGTH 32
#define SECRET_KEY_LENGTH 64

#define CA(name, cn, member)                                                                       \
	{                                                                                          \
		name, cn, offsetof(struct secrets, member), offsetof(struct secrets, member##_key) \
	}
const struct k3s_ca k3s_cas[K3S_CA_COUNT] = {
	CA("server_ca", "k3s-server-ca", server_ca),
	CA("client_ca", "k3s-client-ca", client_ca),
	CA("request_header_ca", "k3s-request-header-ca", request_header_ca),
	CA("etcd_server_ca", "etcd-server-ca", etcd_server_ca),
	CA("etcd_peer_ca", "etcd-peer-ca", etcd_peer_ca),
};

#define PEER(i)                                                                                   \
	{                                                                                         \
		"postgres-" #i, "postgres-" #i, NULL, offsetof(struct secrets, database_peer[i]), \
			offsetof(struct secrets, database_peer_key[i])                            \
	}
#define IN_DATABASE(name) name, name ".database.svc", name ".database.svc.cluster.local"
static const char *const server_names[] = { "*.postgres.database.svc",
					    "*.postgres.database.svc.cluster.local",
					    IN_DATABASE("postgres"),
					    IN_DATABASE("pooler"),
					    IN_DATABASE("pooler-session"),
					    "localhost",
					    NULL };
const struct database_cert database_certs[DATABASE_CERT_COUNT] = {
	PEER(0),
	PEER(1),
	PEER(2),
	{ "server", "postgres", server_names, offsetof(struct secrets, database_server),
	  offsetof(struct secrets, database_server_key) },
};

/* A new key and its certificate, appended to CERT and KEY; no issuer: signed by itself. */
static int make_pair(const struct cert_request *rq, const char *issuer, const char *issuer_key,
		     struct str *cert, struct str *key, struct fault *f)
{
	int r = crypto_key_new(KEY_PKCS8, key, f);

	if (r >= 0)
		r = crypto_cert_new(rq, key->p, issuer, issuer_key, cert, f);
	return r < 0 ? fault_wrap(f, "%s", rq->common_name) : 0;
}

static int make_ca(const char *cluster, const char *name, const char *issuer,
		   const char *issuer_key, struct str *cert, struct str *key, struct fault *f)
{
	struct cert_request rq = {
		.common_name = name, .organization = cluster, .is_ca = true, .days = CA_DAYS
	};

	return make_pair(&rq, issuer, issuer_key, cert, key, f);
}

/* A CA that nothing else signed. */
static int make_ca_apart(const char *cluster, const char *name, char **cert, char **key,
			 struct fault *f)
{
	_secret_ struct str new_cert = { 0 }, new_key = { 0 };
	int r = make_ca(cluster, name, NULL, NULL, &new_cert, &new_key, f);

	if (r < 0)
		return r;
	*cert = str_take(&new_cert);
	*key = str_take(&new_key);
	return 0;
}

static int make_k3s(struct secrets *s, const char *cluster, struct fault *f)
{
	_secret_ struct str root = { 0 }, root_key = { 0 }, middle = { 0 }, middle_key = { 0 },
			    service = { 0 };
	int r;

	if (make_ca(cluster, "k3s-root-ca", NULL, NULL, &root, &root_key, f) < 0 ||
	    make_ca(cluster, "k3s-intermediate-ca", root.p, root_key.p, &middle, &middle_key, f) <
		    0)
		return -f->code;
	for (size_t i = 0; i < K3S_CA_COUNT; i++) {
		_secret_ struct str cert = { 0 }, key = { 0 };

		r = make_ca(cluster, k3s_cas[i].common_name, middle.p, middle_key.p, &cert, &key,
			    f);
		if (r < 0)
			return r;
		str_add(&cert, middle.p);
		str_add(&cert, root.p);
		*secrets_member(s, k3s_cas[i].cert) = str_take(&cert);
		*secrets_member(s, k3s_cas[i].cert_key) = str_take(&key);
	}
	r = crypto_key_new(KEY_SEC1, &service, f);
	if (r < 0)
		return r;
	s->root_ca = str_take(&root);
	s->root_ca_key = str_take(&root_key);
	s->service_key = str_take(&service);
	return 0;
}

static int make_token(struct secrets *s, struct fault *f)
{
	_secret_ struct str token = { 0 };
	int r;

	if (!s->token_password)
		s->token_password = crypto_random_word(PASSWORD_LENGTH);
	r = crypto_k3s_token(s->server_ca, s->token_password, &token, f);
	if (r < 0)
		return r;
	s->token = str_take(&token);
	return 0;
}

/* Who serves and asks by the same certificate. DNS has a NULL at its end. No address: it may change,
 * the name is what peers ask for. */
static int make_identity(const char *name, const char *cluster, const char *const *dns,
			 const char *ca, const char *ca_key, char **cert, char **key,
			 struct fault *f)
{
	struct cert_request rq = { .common_name = name,
				   .organization = cluster,
				   .days = NODE_DAYS,
				   .dns = dns,
				   .server = true,
				   .client = true };
	_secret_ struct str new_cert = { 0 }, new_key = { 0 };
	int r = make_pair(&rq, ca, ca_key, &new_cert, &new_key, f);

	if (r < 0)
		return r;
	*cert = str_take(&new_cert);
	*key = str_take(&new_key);
	return 0;
}

static int make_node(struct secrets *s, int i, const struct node_config *n, const char *cluster,
		     struct fault *f)
{
	const char *dns[] = { n->name, NULL };

	return make_identity(n->name, cluster, dns, s->exchange_ca, s->exchange_ca_key,
			     &s->nodes[i].cert, &s->nodes[i].key, f);
}

/* Returns how many were missing. */
static int make_database(struct secrets *s, const char *cluster, struct fault *f)
{
	int r = 0, made = 0;

	if (!s->database_ca && ++made)
		r = make_ca_apart(cluster, "phoenix-database-ca", &s->database_ca,
				  &s->database_ca_key, f);
	for (size_t i = 0; r >= 0 && i < DATABASE_CERT_COUNT; i++) {
		const struct database_cert *d = &database_certs[i];
		const char *own[] = { d->common_name, NULL };

		if (*secrets_member(s, d->cert))
			continue;
		made++;
		r = make_identity(d->common_name, cluster, d->dns ? d->dns : own, s->database_ca,
				  s->database_ca_key, secrets_member(s, d->cert),
				  secrets_member(s, d->cert_key), f);
	}
	return r < 0 ? r : made;
}

static int make_passwords(struct secrets *s)
{
	char **passwords[] = { &s->gitea_admin_password, &s->postgres_password,
			       &s->repmgr_password,	 &s->gitea_database_password,
			       &s->pooler_password,	 &s->valkey_password,
			       &s->pgbauth_password,	 &s->pgpool_password,
			       &s->route_password,	 &s->backup_passphrase,
			       &s->gitea_secret_key };
	int made = 0;

	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		if (*passwords[i])
			continue;
		*passwords[i] = crypto_random_word(
			passwords[i] == &s->gitea_secret_key ? SECRET_KEY_LENGTH : PASSWORD_LENGTH);
		made++;
	}
	return made;
}

int secrets_issue(struct secrets *s, const struct cluster_config *c, struct fault *f)
{
	int made = make_passwords(s), r = 0;

	if (!s->cluster)
		s->cluster = mem_strdup(c->name);
	if (!s->exchange_ca && ++made)
		r = make_ca_apart(c->name, "phoenix-exchange-ca", &s->exchange_ca,
				  &s->exchange_ca_key, f);
	if (r >= 0 && !s->root_ca && ++made)
		r = make_k3s(s, c->name, f);
	if (r >= 0 && !s->token && ++made)
		r = make_token(s, f);
	for (int i = 0; r >= 0 && i < NODE_COUNT; i++)
		if (!s->nodes[i].cert && ++made)
			r = make_node(s, i, &c->nodes[i], c->name, f);
	if (r >= 0)
		r = make_database(s, c->name, f);
	return r < 0 ? r : made + r;
}
