/* main and the command table: everything that phoenix can do is a row here. */
#include "cloud-init/commands.h"
#include "firstboot/commands.h"
#include "image/commands.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/table.h"
#include "phoenix-job/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#ifndef PHOENIX_VERSION
#define PHOENIX_VERSION "0.0.0-dev"
#endif

const struct command commands[] = {
	{ "init", "workstation", "makes the folder of a new cluster: description and secrets",
	  init_usage, init_run },
	{ "check", "workstation", "shows every mistake of a cluster's folder", check_usage,
	  check_run },
	{ "seed", "workstation", "writes the three nodes' seeds: folders and CIDATA images",
	  seed_usage, seed_run },
	{ "flash", "anywhere", "writes the image and one node's seed to a disk, and verifies it",
	  flash_usage, flash_run },
	{ "pxe", "workstation", "installs the three machines over the network", pxe_usage,
	  pxe_run },
	{ "install", "node", "what a machine does that `phoenix pxe` booted", install_usage,
	  install_run },
	{ "firstboot", "node", "brings this node to its described state and keeps it there",
	  firstboot_usage, firstboot_run },
	{ "status", "anywhere", "the three nodes side by side: step, members, what each waits for",
	  status_usage, status_run },
	{ "route", "container", "runs a pooler pod, and points it at the database's primary",
	  route_usage, route_run },
	{ "recover", "node", "quorum is lost for good: goes on with one node's data", recover_usage,
	  recover_run },
	{ "form", "node", "forms the cluster although a node is destroyed", form_usage, form_run },
	{ "forget", "node", "takes back a promise, or the word that a node is missing",
	  forget_usage, forget_run },
	{ "abandon", "node", "gives up an incarnation of the cluster on this disk", abandon_usage,
	  abandon_run },
	{ "pg", "container", "supervisor of a database pod, and its probes", pg_usage, pg_run },
	{ 0 },
};

static int help(void)
{
	_table_ struct table t = { .columns = 3 };
	_str_ struct str out = { 0 };

	for (const struct command *c = commands; c->name; c++) {
		_free_ char *name = mem_printf("  %s", c->name);

		table_row(&t, name, c->where, c->summary, NULL);
	}
	table_print(&t, 0, &out);
	printf("Usage: phoenix COMMAND [OPTION...]\n\n"
	       "Three blank machines become one self-healing cluster that runs Gitea.\n\n"
	       "%s\n`phoenix COMMAND --help` tells more; each command has a manual page, "
	       "phoenix-COMMAND(1).\n"
	       "Exit status: 0 done or healthy, 1 failed or a finding, 2 usage or configuration,\n"
	       "3 nothing done on purpose.\n",
	       str_text(&out));
	return EXIT_DONE;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct fault f = { 0 };
	int r = c->run(argc, argv, &f);

	if (r == -ECANCELED && !f.code)
		r = EXIT_DONE; /* --help was printed */
	if (r < 0) {
		log_error("phoenix %s: %s", c->name, f.code ? f.text : "failed");
		r = r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	if (fflush(stdout) != 0 && r == EXIT_DONE) {
		log_error("phoenix %s: cannot write the output", c->name);
		r = EXIT_FAILED;
	}
	return r;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	signal(SIGXFSZ, SIG_IGN); /* a limit is an error like a full disk, with clearing up */
	if (str_eq(name, "--help") || str_eq(name, "-h") || str_eq(name, "help")) {
		help();
		return argc > 1 ? EXIT_DONE : EXIT_USAGE;
	}
	if (str_eq(name, "--version")) {
		puts("phoenix " PHOENIX_VERSION);
		return EXIT_DONE;
	}
	for (const struct command *c = commands; c->name; c++)
		if (str_eq(c->name, name))
			return run(c, argc - 1, argv + 1);
	log_error("phoenix: no command '%s'; phoenix --help lists them", name);
	return EXIT_USAGE;
}
