/* What a database pod is told: taken as it stands, or every mistake in it said at once. */
#include "tests/unit/pg_root.h"

static void assert_mistakes(struct pg_root *p, const char *text)
{
	_unit_ struct pg_unit u = { 0 };
	struct fault f = { 0 };
	_free_ char *all = mem_printf("this is no database pod: %s", text);

	assert_int_equal(pg_unit_read(&p->fs, &u, &f), -EINVAL);
	assert_string_equal(f.text, all);
	assert_null(u.pod);
}

static void all_is_taken_as_it_stands(void **state)
{
	struct pg_root *p = *state;
	_unit_ struct pg_unit u = { 0 };

	assert_int_equal(pg_unit_read(&p->fs, &u, NULL), 0);
	assert_string_equal(u.pod, "postgres-1");
	assert_int_equal(u.self, 1);
	assert_string_equal(u.uid, UID);
	assert_string_equal(u.address, "10.42.1.7");
	assert_string_equal(u.ns, "database");
	assert_int_equal(u.mode, PG_ASYNC);
	assert_false(u.reads_standbys);
	assert_string_equal(u.network, "10.42.0.0/16");
	assert_int_equal(u.n_services, 1);
	assert_string_equal(u.services[0].database, "gitea");
	assert_string_equal(u.services[0].role, "gitea_app");
}

static void the_other_words(void **state)
{
	struct pg_root *p = *state;
	_unit_ struct pg_unit u = { 0 };

	root_write(p, PG_CONFIG,
		   "{\"version\":1,\"replication\":\"sync\",\"reads\":\"standbys\","
		   "\"network\":\"fd00:42::/56\",\"api\":[\"https://[fd00::1]:6443\"]}");
	setenv("POD_IP", "fd00:42::7", 1);
	assert_int_equal(pg_unit_read(&p->fs, &u, NULL), 0);
	assert_int_equal(u.mode, PG_SYNC);
	assert_true(u.reads_standbys);
	assert_string_equal(u.address, "fd00:42::7");
	assert_int_equal(u.n_services, 0);
}

static void own_node_is_asked_first(void **state)
{
	struct pg_root *p = *state;
	_unit_ struct pg_unit u = { 0 };

	assert_int_equal(pg_unit_read(&p->fs, &u, NULL), 0);
	assert_int_equal(u.api.n, 3);
	assert_string_equal(u.api.v[0], "https://192.0.2.12:6443");
	assert_string_equal(u.api.v[1], "https://192.0.2.11:6443");
	assert_string_equal(u.api.v[2], "https://192.0.2.13:6443");
}

/* A node that is none of the list, or none that is known: the list as it stands. */
static void another_node_changes_no_order(void **state)
{
	static const char *const nodes[] = { "192.0.2.1", NULL };
	struct pg_root *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		_unit_ struct pg_unit u = { 0 };

		if (nodes[i])
			setenv("NODE_ADDRESS", nodes[i], 1);
		else
			unsetenv("NODE_ADDRESS");
		assert_int_equal(pg_unit_read(&p->fs, &u, NULL), 0);
		assert_int_equal(u.api.n, 3);
		assert_string_equal(u.api.v[0], "https://192.0.2.11:6443");
	}
}

static void every_mistake_at_once(void **state)
{
	struct pg_root *p = *state;

	setenv("POD_NAME", "postgres-3", 1);
	setenv("POD_UID", "postgres-3", 1);
	unsetenv("POD_NAMESPACE");
	setenv("POD_IP", "10.42.1.300", 1);
	root_write(p, PG_CONFIG,
		   "{\"version\":2,\"replication\":\"both\",\"network\":\"10.42.0.0\","
		   "\"api\":[\"http://192.0.2.11\",\"https://192.0.2.12:6443\",7],"
		   "\"services\":[{\"database\":\"a b\"},{\"database\":\"b\",\"role\":\"B\"}]}");
	assert_mistakes(p,
			"POD_NAME is 'postgres-3'; POD_UID is 'postgres-3'; "
			"POD_NAMESPACE is not set in the environment; "
			"POD_IP is '10.42.1.300', which is no address; version is not 1; "
			"replication is 'both'; it is 'async' or 'sync'; "
			"reads is ''; it is 'primary' or 'standbys'; "
			"network is no ADDRESS/PREFIX; api[0] is no https://ADDRESS:PORT; "
			"api[2] is no https://ADDRESS:PORT; services[0].database is no identifier; "
			"services[0].role is no identifier; services[1].role is no identifier");
}

static void environment_and_no_file(void **state)
{
	struct pg_root *p = *state;
	_free_ char *text =
		mem_printf("POD_UID is ''; %s" PG_CONFIG ": No such file or directory", p->dir);

	setenv("POD_UID", "", 1);
	assert_int_equal(fs_remove(&p->fs, PG_CONFIG, NULL), 1);
	assert_mistakes(p, text);
}

static void a_file_that_is_no_json(void **state)
{
	struct pg_root *p = *state;
	_unit_ struct pg_unit u = { 0 };
	struct fault f = { 0 };

	unsetenv("POD_IP");
	root_write(p, PG_CONFIG, "{\"version\":1,");
	assert_int_equal(pg_unit_read(&p->fs, &u, &f), -EINVAL);
	assert_non_null(strstr(f.text, "POD_IP is not set in the environment; " PG_CONFIG ": 1:"));
}

static void no_server_and_strange_shapes(void **state)
{
	struct pg_root *p = *state;

	root_write(
		p, PG_CONFIG,
		"{\"version\":1,\"replication\":\"async\",\"reads\":\"primary\","
		"\"network\":\"10.42.0.0/16\",\"api\":\"https://192.0.2.11:6443\",\"services\":7}");
	assert_mistakes(p, "api names no server");
}

static void networks_that_postgresql_would_refuse(void **state)
{
	static const char *const wrong[] = { "10.42.0.0/33", "fd00::/129", "10.42.0/16",  "::::/1",
					     "10.42.0.0/",   "/16",	   "10.42.0.0/-1" };
	struct pg_root *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		_free_ char *text = mem_printf(
			"{\"version\":1,\"replication\":\"async\",\"reads\":\"primary\",\"network\""
			":\"%s\",\"api\":[\"https://192.0.2.11:6443\"]}",
			wrong[i]);

		root_write(p, PG_CONFIG, text);
		assert_mistakes(p, "network is no ADDRESS/PREFIX");
	}
}

static void pods_by_number(void **state)
{
	static const char *const none[] = { "postgres-3", "postgres--1", "postgres-01",
					    "postgres-",  "postgres",	 "pooler-0",
					    "",		  NULL };
	char name[32];

	(void)state;
	for (int i = 0; i < PG_PODS; i++) {
		pg_pod_name(i, name);
		assert_int_equal(pg_pod_number(name), i);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(pg_pod_number(none[i]), -1);
}

static void a_secret_without_its_line_end(void **state)
{
	struct pg_root *p = *state;
	_secret_ struct str s = { 0 };

	root_write(p, PG_SECRETS "/repmgr", "a b:c\\d\r\n\n");
	assert_int_equal(pg_secret(&p->fs, "repmgr", &s, NULL), 0);
	assert_string_equal(s.p, "a b:c\\d");
	root_write(p, PG_SECRETS "/repmgr", "x");
	assert_int_equal(pg_secret(&p->fs, "repmgr", &s, NULL), 0);
	assert_string_equal(s.p, "x");
}

static void what_is_no_secret(void **state)
{
	struct pg_root *p = *state;
	_secret_ struct str s = { 0 };
	struct fault f = { 0 };

	root_write(p, PG_SECRETS "/repmgr", "\n");
	assert_int_equal(pg_secret(&p->fs, "repmgr", &s, &f), -EINVAL);
	assert_string_equal(f.text, PG_SECRETS "/repmgr: is not one line");
	root_write(p, PG_SECRETS "/repmgr", "hush\nhush");
	assert_int_equal(pg_secret(&p->fs, "repmgr", &s, &f), -EINVAL);
	assert_null(strstr(f.text, "hush")); /* a message ends in a log */
	assert_int_equal(pg_secret(&p->fs, "none", &s, &f), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		root_test(all_is_taken_as_it_stands),
		root_test(the_other_words),
		root_test(own_node_is_asked_first),
		root_test(another_node_changes_no_order),
		root_test(every_mistake_at_once),
		root_test(environment_and_no_file),
		root_test(a_file_that_is_no_json),
		root_test(no_server_and_strange_shapes),
		root_test(networks_that_postgresql_would_refuse),
		root_test(a_secret_without_its_line_end),
		root_test(what_is_no_secret),
		cmocka_unit_test(pods_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
