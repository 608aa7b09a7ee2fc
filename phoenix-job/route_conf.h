/* The files that a pooler pod's programs run by, from its configuration: PgBouncer four times,
 * Pgpool-II in front of three of them. Everything is written anew at each start, below a folder in
 * memory: passwords are in it.
 *
 *     9999  Pgpool-II: reads go to ro1 and ro2, all else to rw
 *     6432  PgBouncer, session mode, rw: for drivers that keep something in the session
 *     6433  PgBouncer, transaction mode, rw         \
 *     6434, 6435  the same, ro1 and ro2              } behind Pgpool-II, on 127.0.0.1 alone
 *
 * Each PgBouncer takes its server from a file of its own, which is rewritten while it runs. */
#pragma once

#include "lib/fault.h"
#include "lib/fs.h"
#include "lib/str.h"
#include "phoenix-job/route_rules.h"

#define ROUTE_DATABASE "/etc/phoenix/database/database.json"
#define ROUTE_SECRETS "/etc/phoenix/secrets"
#define ROUTE_TLS "/etc/phoenix/tls"
#define ROUTE_RUN "/run/phoenix"
#define ROUTE_PGPOOL_PORT 9999

struct route_service {
	char *database, *role, *password;
};

struct route_conf {
	bool standbys_read;
	char *network; /* of the clients: "10.42.0.0/16" */
	struct strv api;
	struct route_service *services;
	size_t n;
	char *auth_password, *route_password; /* of the roles pgbauth and route */
};
#define _route_conf_ _cleanup_(route_conf_free)
void route_conf_free(struct route_conf *c);
/* From database.json and the secrets. -EINVAL names all mistakes. */
int route_conf_load(const struct fs *fs, struct route_conf *ret, struct fault *f);
/* All files below ROUTE_RUN. The pools point nowhere then. */
int route_conf_write(const struct fs *fs, const struct route_conf *c, struct fault *f);

int route_conf_port(enum route_pool p);
/* "/run/phoenix/rw.ini"; the caller's. */
char *route_conf_path(enum route_pool p);
/* The server of a pool: ADDRESS, or "" for nowhere. */
int route_conf_point(const struct fs *fs, enum route_pool p, const char *address, struct fault *f);
/* What SHOW DATABASES calls the address of a pool that points nowhere. */
#define ROUTE_NOWHERE "127.0.0.1"

/* The texts. */
void route_conf_pgbouncer(enum route_pool p, struct str *out);
void route_conf_pgpool(const struct route_conf *c, struct str *out);
