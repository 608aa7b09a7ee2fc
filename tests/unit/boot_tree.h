/* A node's root as a folder, with a seed made of real keys, for the tests of the steps. */
#pragma once

#include "cloud-init/secrets.h"
#include "cloud-init/seed_files.h"
#include "firstboot/engine.h"
#include "firstboot/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "tests/unit/test.h"

static const char tree_description[] =
	"cluster:\n"
	"  name: railiance\n"
	"  nodes:\n"
	"  - { name: phoenix-a, address: 192.0.2.11/24, mac: \"52:54:00:00:00:0a\", data: "
	"/dev/loop-none }\n"
	"  - { name: phoenix-b, address: 192.0.2.12/24, mac: \"52:54:00:00:00:0b\" }\n"
	"  - { name: phoenix-c, address: 192.0.2.13/24, mac: \"52:54:00:00:00:0c\" }\n"
	"  network: { gateway: 192.0.2.1, dns: [ 192.0.2.1 ], ntp: [ 192.0.2.1 ] }\n"
	"  vip: 192.0.2.10\n"
	"  admin: { ssh_keys: [ \"ssh-ed25519 "
	"AAAAC3NzaC1lZDI1NTE5AAAAIJ0Yw7kq6vWFPzY0f5q8jU1l0JZyq0m3nOa5mC3m0abc a\" ],\n"
	"           from: [ 198.51.100.0/24 ] }\n"
	"domain: example.org\n"
	"acme: { email: ops@example.org, server: staging }\n";

struct tree {
	char path[64];
	struct boot boot;
};

__attribute__((unused)) static struct seed *tree_seed(const char *description, int node, bool wipe)
{
	_seed_files_ struct seed_files files = { 0 };
	_config_ struct cluster_config *c = NULL;
	_secrets_ struct secrets *s = mem_alloc(sizeof *s);
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct seed *seed = NULL;
	struct fault f = { 0 };

	str_add(&text, description);
	if (config_parse("phoenix.yaml", description, strlen(description), &c, &d) < 0 ||
	    secrets_issue(s, c, &f) < 0) {
		diags_print(&d);
		fail_msg("%s", f.text);
	}
	seed_files_make(c, &text, s, node, wipe, &files);
	if (seed_parse("seed", files.seed.p, files.seed.len, &seed, &d) < 0) {
		diags_print(&d);
		fail();
	}
	return seed;
}

__attribute__((unused)) static void tree_put(struct tree *t, const char *path, const char *text)
{
	struct fault f = { 0 };

	if (fs_write_text(&t->boot.fs, path, 0644, text, &f) < 0)
		fail_msg("%s", f.text);
}

__attribute__((unused)) static struct tree *tree_new(int node)
{
	struct tree *t = mem_alloc(sizeof *t);
	struct fault f = { 0 };

	snprintf(t->path, sizeof t->path, "/tmp/phoenix-test-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	assert_int_equal(fs_open(&t->boot.fs, t->path, &f), 0);
	if (node >= 0)
		t->boot.seed = tree_seed(tree_description, node, false);
	return t;
}

static int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

__attribute__((unused)) static void tree_free(struct tree *t)
{
	fs_close(&t->boot.fs);
	nftw(t->path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
	seed_freep(&t->boot.seed);
	free(t);
}

/* Runs one step as the engine does. The result's text in R. */
__attribute__((unused)) static int tree_step(struct tree *t, const char *name,
					     struct step_result *r)
{
	struct step_result results[32] = { 0 };
	struct engine e = {
		.boot = &t->boot, .steps = steps, .results = results, .n = engine_count(steps)
	};
	struct fault f = { 0 };
	int ret = engine_step(&e, name, &f);

	for (size_t i = 0; i < e.n; i++)
		if (str_eq(steps[i].name, name))
			*r = results[i];
	return ret;
}

/* Does it, and finds nothing to do the second time. */
__attribute__((unused)) static void tree_step_twice(struct tree *t, const char *name)
{
	struct step_result r;

	if (tree_step(t, name, &r) < 0)
		fail_msg("%s: %s", name, r.text);
	assert_int_equal(r.state, STATE_CHANGED);
	assert_int_equal(tree_step(t, name, &r), 0);
	assert_int_equal(r.state, STATE_DONE);
}

__attribute__((unused)) static char *tree_text(struct tree *t, const char *path)
{
	struct str text = { 0 };
	struct fault f = { 0 };

	if (fs_read(&t->boot.fs, path, 1 << 20, &text, &f) < 0)
		fail_msg("%s", f.text);
	return str_take(&text);
}

__attribute__((unused)) static mode_t tree_mode(struct tree *t, const char *path)
{
	struct stat st = { 0 };

	assert_int_equal(fs_stat(&t->boot.fs, path, &st, NULL), 0);
	return st.st_mode & 07777;
}
