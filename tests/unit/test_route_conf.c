#include "tests/unit/test.h"

#include "phoenix-job/route_conf.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#define FIXTURES "tests/unit/fixtures/route"

static char folder[] = "/tmp/route.XXXXXX";
static struct fs fs = { .fd = -1 };

static const char database[] =
	"{\"version\":1,\"replication\":\"async\",\"reads\":\"standbys\",\"network\":"
	"\"10.42.0.0/16\",\"api\":[\"https://192.0.2.11:6443\",\"https://192.0.2.12:6443\"],"
	"\"services\":[{\"name\":\"gitea\",\"database\":\"gitea\",\"role\":\"gitea\"},"
	"{\"name\":\"other\",\"database\":\"other_db\",\"role\":\"other-role\"}]}";

static void file(const char *path, const char *text)
{
	assert_true(fs_write_text(&fs, path, 0600, text, NULL) >= 0);
}

static void files(void)
{
	file(ROUTE_DATABASE, database);
	file(ROUTE_SECRETS "/gitea", "gitea's password\n");
	file(ROUTE_SECRETS "/other-role", "x:y#z");
	file(ROUTE_SECRETS "/pgbauth", "auth\n");
	file(ROUTE_SECRETS "/route", "route\n");
	file(ROUTE_TLS "/server.key", "key\n");
}

static void is_as_in(const char *path, const char *name)
{
	_free_ char *fixture = mem_printf(FIXTURES "/%s", name);
	_str_ struct str is = { 0 }, expected = { 0 };
	struct stat st;
	_fs_ struct fs here = { .fd = -1 };

	assert_int_equal(fs_open(&here, ".", NULL), 0);
	assert_int_equal(fs_read(&fs, path, 65536, &is, NULL), 0);
	assert_int_equal(fs_stat(&fs, path, &st, NULL), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	if (getenv("FIXTURES_MAKE"))
		assert_true(fs_write_text(&here, fixture, 0644, is.p, NULL) >= 0);
	assert_int_equal(fs_read(&here, fixture, 65536, &expected, NULL), 0);
	assert_string_equal(is.p, expected.p);
}

static void what_is_written(void **state)
{
	static const char *const names[] = { "session.ini", "rw.ini",	     "ro1.ini",
					     "ro2.ini",	    "rw.server",     "pgpool.conf",
					     "pool_passwd", "pool_hba.conf", "users" };
	_route_conf_ struct route_conf c = { 0 };
	struct fault f = { 0 };

	(void)state;
	files();
	if (route_conf_load(&fs, &c, &f) < 0 || route_conf_write(&fs, &c, &f) < 0)
		fail_msg("%s", f.text);
	assert_true(c.standbys_read);
	assert_int_equal(c.api.n, 2);
	assert_string_equal(c.route_password, "route");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_free_ char *path = mem_printf(ROUTE_RUN "/%s", names[i]);

		is_as_in(path, names[i]);
	}
	/* the second time too */
	assert_int_equal(route_conf_write(&fs, &c, &f), 0);
}

static void pointing(void **state)
{
	_str_ struct str text = { 0 };

	(void)state;
	assert_int_equal(route_conf_point(&fs, ROUTE_RO1, "10.42.1.7", NULL), 0);
	assert_int_equal(fs_read(&fs, ROUTE_RUN "/ro1.server", 100, &text, NULL), 0);
	assert_string_equal(text.p, "* = host=10.42.1.7 port=5432\n");
	str_reset(&text);
	assert_int_equal(route_conf_point(&fs, ROUTE_RO1, "", NULL), 0);
	assert_int_equal(fs_read(&fs, ROUTE_RUN "/ro1.server", 100, &text, NULL), 0);
	assert_string_equal(text.p, "* = host=127.0.0.1 port=1\n");
}

static void reads_of_the_primary_alone(void **state)
{
	_str_ struct str text = { 0 };
	const struct route_conf c = { .standbys_read = false };

	(void)state;
	route_conf_pgpool(&c, &text);
	assert_non_null(strstr(text.p, "load_balance_mode = off\n"));
}

/* All mistakes at once. */
static void mistakes(void **state)
{
	static const char *const says[] = { "version: has to be 1",
					    "reads: has to be primary or standbys",
					    "network: has to be like 10.42.0.0/16",
					    "api: has to list",
					    "services[0]: wants role and database",
					    "services[1]: wants role and database",
					    ROUTE_SECRETS "/gitea: has to be one line",
					    ROUTE_SECRETS "/pgbauth: has to be one line",
					    ROUTE_SECRETS "/route" };
	struct route_conf c = { 0 };
	struct fault f = { 0 };

	(void)state;
	files();
	file(ROUTE_DATABASE, "{\"version\":2,\"reads\":\"all\",\"network\":\"10.42.0.0/16 trust\","
			     "\"services\":[{\"role\":\"a\"},{\"role\":\"a b\",\"database\":\"c\"},"
			     "{\"role\":\"gitea\",\"database\":\"gitea\"}]}");
	file(ROUTE_SECRETS "/gitea", "two\nlines");
	file(ROUTE_SECRETS "/pgbauth", "\n");
	assert_true(fs_remove(&fs, ROUTE_SECRETS "/route", NULL) >= 0);
	assert_int_equal(route_conf_load(&fs, &c, &f), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(says); i++)
		if (!strstr(f.text, says[i]))
			fail_msg("'%s' does not say '%s'", f.text, says[i]);
	file(ROUTE_DATABASE, "{");
	assert_int_equal(route_conf_load(&fs, &c, &f), -EINVAL);
	assert_non_null(strstr(f.text, ROUTE_DATABASE));
}

static int made(void **state)
{
	(void)state;
	return mkdtemp(folder) ? fs_open(&fs, folder, NULL) : -1;
}

static int away(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int gone(void **state)
{
	(void)state;
	fs_close(&fs);
	return nftw(folder, away, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written),
		cmocka_unit_test(pointing),
		cmocka_unit_test(reads_of_the_primary_alone),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, made, gone);
}
