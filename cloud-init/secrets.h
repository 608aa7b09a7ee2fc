/* What makes the nodes of one cluster trust each other, and nobody else: secrets.yaml of the
 * cluster folder, or the part of it that a node's seed carries. Everything is erased on free. */
#pragma once

#include "cloud-init/config.h"

struct node_secrets {
	char *cert, *key; /* the node's certificate and key for the node exchange, PEM; NULL where
			     it is another node's */
};
#define DATABASE_PODS 3
struct secrets {
	char *cluster; /* name of the cluster that these belong to */
	char *token;   /* K3s's: K10…::server:password, checked against server_ca */
	char *token_password;
	char *exchange_ca, *exchange_ca_key; /* key only on the workstation */
	struct node_secrets nodes[NODE_COUNT];
	char *root_ca, *root_ca_key; /* root of K3s's CAs; key only on the workstation */
	/* the K3s CAs; the certificates are bundles (CA, intermediate, root) */
	char *server_ca, *server_ca_key, *client_ca, *client_ca_key, *request_header_ca,
		*request_header_ca_key;
	char *etcd_server_ca, *etcd_server_ca_key, *etcd_peer_ca, *etcd_peer_ca_key;
	char *service_key; /* SEC1 */
	/* The database's own CA: the pods know each other, and their clients them, by what it
	 * signed. Every node's seed has the certificates, since any node may install them. */
	char *database_ca, *database_ca_key;	     /* key only on the workstation */
	char *database_server, *database_server_key; /* PostgreSQL's and the poolers' */
	char *database_peer[DATABASE_PODS], *database_peer_key[DATABASE_PODS]; /* postgres-0… */
	char *gitea_admin_password, *gitea_secret_key; /* the second encrypts columns: without it a
							  restored database is useless */
	char *postgres_password, *repmgr_password, *gitea_database_password, *pooler_password,
		*valkey_password;
	char *pgbauth_password, *pgpool_password, *route_password;
	char *backup_passphrase;	     /* encrypts the backups */
	char *s3_access_key, *s3_secret_key; /* NULL without backup.s3 */
};
#define _secrets_ _cleanup_(secrets_freep)
void secrets_freep(struct secrets **s);

enum secrets_scope {
	SECRETS_CLUSTER, /* secrets.yaml, complete */
	SECRETS_PARTIAL, /* secrets.yaml that may lack certificates of nodes, to be issued */
	SECRETS_NODE,	 /* the part of one node */
};
/* Reads a tree (the whole secrets.yaml, or `secrets:` of a seed) and checks it: complete for SCOPE,
 * of the cluster of C, keys belong to certificates, chains end at their roots, nothing expired,
 * K3s's peculiarities. C may be NULL when the description is broken: what needs it is not checked
 * then. SELF: the node, for SECRETS_NODE. PREFIX goes before the keys in messages. */
int secrets_read(const char *file, const struct yaml *root, const char *prefix,
		 const struct cluster_config *c, enum secrets_scope scope, int self,
		 struct secrets **ret, struct diags *d);
int secrets_parse(const char *file, const char *text, size_t len, const struct cluster_config *c,
		  enum secrets_scope scope, struct secrets **ret, struct diags *d);
/* Fills in everything that is missing: all of an empty S, or certificates of nodes that S has none
 * for. Returns how much was. */
int secrets_issue(struct secrets *s, const struct cluster_config *c, struct fault *f);
/* Writes S as YAML, each line INDENT deep; what is NULL is left out. */
void secrets_write(const struct secrets *s, const struct cluster_config *c, int indent,
		   struct str *out);
/* Writes the part for node SELF: no key that could make another identity, except the CAs that K3s
 * itself needs. */
void secrets_write_node(const struct secrets *s, const struct cluster_config *c, int self,
			int indent, struct str *out);
