/* Between the files that read, check, issue and write secrets. */
#pragma once

#include "cloud-init/schema.h"
#include "cloud-init/secrets.h"

extern const struct schema_field secrets_fields[], secrets_node_fields[];

/* One of K3s's own CAs: its name in secrets.yaml and its two members in the struct. */
struct k3s_ca {
	const char *key, *common_name;
	size_t cert, cert_key;
};
#define K3S_CA_COUNT 5
extern const struct k3s_ca k3s_cas[K3S_CA_COUNT];
/* A certificate below the database's CA: its name in secrets.yaml, whose it is, other names that it is
 * good for, and its two members in the struct. */
struct database_cert {
	const char *key, *common_name;
	const char *const *dns;
	size_t cert, cert_key;
};
#define DATABASE_CERT_COUNT (DATABASE_PODS + 1)
extern const struct database_cert database_certs[DATABASE_CERT_COUNT];
static inline char **secrets_member(struct secrets *s, size_t offset)
{
	return (char **)((char *)s + offset);
}

/* What was wrong or missing by the table is NULL here and was reported. */
void secrets_check(struct schema *sc, const char *prefix, struct secrets *s,
		   const struct cluster_config *c, enum secrets_scope scope, int self);
