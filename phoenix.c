/* main and the command table: everything that phoenix can do is a row here. */
#include "lib/command.h"
#include "lib/log.h"
#include "lib/table.h"

#include <errno.h>
#include <stdio.h>

#ifndef PHOENIX_VERSION
#define PHOENIX_VERSION "0.0.0-dev"
#endif

const struct command commands[] = {
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
	       "%s\n`phoenix COMMAND --help` tells more; each command has a manual page, phoenix-COMMAND(1).\n"
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
