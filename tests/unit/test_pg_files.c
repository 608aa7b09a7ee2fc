/* The files of PostgreSQL and repmgr, to the letter; and who can read what is secret in them. */
#include "tests/unit/pg_root.h"

#define CONNINFO(address, application, database)                                                   \
	"host=" address " port=5432 user=repmgr dbname=" database " application_name=" application \
	" connect_timeout=2 sslmode=verify-ca sslrootcert=/etc/phoenix/tls/ca.crt "                \
	"passfile=/run/phoenix/pgpass"

static const char conf[] = "# Written by phoenix pg; a change made here is lost.\n"
			   "listen_addresses = '*'\n"
			   "port = 5432\n"
			   "unix_socket_directories = '/run/postgresql'\n"
			   "hba_file = '/run/phoenix/pg_hba.conf'\n"
			   "ident_file = '/run/phoenix/pg_ident.conf'\n"
			   "cluster_name = 'postgres-1'\n"
			   "ssl = on\n"
			   "ssl_ca_file = '/etc/phoenix/tls/ca.crt'\n"
			   "ssl_cert_file = '/etc/phoenix/tls/server.crt'\n"
			   "ssl_key_file = '/etc/phoenix/tls/server.key'\n"
			   "ssl_min_protocol_version = 'TLSv1.3'\n"
			   "password_encryption = 'scram-sha-256'\n"
			   "max_connections = 200\n"
			   "shared_preload_libraries = 'repmgr, phoenix_fence'\n"
			   "phoenix.permit = '/run/phoenix/permit'\n"
			   "phoenix.exempt = 'phoenix, repmgr'\n"
			   "phoenix.supervisor = 'phoenix'\n"
			   "max_prepared_transactions = 0\n"
			   "restart_after_crash = off\n"
			   "wal_level = replica\n"
			   "wal_log_hints = on\n"
			   "max_wal_senders = 12\n"
			   "max_replication_slots = 12\n"
			   "hot_standby = on\n"
			   "hot_standby_feedback = on\n"
			   "wal_keep_size = 1GB\n"
			   "max_slot_wal_keep_size = 8GB\n"
			   "wal_sender_timeout = 5s\n"
			   "wal_receiver_timeout = 5s\n"
			   "wal_receiver_status_interval = 1s\n"
			   "wal_retrieve_retry_interval = 5s\n"
			   "recovery_target_timeline = 'latest'\n"
			   "tcp_keepalives_idle = 5\n"
			   "tcp_keepalives_interval = 2\n"
			   "tcp_keepalives_count = 3\n"
			   "tcp_user_timeout = 10s\n"
			   "logging_collector = off\n"
			   "log_destination = 'stderr'\n"
			   "log_line_prefix = '%m [%p] %q%u@%d '\n"
			   "log_connections = off\n"
			   "synchronous_commit = on\n";

static struct pg_unit unit(void)
{
	return (struct pg_unit){ .pod = (char *)"postgres-1",
				 .self = 1,
				 .address = (char *)"10.42.1.7",
				 .network = (char *)"10.42.0.0/16" };
}

/* The line of TEXT that sets NAME, or "". */
static char *line_of(const char *text, const char *name)
{
	_free_ char *key = mem_printf("\n%s = ", name);
	const char *at = strstr(text, key);

	assert_true(!at || !strstr(at + 1, key)); /* the last one would count */
	return at ? mem_strndup(at + 1, strcspn(at + 1, "\n")) : mem_strdup("");
}

static char *setting(const struct pg_unit *u, const struct pg_settings *s, const char *name)
{
	_str_ struct str out = { 0 };

	pg_conf_print(u, s, &out);
	assert_true(str_ends(str_text(&out), "\n"));
	return line_of(str_text(&out), name);
}

static void assert_setting(const struct pg_unit *u, const struct pg_settings *s, const char *name,
			   const char *line)
{
	_free_ char *is = setting(u, s, name);

	assert_string_equal(is, line);
}

static void of_nobody(void **state)
{
	struct pg_unit u = unit();
	struct pg_settings s = { 0 };
	_str_ struct str out = { 0 };

	(void)state;
	pg_conf_print(&u, &s, &out);
	assert_string_equal(str_text(&out), conf);
}

static void of_an_upstream(void **state)
{
	struct pg_unit u = unit();
	struct pg_settings s = { .upstream = "10.42.0.5" };

	(void)state;
	assert_setting(
		&u, &s, "primary_conninfo",
		"primary_conninfo = '" CONNINFO("10.42.0.5", "postgres-1", "replication") "'");
	assert_setting(&u, &s, "primary_slot_name", "primary_slot_name = 'repmgr_slot_2'");
	assert_setting(&u, &s, "wal_retrieve_retry_interval",
		       "wal_retrieve_retry_interval = 200ms");
	s.upstream = NULL;
	assert_setting(&u, &s, "primary_conninfo", "");
	assert_setting(&u, &s, "primary_slot_name", "");
}

/* Standbys that are read have replayed what was acknowledged. */
static void what_commits_wait_for(void **state)
{
	struct pg_unit u = unit();
	struct pg_settings s = { 0 };

	(void)state;
	assert_setting(&u, &s, "synchronous_commit", "synchronous_commit = on");
	u.reads_standbys = true;
	assert_setting(&u, &s, "synchronous_commit", "synchronous_commit = remote_apply");
}

static void names_of_async(void **state)
{
	struct pg_unit u = unit();
	struct pg_settings s = { 0 };

	(void)state;
	assert_setting(&u, &s, "synchronous_standby_names", "");
	s.names[0] = s.names[2] = true;
	assert_setting(&u, &s, "synchronous_standby_names",
		       "synchronous_standby_names = 'FIRST 2 (\"postgres-0\", \"postgres-2\")'");
}

/* Without a name a commit would be acknowledged that nobody else has. */
static void names_of_sync(void **state)
{
	struct pg_unit u = unit();
	struct pg_settings s = { 0 };

	(void)state;
	u.mode = PG_SYNC;
	assert_setting(&u, &s, "synchronous_standby_names",
		       "synchronous_standby_names = 'FIRST 1 (\"-\")'");
	s.names[2] = true;
	assert_setting(&u, &s, "synchronous_standby_names",
		       "synchronous_standby_names = 'FIRST 1 (\"postgres-2\")'");
	s.names[0] = true;
	s.turn = 1;
	assert_setting(&u, &s, "synchronous_standby_names",
		       "synchronous_standby_names = 'FIRST 2 (\"-1\", \"-2\", \"-3\", "
		       "\"postgres-0\", \"postgres-2\")'");
}

/* As PostgreSQL counts: the place in the list, from 1. */
static int place_in_list(const char *line, const char *name)
{
	_free_ char *quoted = mem_printf("\"%s\"", name);
	const char *at = strstr(line, quoted);
	int place = 1;

	assert_non_null(at);
	for (const char *p = line; p < at; p++)
		place += *p == ',';
	return place;
}

static void a_list_differs_from_the_seven_before(void **state)
{
	struct pg_unit u = unit();
	bool seen[64] = { false };

	(void)state;
	u.mode = PG_SYNC;
	for (int turn = 0; turn < 8; turn++) {
		struct pg_settings s = { .names = { true, false, true }, .turn = turn };
		_free_ char *line = setting(&u, &s, "synchronous_standby_names");
		int first = pg_first_priority(turn);

		assert_int_equal(place_in_list(line, "postgres-0"), first);
		assert_int_equal(place_in_list(line, "postgres-2"), first + 1);
		/* nor is it what another name had in another turn */
		for (int i = 0; i < PG_PODS; i++) {
			assert_in_range(first + i, 1, ARRAY_LEN(seen) - 1);
			assert_false(seen[first + i]);
			seen[first + i] = true;
		}
		assert_int_equal(pg_first_priority(turn + 8), first);
	}
}

static void files_of_postgresql_and_repmgr(void **state)
{
	struct pg_root *p = *state;
	struct pg_unit u = unit();

	root_write(p, PG_SECRETS "/repmgr", "secret\n");
	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", NULL), 0);
	assert_file(&p->fs, "/run/phoenix/pg_hba.conf",
		    "local all phoenix peer map=phoenix\n"
		    "local all all scram-sha-256\n"
		    "hostssl all phoenix all reject\n"
		    "hostssl replication repmgr 10.42.0.0/16 scram-sha-256\n"
		    "hostssl all all 10.42.0.0/16 scram-sha-256\n");
	assert_file(&p->fs, "/run/phoenix/pg_ident.conf", "phoenix postgres phoenix\n");
	assert_file(&p->fs, "/run/phoenix/repmgr.conf",
		    "node_id=2\n"
		    "node_name='postgres-1'\n"
		    "conninfo='" CONNINFO("10.42.1.7", "postgres-1",
					  "repmgr") "'\n"
						    "data_directory='/var/lib/phoenix/data'\n"
						    "passfile='/run/phoenix/pgpass'\n"
						    "use_replication_slots=yes\n"
						    "failover=manual\n"
						    "log_level=NOTICE\n");
	assert_file(&p->fs, "/run/phoenix/pgpass", "*:*:*:repmgr:secret\n");
}

static void passwords_are_escaped(void **state)
{
	struct pg_root *p = *state;
	struct pg_unit u = unit();

	root_write(p, PG_SECRETS "/repmgr", ":a\\b::c d#'\\");
	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", NULL), 0);
	assert_file(&p->fs, "/run/phoenix/pgpass", "*:*:*:repmgr:\\:a\\\\b\\:\\:c d#'\\\\\n");
}

static void without_a_password_nothing_starts(void **state)
{
	struct pg_root *p = *state;
	struct pg_unit u = unit();
	struct fault f = { 0 };

	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", &f), -ENOENT);
	assert_non_null(strstr(f.text, PG_SECRETS "/repmgr"));
}

/* Whoever else is in the pod reads no password, also where a wider file lay before. */
static void secrets_are_the_owners(void **state)
{
	struct pg_root *p = *state;
	struct pg_unit u = unit();
	_strv_ struct strv names = { 0 };
	int holders = 0;

	umask(0);
	assert_true(fs_write_text(&p->fs, PG_PASSFILE, 0644, "*:*:*:repmgr:secret\n", NULL) >= 0);
	root_write(p, PG_SECRETS "/repmgr", "secret");
	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", NULL), 0);
	assert_int_equal(fs_list(&p->fs, PG_RUN_DIR, &names, NULL), 0);
	assert_int_equal(names.n, 4);
	strv_each (name, &names) {
		_free_ char *path = mem_printf(PG_RUN_DIR "/%s", name);
		_str_ struct str text = { 0 };
		struct stat st;

		assert_int_equal(fs_stat(&p->fs, path, &st, NULL), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(fs_read(&p->fs, path, 65536, &text, NULL), 0);
		holders += strstr(str_text(&text), "secret") != NULL;
	}
	assert_int_equal(holders, 1);
}

static void a_second_start_writes_the_same(void **state)
{
	struct pg_root *p = *state;
	struct pg_unit u = unit();
	struct stat before, after;

	root_write(p, PG_SECRETS "/repmgr", "secret");
	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", NULL), 0);
	assert_int_equal(fs_stat(&p->fs, PG_PASSFILE, &before, NULL), 0);
	assert_int_equal(pg_files_write(&p->fs, &u, "postgres", NULL), 0);
	assert_int_equal(fs_stat(&p->fs, PG_PASSFILE, &after, NULL), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_nobody),
		cmocka_unit_test(of_an_upstream),
		cmocka_unit_test(what_commits_wait_for),
		cmocka_unit_test(names_of_async),
		cmocka_unit_test(names_of_sync),
		cmocka_unit_test(a_list_differs_from_the_seven_before),
		root_test(files_of_postgresql_and_repmgr),
		root_test(passwords_are_escaped),
		root_test(without_a_password_nothing_starts),
		root_test(secrets_are_the_owners),
		root_test(a_second_start_writes_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
