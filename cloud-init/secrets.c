/* secrets.yaml by a table, which reads, writes and frees it. See secrets.h. */
#include "cloud-init/secrets.h"

#include "cloud-init/schema.h"
#include "cloud-init/secrets_internal.h"

#include <errno.h>

#define AT(member) offsetof(struct secrets, member)
#define CERTIFICATE "a certificate in PEM"
#define KEY "a private key in PEM"
#define PASSWORD "12 to 128 letters, digits and '-_.~+/='"

static const char *check_certificate(char *text)
{
	return str_starts(text, "-----BEGIN CERTIFICATE-----\n") ? NULL : "not a certificate";
}

static const char *check_key(char *text)
{
	return str_starts(text, "-----BEGIN ") && strstr(text, "PRIVATE KEY-----\n")
		       ? NULL
		       : "not a private key";
}

/* Passwords end in connection strings, files of shells and URLs: characters that need quoting there
 * are none. */
static const char *check_password(char *text)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=";
	size_t n = strlen(text);

	return n >= 12 && n <= 128 && strspn(text, good) == n
		       ? NULL
		       : "too short, too long or of other characters";
}

static const char *check_token(char *text)
{
	char *password = strstr(text, "::server:");

	return str_starts(text, "K10") && password == text + 3 + 64 && !check_password(password + 9)
		       ? NULL
		       : "not K3s's token";
}

static const char *check_access(char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"'\\$`", *p))
			return "not a key of S3";
	return strlen(text) <= 200 ? NULL : "not a key of S3";
}

const struct schema_field secrets_node_fields[] = {
	{ "certificate", SCHEMA_SECRET, offsetof(struct node_secrets, cert), CERTIFICATE,
	  .check = check_certificate, .required = true },
	{ "key", SCHEMA_SECRET, offsetof(struct node_secrets, key), KEY, .check = check_key,
	  .required = true },
	{ 0 },
};

/* What the table's rows are read into; read_nodes needs the names of the nodes. */
struct reading {
	struct secrets secrets; /* first: the rows' offsets are those of its members */
	const struct cluster_config *config;
};

static void read_nodes(struct schema *s, const char *path, const struct yaml *y, void *base);

#define CA_ROWS(key, member)                                                                 \
	{ "k3s." key ".certificate",  SCHEMA_SECRET,   AT(member), CERTIFICATE,              \
	  .check = check_certificate, .required = true },                                    \
	{                                                                                    \
		"k3s." key ".key", SCHEMA_SECRET, AT(member##_key), KEY, .check = check_key, \
									 .required = true    \
	}
/* What came later than the rest: `phoenix init --secrets` issues it into an older file, and a node
 * lives with a seed of then. */
#define LATER_ROWS(key, member)                                                      \
	{ key ".certificate", SCHEMA_SECRET, AT(member), CERTIFICATE,                \
	  .check = check_certificate },                                              \
	{                                                                            \
		key ".key", SCHEMA_SECRET, AT(member##_key), KEY, .check = check_key \
	}
#define PEER_ROWS(i)                                                                          \
	{ "database.postgres-" #i ".certificate", SCHEMA_SECRET, AT(database_peer[i]),        \
	  CERTIFICATE, .check = check_certificate },                                          \
	{                                                                                     \
		"database.postgres-" #i ".key", SCHEMA_SECRET, AT(database_peer_key[i]), KEY, \
			.check = check_key                                                    \
	}
#define LATER_PASSWORD(key, member)                                                            \
	{                                                                                      \
		"passwords." key, SCHEMA_SECRET, AT(member), PASSWORD, .check = check_password \
	}
#define PASSWORD_ROW(key, member)                                                               \
	{                                                                                       \
		"passwords." key, SCHEMA_SECRET, AT(member), PASSWORD, .check = check_password, \
								       .required = true         \
	}

const struct schema_field secrets_fields[] = {
	{ "cluster", SCHEMA_TEXT, AT(cluster), "the cluster's name", .required = true },
	{ "token", SCHEMA_SECRET, AT(token), "as phoenix init wrote it", .check = check_token,
	  .required = true },
	{ "exchange.ca.certificate", SCHEMA_SECRET, AT(exchange_ca), CERTIFICATE,
	  .check = check_certificate, .required = true },
	{ "exchange.ca.key", SCHEMA_SECRET, AT(exchange_ca_key), KEY, .check = check_key },
	{ "exchange.nodes", SCHEMA_OTHER, AT(nodes), "a certificate and key for each node",
	  .other = read_nodes },
	{ "k3s.root.certificate", SCHEMA_SECRET, AT(root_ca), CERTIFICATE,
	  .check = check_certificate, .required = true },
	{ "k3s.root.key", SCHEMA_SECRET, AT(root_ca_key), KEY, .check = check_key },
	CA_ROWS("server_ca", server_ca),
	CA_ROWS("client_ca", client_ca),
	CA_ROWS("request_header_ca", request_header_ca),
	CA_ROWS("etcd_server_ca", etcd_server_ca),
	CA_ROWS("etcd_peer_ca", etcd_peer_ca),
	{ "k3s.service_key", SCHEMA_SECRET, AT(service_key), KEY, .check = check_key,
	  .required = true },
	LATER_ROWS("database.ca", database_ca),
	LATER_ROWS("database.server", database_server),
	PEER_ROWS(0),
	PEER_ROWS(1),
	PEER_ROWS(2),
	PASSWORD_ROW("gitea_admin", gitea_admin_password),
	PASSWORD_ROW("gitea_secret_key", gitea_secret_key),
	PASSWORD_ROW("postgres", postgres_password),
	PASSWORD_ROW("repmgr", repmgr_password),
	PASSWORD_ROW("gitea_database", gitea_database_password),
	PASSWORD_ROW("pooler", pooler_password),
	PASSWORD_ROW("valkey", valkey_password),
	LATER_PASSWORD("pgbauth", pgbauth_password),
	LATER_PASSWORD("pgpool", pgpool_password),
	LATER_PASSWORD("route", route_password),
	PASSWORD_ROW("backup", backup_passphrase),
	{ "s3.access_key", SCHEMA_SECRET, AT(s3_access_key), "the access key of the bucket",
	  .check = check_access },
	{ "s3.secret_key", SCHEMA_SECRET, AT(s3_secret_key), "the secret key of the bucket",
	  .check = check_access },
	{ 0 },
};

/* Certificates of names that are no nodes any more are checked for their form and not kept. */
static void read_nodes(struct schema *s, const char *path, const struct yaml *y, void *base)
{
	struct reading *x = base;

	if (y->kind != YAML_MAP) {
		schema_wrong_at(s, y, path,
				"must be a map from the nodes' names to certificate and key");
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		_free_ char *item = mem_printf("%s.%s", path, y->keys[i]->text);
		int node = x->config ? config_node(x->config, y->keys[i]->text) : -1;
		struct node_secrets stranger = { 0 };

		schema_read(s, secrets_node_fields, item, y->values[i],
			    node < 0 ? &stranger : &x->secrets.nodes[node]);
		schema_free(secrets_node_fields, &stranger);
	}
}

static void release(struct secrets *s)
{
	for (int i = 0; i < NODE_COUNT; i++)
		schema_free(secrets_node_fields, &s->nodes[i]);
	schema_free(secrets_fields, s);
	mem_erase_str(s->token_password);
	s->token_password = NULL;
}

void secrets_freep(struct secrets **s)
{
	if (*s)
		release(*s);
	free(*s);
	*s = NULL;
}

int secrets_read(const char *file, const struct yaml *root, const char *prefix,
		 const struct cluster_config *c, enum secrets_scope scope, int self,
		 struct secrets **ret, struct diags *d)
{
	struct schema s = { .file = file, .d = d, .root = root };
	const struct yaml *map = *prefix ? schema_find(&s, prefix) : root;
	struct reading x = { .config = c };

	if (schema_is_null(map)) {
		schema_wrong(&s, prefix, "is missing");
		return -EINVAL;
	}
	schema_read(&s, secrets_fields, prefix, map, &x);
	strv_free(&s.canonical);
	if (x.secrets.token)
		x.secrets.token_password = mem_strdup(strstr(x.secrets.token, "::server:") + 9);
	secrets_check(&s, prefix, &x.secrets, c, scope, self);
	if (s.bad) {
		release(&x.secrets);
		return -EINVAL;
	}
	*ret = mem_alloc(sizeof **ret);
	**ret = x.secrets;
	return 0;
}

int secrets_parse(const char *file, const char *text, size_t len, const struct cluster_config *c,
		  enum secrets_scope scope, struct secrets **ret, struct diags *d)
{
	_yaml_ struct yaml *root = NULL;
	_secrets_ struct secrets *s = NULL;
	int r = yaml_parse(file, text, len, &root, d);

	if (!root || secrets_read(file, root, "", c, scope, -1, &s, d) < 0 || r < 0)
		return -EINVAL;
	*ret = TAKE_PTR(s);
	return 0;
}
