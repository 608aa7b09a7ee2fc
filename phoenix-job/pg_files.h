/* The files that PostgreSQL and repmgr of this pod read: all below PG_RUN_DIR, written anew at each
 * start, none in the data directory. What a data directory brings along from where it was cloned (a
 * list of names, another pod's address) therefore never counts. */
#pragma once

#include "phoenix-job/pg_unit.h"

#define PG_CONF PG_RUN_DIR "/postgresql.conf"
#define PG_PASSFILE PG_RUN_DIR "/pgpass"
#define PG_PERMIT PG_RUN_DIR "/permit"
#define PG_ROLE "phoenix" /* the supervisor's own */

/* What of the settings changes while PostgreSQL runs. */
struct pg_settings {
	bool names[PG_PODS];  /* commits wait for each of these */
	int turn;	      /* another one each time the names change: see pg_first_priority */
	const char *upstream; /* address of the server to stream from; NULL: of nobody */
};
void pg_conf_print(const struct pg_unit *u, const struct pg_settings *s, struct str *out);
/* With it, walsenders show that they know a list of names: the priority of the first name, which is
 * another one in each of eight turns (names nobody has stand before it). Without, a walsender that
 * still goes by an older list could not be told from one that knows the new one. */
int pg_first_priority(int turn);
/* PostgreSQL's way to itself, as a standby or as repmgr. */
void pg_conninfo_print(const char *address, const char *application, const char *database,
		       struct str *out);
/* pg_hba.conf, pg_ident.conf (USER: of the operating system), repmgr.conf (DATA: directory), with
 * the passwords: pgpass. */
int pg_files_write(const struct fs *fs, const struct pg_unit *u, const char *user, struct fault *f);
int pg_repmgr_write(const struct fs *fs, const struct pg_unit *u, const char *path,
		    const char *data, struct fault *f);
