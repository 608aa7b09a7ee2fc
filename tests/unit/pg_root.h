/* A database pod's root, as Kubernetes gives it: what is mounted, what stands in the environment. */
#pragma once

#include "tests/unit/test.h"

#include "phoenix-job/pg_files.h"

#include "lib/proc.h"

#include <errno.h>
#include <unistd.h>

#define UID "b5db7e8f-1598-4390-837b-c77e59a93cce"
#define CONFIG                                                               \
	"{\"version\":1,\"replication\":\"async\",\"reads\":\"primary\","    \
	"\"network\":\"10.42.0.0/16\",\"api\":[\"https://192.0.2.11:6443\"," \
	"\"https://192.0.2.12:6443\",\"https://192.0.2.13:6443\"],"          \
	"\"services\":[{\"name\":\"gitea\",\"database\":\"gitea\",\"role\":\"gitea_app\"}]}"

struct pg_root {
	char dir[64];
	struct fs fs;
	mode_t mask;
};

static void root_write(struct pg_root *p, const char *path, const char *text)
{
	assert_true(fs_write_text(&p->fs, path, 0600, text, NULL) >= 0);
}

__attribute__((unused)) static void assert_file(const struct fs *fs, const char *path,
						const char *text)
{
	_str_ struct str s = { 0 };

	assert_int_equal(fs_read(fs, path, 65536, &s, NULL), 0);
	assert_string_equal(str_text(&s), text);
}

static void environment(void)
{
	assert_int_equal(setenv("POD_NAME", "postgres-1", 1), 0);
	assert_int_equal(setenv("POD_UID", UID, 1), 0);
	assert_int_equal(setenv("POD_IP", "10.42.1.7", 1), 0);
	assert_int_equal(setenv("POD_NAMESPACE", "database", 1), 0);
	assert_int_equal(setenv("NODE_ADDRESS", "192.0.2.12", 1), 0);
}

static int root_setup(void **state)
{
	struct pg_root *p = mem_alloc(sizeof *p);

	snprintf(p->dir, sizeof p->dir, "/tmp/phoenix-pg-XXXXXX");
	p->mask = umask(022);
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(fs_open(&p->fs, p->dir, NULL), 0);
	root_write(p, PG_CONFIG, CONFIG);
	assert_true(fs_mkdirs(&p->fs, PG_VOLUME, 0700, NULL) >= 0);
	environment();
	*state = p;
	return 0;
}

static int root_teardown(void **state)
{
	struct pg_root *p = *state;

	fs_fault_hook = NULL;
	umask(p->mask);
	fs_close(&p->fs);
	assert_int_equal(proc_do(NULL, "rm", "-rf", p->dir, NULL), 0);
	free(p);
	return 0;
}

#define root_test(f) cmocka_unit_test_setup_teardown(f, root_setup, root_teardown)
