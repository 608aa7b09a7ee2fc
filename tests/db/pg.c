/* lib/pg against real servers, which pg.sh has started: PostgreSQL on 5432, one that lets nobody in
 * on 5433, PgBouncer on 6432; their files are in PG_DIR. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/pg.h"
#include "lib/str.h"
#include "lib/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char *in_folder(const char *name)
{
	return mem_printf("%s/%s", getenv("PG_DIR"), name);
}

static struct pg_target target(void)
{
	return (struct pg_target){ .address = "127.0.0.1",
				   .database = "postgres",
				   .user = "postgres",
				   .password = "secret",
				   .timeout_ms = 5000 };
}

static struct pg *opened(void)
{
	struct pg_target t = target();
	struct fault f = { 0 };
	struct pg *pg = NULL;

	if (pg_open(&t, &pg, &f) < 0)
		fail_msg("%s", f.text);
	return pg;
}

static void refused_with(const struct pg_target *t, int code, const char *says)
{
	struct fault f = { 0 };
	struct pg *pg = NULL;
	int r = pg_open(t, &pg, &f);

	if (r != -code || !strstr(f.text, says))
		fail_msg("%d, expected %d with '%s': %s", r, -code, says, f.text);
	assert_null(pg);
}

static void rows_and_parameters(void **state)
{
	_pg_ struct pg *pg = opened();
	_rows_ struct pg_rows *rows = NULL;
	struct fault f = { 0 };
	int r = pg_query(pg, &rows, &f,
			 "SELECT $1::text AS a, $2::bigint + 1 AS b, $3::text AS c, true AS d "
			 "UNION ALL SELECT 'x', 2, 'y', false ORDER BY b DESC",
			 3, "it's; \"all\" text", "9007199254740993", NULL);

	(void)state;
	if (r < 0)
		fail_msg("%s", f.text);
	assert_int_equal(pg_count(rows), 2);
	assert_string_equal(pg_text(rows, 0, "a"), "it's; \"all\" text");
	assert_int_equal(pg_int(rows, 0, "b", -1), 9007199254740994);
	assert_null(pg_text(rows, 0, "c"));
	assert_true(pg_true(rows, 0, "d"));
	assert_false(pg_true(rows, 1, "d"));
	assert_null(pg_text(rows, 2, "a"));
	assert_null(pg_text(rows, 0, "nothing"));
	assert_int_equal(pg_int(rows, 1, "a", -7), -7);
}

static void quoting(void **state)
{
	_pg_ struct pg *pg = opened();
	_rows_ struct pg_rows *rows = NULL;
	_free_ char *name = pg_quoted_name(pg, "a \"b\""), *text = pg_quoted_text(pg, "it's \\"),
		    *sql = mem_printf("CREATE TEMP TABLE %s (x text); INSERT INTO %s VALUES (%s); "
				      "SELECT x FROM %s",
				      name, name, text, name);

	(void)state;
	assert_int_equal(pg_do(pg, sql, &rows, NULL), 0);
	assert_string_equal(pg_text(rows, 0, "x"), "it's \\");
}

static void who_is_not_let_in(void **state)
{
	struct pg_target t = target();

	(void)state;
	t.password = "wrong";
	refused_with(&t, EACCES, "password authentication failed");
	t.password = NULL;
	refused_with(&t, EACCES, "password");
	t = target();
	t.database = "nothing";
	refused_with(&t, ENOENT, "nothing");
	t = target();
	t.port = 5433;
	refused_with(&t, EAGAIN, "port 5433");
	t.port = 5999;
	refused_with(&t, ECONNREFUSED, "127.0.0.1 port 5999");
	t = target();
	t.address = "/nowhere";
	refused_with(&t, ENOENT, "/nowhere");
}

static void tls(void **state)
{
	_free_ char *ca = in_folder("ca.pem"), *other = in_folder("other.pem");
	struct pg_target t = target();
	_rows_ struct pg_rows *rows = NULL;
	_pg_ struct pg *pg = NULL;

	(void)state;
	t.ca_file = other;
	refused_with(&t, EACCES, "certificate verify failed");
	t.ca_file = ca;
	assert_int_equal(pg_open(&t, &pg, NULL), 0);
	assert_int_equal(pg_query(pg, &rows, NULL,
				  "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", 0),
			 0);
	assert_true(pg_true(rows, 0, "ssl"));
}

/* A server that is there and says nothing: it listens, and nobody accepts. */
static void nobody_answers(void **state)
{
	_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct pg_target t = target();
	socklen_t len = sizeof to;
	int64_t start;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	t.port = ntohs(to.sin_port);
	t.timeout_ms = 100;
	start = timer_now();
	refused_with(&t, ETIMEDOUT, "no answer within 100 ms");
	assert_in_range(timer_now() - start, 100, LATE);
}

/* Its process stands still in the middle of a statement, as on a machine that was paused. */
static void it_stops_answering(void **state)
{
	struct pg_target t = target();
	_rows_ struct pg_rows *rows = NULL;
	_pg_ struct pg *pg = NULL;
	struct fault f = { 0 };
	pid_t pid;

	(void)state;
	t.timeout_ms = 300;
	for (int i = 0; i < 20 && !pg; i++) /* a busy machine is not what this is about */
		pg_open(&t, &pg, &f);
	assert_int_equal(pg_query(pg, &rows, &f, "SELECT pg_backend_pid() AS pid", 0), 0);
	pid = (pid_t)pg_int(rows, 0, "pid", 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(pg_query(pg, NULL, &f, "SELECT 1", 0), -ETIMEDOUT);
	assert_false(pg_usable(pg));
	assert_int_equal(pg_query(pg, NULL, &f, "SELECT 1", 0), -ECONNRESET);
	pg_freep(&pg);
	kill(pid, SIGCONT);
}

static void refused_statements(void **state)
{
	static const struct {
		const char *sql;
		int code;
		const char *sqlstate;
	} cases[] = {
		{ "SELECT * FROM nothing", ENOENT, "42P01" },
		{ "SELECT nothing()", ENOENT, "42883" },
		{ "CREATE ROLE postgres", EEXIST, "42710" },
		{ "DROP DATABASE postgres", EBUSY, "55006" },
		{ "SET statement_timeout = 1; SELECT pg_sleep(60)", ECANCELED, "57014" },
		{ "SET statement_timeout = 0; SET default_transaction_read_only = on", 0, "" },
		{ "CREATE TABLE x ()", EROFS, "25006" },
		{ "SELECT 1/0", EREMOTEIO, "22012" },
		{ "this is no SQL", EREMOTEIO, "42601" },
	};
	_pg_ struct pg *pg = opened();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f = { 0 };
		int r = pg_do(pg, cases[i].sql, NULL, &f);

		/* dropping the database in use says so before it says "currently open" */
		if (r != -cases[i].code || !str_eq(pg_sqlstate(pg), cases[i].sqlstate))
			fail_msg("%s: %d %s %s", cases[i].sql, r, pg_sqlstate(pg), f.text);
		assert_true(pg_usable(pg));
	}
	assert_int_equal(pg_query(pg, NULL, NULL, "SELECT 1", 0), 0);
}

static void the_connection_ends(void **state)
{
	_pg_ struct pg *pg = opened(), *other = opened();
	_rows_ struct pg_rows *rows = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(pg_query(pg, &rows, NULL, "SELECT pg_backend_pid() AS pid", 0), 0);
	assert_int_equal(pg_query(other, NULL, NULL, "SELECT pg_terminate_backend($1::int, 5000)",
				  1, pg_text(rows, 0, "pid")),
			 0);
	assert_int_equal(pg_query(pg, NULL, &f, "SELECT 1", 0), -ECONNRESET);
	assert_non_null(strstr(f.text, "terminating connection"));
	assert_false(pg_usable(pg));
}

static void waiting_for_the_end(void **state)
{
	_pg_ struct pg *pg = opened(), *other = opened();
	_rows_ struct pg_rows *rows = NULL;
	int64_t start = timer_now();
	int wake[2];

	(void)state;
	assert_int_equal(pg_query(pg, &rows, NULL, "SELECT pg_backend_pid() AS pid", 0), 0);
	assert_int_equal(pg_wait(pg, -1, 50), 0);
	assert_true(timer_now() - start >= 50);
	assert_int_equal(pipe2(wake, O_CLOEXEC), 0);
	assert_int_equal(write(wake[1], "x", 1), 1);
	assert_int_equal(pg_wait(pg, wake[0], LATE), 0);
	assert_int_equal(pg_query(other, NULL, NULL, "SELECT pg_terminate_backend($1::int)", 1,
				  pg_text(rows, 0, "pid")),
			 0);
	assert_int_equal(pg_wait(pg, -1, LATE), 1);
	assert_true(timer_now() - start < LATE);
	close(wake[0]);
	close(wake[1]);
}

static void copy_is_not_for_this(void **state)
{
	_pg_ struct pg *pg = opened();

	(void)state;
	assert_int_equal(pg_do(pg, "COPY (SELECT 1) TO STDOUT", NULL, NULL), -EINVAL);
	assert_false(pg_usable(pg));
}

static void the_console_of_pgbouncer(void **state)
{
	struct pg_target t = { .address = "127.0.0.1",
			       .port = 6432,
			       .database = "pgbouncer",
			       .user = "admin",
			       .timeout_ms = 5000 };
	_rows_ struct pg_rows *rows = NULL;
	_pg_ struct pg *pg = NULL;
	struct fault f = { 0 };

	(void)state;
	if (pg_open(&t, &pg, &f) < 0)
		fail_msg("%s", f.text);
	if (pg_do(pg, "SHOW CONFIG", &rows, &f) < 0)
		fail_msg("%s", f.text);
	assert_true(pg_count(rows) > 10);
	assert_string_equal(pg_text(rows, 0, "key"), "admin_users");
	assert_int_equal(pg_do(pg, "PAUSE", NULL, &f), 0);
	assert_int_equal(pg_do(pg, "RESUME", NULL, &f), 0);
	assert_int_equal(pg_do(pg, "RESUME", NULL, &f), -EREMOTEIO);
	assert_true(pg_usable(pg));
}

/* The pooler is still there then; what became of the statement nobody knows. */
static void the_server_behind_a_pooler_dies(void **state)
{
	struct pg_target t = target();
	_pg_ struct pg *pg = NULL;
	struct fault f = { 0 };

	(void)state;
	t.port = 6432;
	if (pg_open(&t, &pg, &f) < 0)
		fail_msg("%s", f.text);
	assert_int_equal(pg_query(pg, NULL, NULL, "SELECT 1", 0), 0);
	assert_int_equal(pg_query(pg, NULL, &f, "SELECT pg_terminate_backend(pg_backend_pid())", 0),
			 -ECONNRESET);
	assert_false(pg_usable(pg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_parameters),
		cmocka_unit_test(quoting),
		cmocka_unit_test(who_is_not_let_in),
		cmocka_unit_test(tls),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(it_stops_answering),
		cmocka_unit_test(refused_statements),
		cmocka_unit_test(the_connection_ends),
		cmocka_unit_test(waiting_for_the_end),
		cmocka_unit_test(copy_is_not_for_this),
		cmocka_unit_test(the_console_of_pgbouncer),
		cmocka_unit_test(the_server_behind_a_pooler_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
