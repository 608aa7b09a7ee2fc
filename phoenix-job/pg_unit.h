/* What a database pod is told: by its environment (who it is), by the mounted configuration (what
 * the database is to be), by mounted secrets. Read once, at start. */
#pragma once

#include "phoenix-job/pg_core.h"

#include "lib/fs.h"

/* Where things lie in the pod. */
#define PG_VOLUME "/var/lib/phoenix"
#define PG_RUN_DIR "/run/phoenix"
#define PG_SOCKET "/run/postgresql"
#define PG_CONFIG "/etc/phoenix/database/database.json"
#define PG_SECRETS "/etc/phoenix/secrets"
#define PG_TLS "/etc/phoenix/tls"

#define PG_PORT 5432
#define PG_PEER_PORT 5433
#define PG_LABEL "app.kubernetes.io/name=postgres"

struct pg_service {
	char *database, *role;
};
struct pg_unit {
	char *pod, *uid, *address, *ns;
	int self; /* the pod's number */
	enum pg_mode mode;
	bool reads_standbys;
	char *network;	 /* of the pods, CIDR */
	struct strv api; /* in the order to try */
	struct pg_service *services;
	size_t n_services;
};
#define _unit_ _cleanup_(pg_unit_free)
void pg_unit_free(struct pg_unit *u);

/* FS is the pod's root. -EINVAL names every mistake at once. */
int pg_unit_read(const struct fs *fs, struct pg_unit *ret, struct fault *f);
/* "postgres-1" */
void pg_pod_name(int pod, char ret[32]);
/* -1: it is none of the three. */
int pg_pod_number(const char *name);
/* A password from the mounted secrets, without the line's end. */
int pg_secret(const struct fs *fs, const char *name, struct str *ret, struct fault *f);
