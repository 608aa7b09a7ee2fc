/* PostgreSQL, and what speaks its protocol (PgBouncer's console), by libpq; its types stop here.
 *
 * Everything has a limit: connecting, and each statement from sending to its last row. A server
 * that does not answer within it costs that time and the connection, never more; what it did with
 * the statement is then unknown. Nothing is retried here.
 *
 * One `struct pg` belongs to one thread. libpq is loaded by the first pg_open: see lib/library.h.
 * What no field says libpq takes from PG* of the environment, which is the caller's to keep clean. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_target {
	/* An IP address, never a name (looking it up has no limit), or the folder of a server's
	 * socket. */
	const char *address;
	int port; /* 0 = 5432 */
	const char *database, *user;
	const char *password; /* or NULL */
	/* The server's certificate has to lead to this CA; its name is not compared, since a pod's
	 * address changes. NULL: no TLS. */
	const char *ca_file;
	const char *cert_file, *key_file; /* our own certificate, or NULL */
	/* Settings of the session, "-c NAME=VALUE …", or NULL. A pooler refuses them. */
	const char *options;
	int timeout_ms; /* to connect, and for each statement; 0 = 1000 */
};
struct pg;
#define _pg_ _cleanup_(pg_freep)
/* -ETIMEDOUT; -ECONNREFUSED, -EHOSTUNREACH, -ENOENT (no such socket, or no such database); -EAGAIN
 * (57P03: it starts, stops or recovers); -EACCES (password, pg_hba.conf, certificates); -EBUSY (no
 * connection is free); -EIO (no libpq, TLS, whatever else). The text names the server. */
int pg_open(const struct pg_target *t, struct pg **ret, struct fault *f);
void pg_freep(struct pg **pg);
/* False: the connection is gone, only pg_freep is left to do. */
bool pg_usable(const struct pg *pg);

/* The rows of one answer, the caller's. */
struct pg_rows;
#define _rows_ _cleanup_(pg_rows_freep)
void pg_rows_freep(struct pg_rows **rows);
size_t pg_count(const struct pg_rows *rows); /* NULL has none */
/* What stands in row I under the column's name: NULL for an SQL NULL, an unknown column or a row
 * that is not there. Borrowed. */
const char *pg_text(const struct pg_rows *rows, size_t i, const char *column);
int64_t pg_int(const struct pg_rows *rows, size_t i, const char *column, int64_t otherwise);
bool pg_true(const struct pg_rows *rows, size_t i, const char *column); /* a boolean that is true */

/* One statement whose $1, $2, … are the N texts that follow (NULL: an SQL NULL). RET may be NULL.
 *
 * -ETIMEDOUT and -ECONNRESET: the connection is gone, the outcome unknown. Otherwise it surely was
 * not done: -EROFS (a standby, or read only), -EEXIST, -ENOENT (no such table, role, slot, …),
 * -EBUSY (in use), -EACCES, -ECANCELED (by a limit of the server's, or an administrator),
 * -EREMOTEIO whatever else the server says. The text is the server's own. */
int pg_query(struct pg *pg, struct pg_rows **ret, struct fault *f, const char *sql, int n, ...);
/* The same for statements without parameters, in the plain protocol: several at once, one
 * transaction unless they say otherwise (RET gets the rows of the last), or commands of PgBouncer's
 * console. */
int pg_do(struct pg *pg, const char *sql, struct pg_rows **ret, struct fault *f);
/* Waits for MS at most between statements. 1: the server has said something unasked, mostly that the
 * connection ends; 0: it has not, or WAKE (a descriptor, or -1) can be read. */
int pg_wait(const struct pg *pg, int wake, int64_t ms);
/* The SQLSTATE of what was refused last, or "". */
const char *pg_sqlstate(const struct pg *pg);
/* "x" as an identifier or as a literal, for statements that take no parameters; the caller's. */
char *pg_quoted_name(struct pg *pg, const char *name);
char *pg_quoted_text(struct pg *pg, const char *text);
