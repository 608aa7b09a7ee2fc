/* See pg_schema.h. */
#include "phoenix-job/pg_schema.h"

#include "phoenix-job/pg_files.h"
#include "phoenix-job/pg_look.h"

#include <errno.h>

#define LIMIT_MS 10000
/* Nobody is told of these, and no standby has to have them. */
#define ALONE "SET synchronous_commit = local; "

static const char base_sql[] = ALONE
	"SET log_min_error_statement = panic; "
	"CREATE SCHEMA IF NOT EXISTS phoenix; "
	"CREATE TABLE IF NOT EXISTS phoenix.terms (term bigint PRIMARY KEY, recorded bigint NOT "
	"NULL, begun pg_lsn NOT NULL); "
	"INSERT INTO phoenix.terms SELECT 1, 1, pg_current_wal_insert_lsn() WHERE NOT EXISTS "
	"(SELECT FROM phoenix.terms); "
	"CREATE OR REPLACE VIEW phoenix.term AS SELECT term, recorded FROM phoenix.terms ORDER BY "
	"term DESC LIMIT 1; "
	/* what PgBouncer looks passwords up with; of ours and of superusers it tells nothing */
	"CREATE OR REPLACE FUNCTION phoenix.get_auth(name text) RETURNS TABLE (usename text, "
	"passwd text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS "
	"'SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = name AND rolcanlogin "
	"AND NOT rolsuper AND NOT rolreplication'; "
	"REVOKE ALL ON FUNCTION phoenix.get_auth(text) FROM PUBLIC";

/* What each role of ours may do beyond logging in. */
static const struct {
	const char *name, *options, *grants;
} roles[] = {
	{ "repmgr", "SUPERUSER REPLICATION", NULL },
	{ "pgbauth", "",
	  "GRANT USAGE ON SCHEMA phoenix TO pgbauth; GRANT EXECUTE ON FUNCTION "
	  "phoenix.get_auth(text) TO pgbauth" },
	{ "pgpool", "", "GRANT pg_monitor TO pgpool" },
	{ "route", "",
	  "GRANT pg_monitor TO route; GRANT USAGE ON SCHEMA phoenix TO route; GRANT SELECT ON "
	  "phoenix.term, phoenix.terms TO route" },
};

static int do_quietly(struct pg *pg, struct fault *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int do_quietly(struct pg *pg, struct fault *f, const char *fmt, ...)
{
	_secret_ struct str sql = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&sql, fmt, ap);
	va_end(ap);
	return pg_do(pg, str_text(&sql), NULL, f);
}

/* Its password is set each time: the mounted file is what counts. */
static int role_apply(struct pg *pg, const struct fs *fs, const char *name, const char *options,
		      struct fault *f)
{
	_secret_ struct str password = { 0 };
	_free_ char *quoted = NULL, *role = NULL;
	int r;

	if (pg_secret(fs, name, &password, f) < 0)
		return -f->code;
	quoted = pg_quoted_text(pg, str_text(&password));
	role = pg_quoted_name(pg, name);
	r = do_quietly(pg, f,
		       "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') THEN "
		       "CREATE ROLE %s LOGIN; END IF; END$$; ALTER ROLE %s LOGIN %s PASSWORD %s",
		       name, role, role, options, quoted);
	mem_erase_str(TAKE_PTR(quoted));
	return r < 0 ? fault_wrap(f, "role %s", name) : 0;
}

static int database_apply(struct pg *pg, const char *name, const char *owner, struct fault *f)
{
	_rows_ struct pg_rows *rows = NULL;
	_free_ char *database = pg_quoted_name(pg, name), *role = pg_quoted_name(pg, owner);

	if (pg_query(pg, &rows, f, "SELECT FROM pg_database WHERE datname = $1", 1, name) < 0)
		return -f->code;
	if (pg_count(rows))
		return 0;
	return do_quietly(pg, f, "CREATE DATABASE %s OWNER %s", database, role);
}

static int repmgr_apply(struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("repmgr", LIMIT_MS, &pg, f) < 0)
		return -f->code;
	return pg_do(pg, ALONE "CREATE EXTENSION IF NOT EXISTS repmgr", NULL, f);
}

int pg_schema_apply(const struct fs *fs, const struct pg_unit *u, struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("postgres", LIMIT_MS, &pg, f) < 0 || pg_do(pg, base_sql, NULL, f) < 0)
		return -f->code;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (role_apply(pg, fs, roles[i].name, roles[i].options, f) < 0 ||
		    (roles[i].grants && pg_do(pg, roles[i].grants, NULL, f) < 0))
			return -f->code;
	for (size_t i = 0; i < u->n_services; i++)
		if (role_apply(pg, fs, u->services[i].role, "", f) < 0 ||
		    database_apply(pg, u->services[i].database, u->services[i].role, f) < 0)
			return -f->code;
	if (database_apply(pg, "repmgr", "repmgr", f) < 0)
		return -f->code;
	return repmgr_apply(f);
}

int pg_term_begin(int64_t term, struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("postgres", 2000, &pg, f) < 0)
		return -f->code;
	return do_quietly(pg, f,
			  ALONE "INSERT INTO phoenix.terms SELECT %lld, max(recorded), "
				"pg_current_wal_insert_lsn() FROM phoenix.terms",
			  (long long)term);
}

int pg_term_mark(int64_t number, struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("postgres", 2000, &pg, f) < 0)
		return -f->code;
	return do_quietly(pg, f,
			  ALONE "UPDATE phoenix.terms SET recorded = %lld WHERE term = (SELECT "
				"max(term) FROM phoenix.terms)",
			  (long long)number);
}

int pg_term_agrees(const struct fs *fs, const char *address, struct pg_place own, struct fault *f)
{
	_pg_ struct pg *pg = NULL;
	_rows_ struct pg_rows *rows = NULL;
	_free_ char *term = mem_printf("%lld", (long long)own.term);
	int r = pg_peer(fs, address, "postgres", &pg, f);

	if (r >= 0)
		r = pg_query(pg, &rows, f,
			     "SELECT (SELECT min(begun) - '0/0' FROM phoenix.terms WHERE term > "
			     "$1::bigint) AS ends FROM phoenix.terms WHERE term = $1::bigint",
			     1, term);
	if (r < 0)
		return r;
	if (!pg_count(rows)) /* of a term that nobody went on from */
		return 0;
	return own.position <= (uint64_t)pg_int(rows, 0, "ends", INT64_MAX);
}

/* One row of repmgr.nodes, if it is not so already: what repmgr's own registering writes. */
static int node_apply(struct pg *pg, const struct pg_unit *u, int i, const char *address,
		      bool active, struct fault *f)
{
	static const char sql[] =
		"INSERT INTO repmgr.nodes AS n (node_id, upstream_node_id, active, node_name, "
		"type, "
		"conninfo, repluser, slot_name, config_file) VALUES ($1::int, $2::int, $3::bool, "
		"$4, $5, $6, 'repmgr', $7, '/etc/repmgr.conf') ON CONFLICT (node_id) DO UPDATE SET "
		"upstream_node_id = excluded.upstream_node_id, active = excluded.active, node_name "
		"= excluded.node_name, type = excluded.type, conninfo = excluded.conninfo, "
		"repluser = excluded.repluser, slot_name = excluded.slot_name, config_file = "
		"excluded.config_file WHERE (n.upstream_node_id, n.active, n.node_name, n.type, "
		"n.conninfo, n.slot_name) IS DISTINCT FROM (excluded.upstream_node_id, "
		"excluded.active, excluded.node_name, excluded.type, excluded.conninfo, "
		"excluded.slot_name)";
	_free_ char *id = mem_printf("%d", i + 1), *up = mem_printf("%d", u->self + 1);
	_free_ char *slot = mem_printf("repmgr_slot_%d", i + 1);
	_str_ struct str conninfo = { 0 };
	char name[32];

	pg_pod_name(i, name);
	pg_conninfo_print(address, name, "repmgr", &conninfo);
	return pg_query(pg, NULL, f, sql, 7, id, i == u->self ? NULL : up,
			active ? "true" : "false", name, i == u->self ? "primary" : "standby",
			str_text(&conninfo), slot);
}

static int slots_apply(struct pg *pg, const struct pg_unit *u, struct fault *f)
{
	for (int i = 0; i < PG_PODS; i++) {
		_free_ char *name = mem_printf("repmgr_slot_%d", i + 1);
		int r;

		if (i == u->self)
			r = pg_query(pg, NULL, f,
				     "SELECT pg_drop_replication_slot(slot_name) FROM "
				     "pg_replication_slots WHERE slot_name = $1 AND NOT active",
				     1, name);
		else
			r = pg_query(pg, NULL, f,
				     "SELECT pg_create_physical_replication_slot($1, true) WHERE "
				     "NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name "
				     "= $1)",
				     1, name);
		if (r < 0)
			return fault_wrap(f, "slot %s", name);
	}
	return 0;
}

int pg_meta_primary(const struct pg_unit *u, char addresses[PG_PODS][64],
		    const bool streams[PG_PODS], struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("repmgr", 2000, &pg, f) < 0 || slots_apply(pg, u, f) < 0 ||
	    pg_do(pg, ALONE "BEGIN; SET LOCAL search_path = public", NULL, f) < 0)
		return -f->code;
	/* the primary first: the others' rows refer to it */
	for (int n = 0; n < PG_PODS; n++) {
		int i = (u->self + n) % PG_PODS;

		if (*addresses[i] &&
		    node_apply(pg, u, i, addresses[i], i == u->self || streams[i], f) < 0)
			return -f->code;
	}
	return pg_do(pg, "COMMIT", NULL, f);
}

int pg_meta_standby(struct fault *f)
{
	_pg_ struct pg *pg = NULL;

	if (pg_own("postgres", 2000, &pg, f) < 0)
		return -f->code;
	return pg_do(pg,
		     "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
		     "slot_type = 'physical' AND NOT active",
		     NULL, f);
}
