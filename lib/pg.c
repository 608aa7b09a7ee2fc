/* See pg.h. */
#include "lib/pg.h"

#include "lib/pg_libpq.h"
#include "lib/str.h"
#include "lib/timer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARAMS_MAX 16

struct pg {
	PGconn *conn;
	char *server; /* for texts: "192.0.2.11 port 5432, database postgres" */
	int timeout_ms;
	bool lost;
	char sqlstate[6];
};

struct pg_rows {
	PGresult *result;
};

static const struct {
	const char *state; /* or the two characters of its class */
	int code;
} states[] = {
	{ "57P03", EAGAIN },	/* cannot connect now */
	{ "53300", EBUSY },	/* too many connections */
	{ "28", EACCES },	/* invalid authorization */
	{ "42501", EACCES },	/* insufficient privilege */
	{ "25006", EROFS },	/* read-only transaction */
	{ "55006", EBUSY },	/* object in use */
	{ "55P03", EBUSY },	/* lock not available */
	{ "23505", EEXIST },	/* unique violation */
	{ "42P04", EEXIST },	/* duplicate database */
	{ "42P06", EEXIST },	/* duplicate schema */
	{ "42P07", EEXIST },	/* duplicate table */
	{ "42710", EEXIST },	/* duplicate object: role, slot */
	{ "3D000", ENOENT },	/* no such database */
	{ "42P01", ENOENT },	/* undefined table */
	{ "42704", ENOENT },	/* undefined object */
	{ "42883", ENOENT },	/* undefined function */
	{ "57014", ECANCELED }, /* query canceled */
};

static int state_code(const char *state, int otherwise)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (str_starts(state, states[i].state))
			return states[i].code;
	return otherwise;
}

/* libpq gives the reason of a failed connection as a text alone: with "FATAL:  57P03: …" in it,
 * which PQERRORS_VERBOSE adds, when the server spoke, else with what the kernel said. */
static int connect_code(struct pg *pg, const char *said)
{
	static const int kernel[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH,
				      ENOENT,	    ECONNRESET,	  ETIMEDOUT };
	const char *fatal = strstr(said, "FATAL:  ");

	if (fatal && sscanf(fatal, "FATAL:  %5[0-9A-Z]:", pg->sqlstate) == 1)
		return state_code(pg->sqlstate, EIO);
	for (size_t i = 0; i < ARRAY_LEN(kernel); i++)
		if (strstr(said, strerror(kernel[i])))
			return kernel[i] == ENETUNREACH ? EHOSTUNREACH : kernel[i];
	/* libpq's own words */
	return strstr(said, "certificate verify failed") || strstr(said, "no password supplied")
		       ? EACCES
		       : EIO;
}

/* The first line, which says it; the others say where in the server's source. */
static int connect_fault(struct pg *pg, struct fault *f)
{
	_free_ char *said = mem_strdup(pq.error_message(pg->conn));
	char *line = said, *fatal = strstr(said, "FATAL:  ");
	int code = connect_code(pg, said);

	if (fatal)
		line = fatal + strlen("FATAL:  ");
	if (*pg->sqlstate && str_starts(line, pg->sqlstate))
		line += strlen(pg->sqlstate) + 2;
	line[strcspn(line, "\n")] = 0;
	return fault_set(f, code, "%s: %s", pg->server, *line ? line : "no connection");
}

/* Waits for EVENTS of the connection. */
static int ready(struct pg *pg, short events, int64_t deadline, struct fault *f)
{
	struct pollfd p = { .fd = pq.socket(pg->conn), .events = events };
	int64_t left = deadline - timer_now();
	int r;

	if (p.fd < 0)
		return fault_set(f, ECONNRESET, "%s: the connection is gone", pg->server);
	r = left > 0 ? poll(&p, 1, (int)left) : 0;
	if (r < 0 && errno != EINTR)
		return fault_errno(f, "%s", pg->server);
	if (r == 0)
		return fault_set(f, ETIMEDOUT, "%s: no answer within %d ms", pg->server,
				 pg->timeout_ms);
	return r < 0 ? 0 : p.revents;
}

static int connected(struct pg *pg, struct fault *f)
{
	int64_t deadline = timer_now() + pg->timeout_ms;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (next != PGRES_POLLING_OK) {
		int r;

		if (next == PGRES_POLLING_FAILED || pq.status(pg->conn) == CONNECTION_BAD)
			return connect_fault(pg, f);
		r = ready(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, f);
		if (r < 0)
			return r;
		if (r > 0)
			next = pq.connect_poll(pg->conn);
	}
	return 0;
}

static void no_notice(void *user, const char *text)
{
	(void)user;
	(void)text;
}

static PGconn *start(const struct pg_target *t, const char *port)
{
	bool file = *t->address == '/';
	/* libpq leaves out what is NULL or empty */
	const char *const names[] = {
		"host",	    "hostaddr",	  "port",     "dbname",		 "user",
		"password", "options",	  "sslmode",  "sslrootcert",	 "sslcert",
		"sslkey",   "gssencmode", "passfile", "client_encoding", "application_name",
		"sslsni",   NULL,
	};
	const char *const values[] = {
		t->address,
		file ? NULL : t->address,
		port,
		t->database,
		t->user,
		t->password,
		t->options,
		t->ca_file && !file ? "verify-ca" : "disable",
		t->ca_file,
		/* where there is none, one in somebody's home is not asked for either */
		t->cert_file ? t->cert_file : "/dev/null/none",
		t->key_file,
		"disable",
		"/dev/null/none", /* nobody's home decides who we are */
		"UTF8",
		"phoenix",
		"0",
		NULL,
	};

	return pq.connect_start_params(names, values, 0);
}

int pg_open(const struct pg_target *t, struct pg **ret, struct fault *f)
{
	_free_ char *port = mem_printf("%d", t->port ? t->port : 5432);
	_pg_ struct pg *pg = NULL;
	int r = libpq_load(f);

	if (r < 0)
		return r;
	pg = mem_alloc(sizeof *pg);
	pg->timeout_ms = t->timeout_ms ? t->timeout_ms : 1000;
	pg->server = mem_printf("%s port %s, database %s", t->address, port, t->database);
	pg->conn = start(t, port);
	if (!pg->conn)
		return fault_set(f, ENOMEM, "%s: no memory", pg->server);
	pq.set_error_verbosity(pg->conn, PQERRORS_VERBOSE);
	pq.set_notice_processor(pg->conn, no_notice, NULL);
	r = connected(pg, f);
	if (r < 0)
		return r;
	if (pq.setnonblocking(pg->conn, 1) < 0)
		return fault_set(f, EIO, "%s: %s", pg->server, pq.error_message(pg->conn));
	*ret = TAKE_PTR(pg);
	return 0;
}

void pg_freep(struct pg **ppg)
{
	struct pg *pg = *ppg;

	*ppg = NULL;
	if (!pg)
		return;
	if (pg->conn)
		pq.finish(pg->conn);
	free(pg->server);
	free(pg);
}

bool pg_usable(const struct pg *pg)
{
	return pg && !pg->lost && pq.status(pg->conn) == CONNECTION_OK;
}

const char *pg_sqlstate(const struct pg *pg)
{
	return pg->sqlstate;
}

/* --- statements --- */

static int is_lost(struct pg *pg, struct fault *f)
{
	_free_ char *said = mem_strdup(pq.error_message(pg->conn));

	pg->lost = true;
	said[strcspn(said, "\n")] = 0;
	return fault_set(f, ECONNRESET, "%s: %s", pg->server,
			 *said ? said : "the connection is gone");
}

static int send_all(struct pg *pg, int64_t deadline, struct fault *f)
{
	int left;

	while ((left = pq.flush(pg->conn)) > 0) {
		int r = ready(pg, POLLIN | POLLOUT, deadline, f);

		if (r < 0)
			return r;
		if (r & POLLIN && !pq.consume_input(pg->conn))
			return is_lost(pg, f);
	}
	return left < 0 ? is_lost(pg, f) : 0;
}

/* What the server refuses. Something fatal ends the connection as well; it may have come in the
 * place of an answer, from a pooler too (whose own mistakes all have SQLSTATE 08P01). */
static int refused(struct pg *pg, PGresult *result, struct fault *f)
{
	const char *severity = pq.result_error_field(result, PG_DIAG_SEVERITY),
		   *state = pq.result_error_field(result, PG_DIAG_SQLSTATE),
		   *text = pq.result_error_field(result, PG_DIAG_MESSAGE_PRIMARY),
		   *detail = pq.result_error_field(result, PG_DIAG_MESSAGE_DETAIL);
	int code;

	if (!state)
		return is_lost(pg, f);
	snprintf(pg->sqlstate, sizeof pg->sqlstate, "%s", state);
	code = str_eq(severity, "ERROR") ? state_code(state, EREMOTEIO) : ECONNRESET;
	pg->lost = pg->lost || code == ECONNRESET;
	return fault_set(f, code, "%s: %s%s%s", pg->server, text ? text : state, detail ? ": " : "",
			 detail ? detail : "");
}

/* The next result of the statement; NULL in RET: there is no other. */
static int next_result(struct pg *pg, int64_t deadline, PGresult **ret, struct fault *f)
{
	while (pq.is_busy(pg->conn)) {
		int r = ready(pg, POLLIN, deadline, f);

		if (r < 0)
			return r;
		if (r > 0 && !pq.consume_input(pg->conn))
			return is_lost(pg, f);
	}
	*ret = pq.get_result(pg->conn);
	return 0;
}

/* All results up to the end, so that the connection can be used again. The first refusal counts. */
static int receive(struct pg *pg, int64_t deadline, PGresult **last, struct fault *f)
{
	int r = 0;

	for (;;) {
		PGresult *result = NULL;
		int got = next_result(pg, deadline, &result, f);

		if (got < 0)
			return got;
		if (!result)
			return r;
		switch (pq.result_status(result)) {
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
		case PGRES_EMPTY_QUERY:
			pq.clear(*last);
			*last = result;
			continue;
		case PGRES_FATAL_ERROR:
		case PGRES_BAD_RESPONSE:
			if (r == 0)
				r = refused(pg, result, f);
			break;
		default: /* COPY: it would have to be carried through */
			pg->lost = true;
			r = fault_set(f, EINVAL, "%s: not a statement for this", pg->server);
		}
		pq.clear(result);
		if (pg->lost)
			return r;
	}
}

static int run(struct pg *pg, bool sent, struct pg_rows **ret, struct fault *f)
{
	int64_t deadline = timer_now() + pg->timeout_ms;
	PGresult *last = NULL;
	int r;

	if (!sent)
		return is_lost(pg, f);
	r = send_all(pg, deadline, f);
	if (r >= 0)
		r = receive(pg, deadline, &last, f);
	pg->lost = pg->lost || r == -ETIMEDOUT;
	if (r < 0 || !ret) {
		pq.clear(last);
		return r;
	}
	*ret = mem_alloc(sizeof **ret);
	(*ret)->result = last;
	return 0;
}

static int not_usable(const struct pg *pg, struct fault *f)
{
	return fault_set(f, ECONNRESET, "%s: the connection is gone", pg->server);
}

int pg_query(struct pg *pg, struct pg_rows **ret, struct fault *f, const char *sql, int n, ...)
{
	const char *values[PARAMS_MAX];
	va_list ap;

	if (n > PARAMS_MAX)
		abort(); /* a statement of ours with more: raise it */
	if (!pg_usable(pg))
		return not_usable(pg, f);
	va_start(ap, n);
	for (int i = 0; i < n; i++)
		values[i] = va_arg(ap, const char *);
	va_end(ap);
	pg->sqlstate[0] = 0;
	return run(pg, pq.send_query_params(pg->conn, sql, n, NULL, values, NULL, NULL, 0), ret, f);
}

int pg_do(struct pg *pg, const char *sql, struct pg_rows **ret, struct fault *f)
{
	if (!pg_usable(pg))
		return not_usable(pg, f);
	pg->sqlstate[0] = 0;
	return run(pg, pq.send_query(pg->conn, sql), ret, f);
}

int pg_wait(const struct pg *pg, int wake, int64_t ms)
{
	/* a descriptor below 0 is passed over */
	struct pollfd p[] = { { .fd = pg_usable(pg) ? pq.socket(pg->conn) : -1, .events = POLLIN },
			      { .fd = wake, .events = POLLIN } };

	return poll(p, ARRAY_LEN(p), (int)ms) > 0 && p[0].revents;
}

/* --- rows --- */

void pg_rows_freep(struct pg_rows **rows)
{
	if (*rows)
		pq.clear((*rows)->result);
	free(*rows);
	*rows = NULL;
}

size_t pg_count(const struct pg_rows *rows)
{
	return rows && rows->result ? (size_t)pq.ntuples(rows->result) : 0;
}

const char *pg_text(const struct pg_rows *rows, size_t i, const char *column)
{
	int at;

	if (i >= pg_count(rows))
		return NULL;
	at = pq.fnumber(rows->result, column);
	return at < 0 || pq.getisnull(rows->result, (int)i, at)
		       ? NULL
		       : pq.getvalue(rows->result, (int)i, at);
}

int64_t pg_int(const struct pg_rows *rows, size_t i, const char *column, int64_t otherwise)
{
	const char *text = pg_text(rows, i, column);
	long value;

	return text && str_to_long(text, INT64_MIN, INT64_MAX, &value) ? value : otherwise;
}

bool pg_true(const struct pg_rows *rows, size_t i, const char *column)
{
	return str_eq(pg_text(rows, i, column), "t");
}

static char *taken(char *quoted)
{
	char *own = quoted ? mem_strdup(quoted) : NULL;

	pq.freemem(quoted);
	return own;
}

char *pg_quoted_name(struct pg *pg, const char *name)
{
	return taken(pq.escape_identifier(pg->conn, name, strlen(name)));
}

char *pg_quoted_text(struct pg *pg, const char *text)
{
	return taken(pq.escape_literal(pg->conn, text, strlen(text)));
}
