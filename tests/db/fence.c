/* The fence module on a real primary (5432) and a real standby (5433), which the command in argv
 * starts when the permits are there. See fence.sh. */
#include "tests/unit/test.h"

#include "lib/pg.h"
#include "lib/str.h"
#include "lib/timer.h"
#include "phoenix-job/permit.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define AN_HOUR 3600000

static struct permit *primary, *standby;

static void writes(bool yes)
{
	permit_write(primary, yes ? timer_now() + AN_HOUR : 0);
}

static void reads(bool yes)
{
	int64_t now = timer_now();

	permit_read(standby, now, yes ? now + AN_HOUR : 0);
}

static struct pg *as(const char *user, int port)
{
	struct pg_target t = { .address = "127.0.0.1",
			       .port = port,
			       .database = "postgres",
			       .user = user,
			       .timeout_ms = 20000 };
	struct fault f = { 0 };
	struct pg *pg = NULL;

	if (pg_open(&t, &pg, &f) < 0)
		fail_msg("%s", f.text);
	return pg;
}

/* SQL has to end with CODE; one of our own roles asks what is to be known in any state. */
static void gives(struct pg *pg, const char *sql, int code)
{
	struct fault f = { 0 };
	int r = pg_do(pg, sql, NULL, &f);

	if (r != -code)
		fail_msg("%s: %d, expected %d: %s", sql, r, -code, f.text);
}

static int64_t number(struct pg *pg, const char *sql)
{
	_rows_ struct pg_rows *rows = NULL;
	struct fault f = { 0 };

	if (pg_do(pg, sql, &rows, &f) < 0)
		fail_msg("%s: %s", sql, f.text);
	return pg_int(rows, 0, "n", -1);
}

static void until_true(struct pg *pg, const char *sql)
{
	for (int i = 0; i < 600 && number(pg, sql) != 1; i++)
		timer_sleep(50);
	assert_int_equal(number(pg, sql), 1);
}

/* A process that does SQL and tells with what it ended. */
static pid_t beside(const char *user, int port, const char *sql)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct pg *pg = as(user, port);

		_exit(-pg_do(pg, sql, NULL, NULL));
	}
	return pid;
}

static int ended(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* --- the primary --- */

static void a_permit_lets_work(void **state)
{
	_pg_ struct pg *pg = as("app", 5432), *reader = as("app", 5433);

	(void)state;
	gives(pg, "INSERT INTO t VALUES (1)", 0);
	gives(reader, "SELECT * FROM t", 0);
}

static void without_a_permit_no_statement_begins(void **state)
{
	static const char *const statements[] = { "SELECT * FROM t", "INSERT INTO t VALUES (2)",
						  "COPY t TO STDOUT" };

	(void)state;
	writes(false);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		_pg_ struct pg *pg = as("app", 5432);

		gives(pg, "BEGIN; SET search_path = public; SHOW search_path; COMMIT", 0);
		gives(pg, statements[i], ECONNRESET);
		assert_string_equal(pg_sqlstate(pg), "57P01");
	}
}

/* repmgr's statements; what they write is held to the permit. */
static void our_own_statements_begin(void **state)
{
	_pg_ struct pg *pg = as("phoenix", 5432);

	(void)state;
	writes(false);
	gives(pg, "SELECT * FROM t", 0);
	gives(pg, "CHECKPOINT", 0);
	gives(pg, "INSERT INTO t VALUES (3)", ECONNRESET);
	writes(true);
	pg_freep(&pg);
	pg = as("phoenix", 5432);
	assert_int_equal(number(pg, "SELECT count(*) AS n FROM t WHERE x = 3"), 0);
}

/* It has to say whose data this is before anybody may write. */
static void the_supervisors_commits_need_no_permit(void **state)
{
	_pg_ struct pg *pg = as("supervisor", 5432);

	(void)state;
	writes(false);
	gives(pg, "INSERT INTO t VALUES (6)", 0);
}

static void a_commit_is_refused_before_it_is_written(void **state)
{
	_pg_ struct pg *pg = as("app", 5432), *other = as("phoenix", 5432);

	(void)state;
	gives(pg, "BEGIN", 0);
	gives(pg, "INSERT INTO t VALUES (4)", 0);
	writes(false);
	gives(pg, "COMMIT", ECONNRESET);
	assert_string_equal(pg_sqlstate(pg), "57P01");
	assert_int_equal(number(other, "SELECT count(*) AS n FROM t WHERE x = 4"), 0);
}

/* It hangs on a standby that does not answer, for longer than the permit lasts. */
static void a_commit_that_waited_too_long_is_not_acknowledged(void **state)
{
	_pg_ struct pg *pg = as("phoenix", 5432);
	pid_t pid;

	(void)state;
	gives(pg, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", 0);
	gives(pg, "SELECT pg_reload_conf()", 0);
	until_true(pg,
		   "SELECT count(*) AS n FROM pg_settings WHERE name = 'synchronous_standby_names' "
		   "AND setting = 'nobody'");
	pid = beside("app", 5432, "INSERT INTO t VALUES (5)");
	until_true(pg, "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
	writes(false);
	gives(pg, "ALTER SYSTEM RESET synchronous_standby_names", 0);
	gives(pg, "SELECT pg_reload_conf()", 0);
	assert_int_equal(ended(pid), ECONNRESET);
	assert_int_equal(number(pg, "SELECT count(*) AS n FROM t WHERE x = 5"), 1);
}

/* --- the standby --- */

static void without_a_permit_nothing_is_read(void **state)
{
	static const char *const statements[] = {
		"SELECT * FROM t", "COPY t TO STDOUT",
		"DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t"
	};
	_pg_ struct pg *pg = as("app", 5433), *own = as("phoenix", 5433);

	(void)state;
	reads(false);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		gives(pg, statements[i], EAGAIN);
		assert_string_equal(pg_sqlstate(pg), "57P03");
	}
	gives(pg, "BEGIN", 0);
	gives(pg, "ROLLBACK", 0);
	gives(pg, "DISCARD ALL", 0);
	gives(own, "SELECT * FROM t", 0);
	reads(true);
	gives(pg, "SELECT * FROM t", 0);
}

/* A function called without a statement. */
static void the_fast_path(void **state)
{
	PGconn *pg =
		PQconnectdb("host=127.0.0.1 port=5433 dbname=postgres user=app sslmode=disable");
	const int is_in_recovery = 3810; /* its Oid in every server */
	int len, answer;
	PGresult *result = PQfn(pg, is_in_recovery, &answer, &len, 0, NULL, 0);

	(void)state;
	assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
	PQclear(result);
	reads(false);
	result = PQfn(pg, is_in_recovery, &answer, &len, 0, NULL, 0);
	assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
	assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57P03");
	PQclear(result);
	PQfinish(pg);
}

/* It came while there was a permit, and goes on when there is another; in between the primary did
 * not wait for this standby. */
static void a_statement_older_than_its_permit(void **state)
{
	_pg_ struct pg *pg = as("phoenix", 5432), *there = as("phoenix", 5433);
	pid_t pid;

	(void)state;
	gives(pg, "BEGIN", 0);
	gives(pg, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", 0);
	gives(pg, "SELECT pg_log_standby_snapshot()", 0);
	until_true(there, "SELECT count(*) AS n FROM pg_locks WHERE mode = 'AccessExclusiveLock' "
			  "AND relation = 't'::regclass AND granted");
	pid = beside("app", 5433, "SELECT * FROM t");
	until_true(there, "SELECT count(*) AS n FROM pg_locks WHERE relation = 't'::regclass AND "
			  "NOT granted");
	reads(false);
	timer_sleep(50);
	reads(true);
	gives(pg, "COMMIT", 0);
	assert_int_equal(ended(pid), EAGAIN);
}

/* Both permits, and an empty table on both servers. */
static int anew(void **state)
{
	_pg_ struct pg *pg = NULL, *there = NULL;
	_rows_ struct pg_rows *rows = NULL;
	_free_ char *replayed = NULL;

	(void)state;
	writes(true);
	reads(true);
	pg = as("phoenix", 5432);
	there = as("phoenix", 5433);
	gives(pg, "TRUNCATE t", 0);
	assert_int_equal(pg_do(pg, "SELECT pg_current_wal_insert_lsn() AS at", &rows, NULL), 0);
	replayed = mem_printf("SELECT (pg_last_wal_replay_lsn() >= '%s')::int AS n",
			      pg_text(rows, 0, "at"));
	until_true(there, replayed);
	return 0;
}

static int page(const char *name, struct permit **ret)
{
	_free_ char *path = mem_printf("%s/%s.permit", getenv("PG_DIR"), name);

	return permit_create(path, ret, NULL);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_permit_lets_work, anew),
		cmocka_unit_test_setup(without_a_permit_no_statement_begins, anew),
		cmocka_unit_test_setup(our_own_statements_begin, anew),
		cmocka_unit_test_setup(the_supervisors_commits_need_no_permit, anew),
		cmocka_unit_test_setup(a_commit_is_refused_before_it_is_written, anew),
		cmocka_unit_test_setup(a_commit_that_waited_too_long_is_not_acknowledged, anew),
		cmocka_unit_test_setup(without_a_permit_nothing_is_read, anew),
		cmocka_unit_test_setup(the_fast_path, anew),
		cmocka_unit_test_setup(a_statement_older_than_its_permit, anew),
	};

	if (argc != 2 || page("one", &primary) < 0 || page("two", &standby) < 0 ||
	    system(argv[1]) != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
