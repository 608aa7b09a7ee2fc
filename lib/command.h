/* A row of the command table. One table serves dispatch, `phoenix help`, completion and the check
 * that each command has its manual page. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

enum exit_code {
	EXIT_DONE = 0,	    /* done, healthy */
	EXIT_FAILED = 1,    /* failed, or a finding */
	EXIT_USAGE = 2,	    /* usage or configuration */
	EXIT_POSTPONED = 3, /* nothing done, on purpose */
};

struct command {
	const char *name;
	const char *where;   /* "workstation", "node", "container", "anywhere" */
	const char *summary; /* one line for `phoenix help` */
	const char *usage;   /* whole text of `phoenix NAME --help`, begins with "Usage: " */
	/* argv[0] is the command's name. Returns an exit_code, or -errno with the fault filled:
	 * main prints it and exits 2 for -EINVAL (the caller's mistake), otherwise 1. */
	int (*run)(int argc, char **argv, struct fault *f);
};

/* One row a command, ended by a row without a name; phoenix.c holds it. */
extern const struct command commands[];

/* Options by getopt_long; "--help" prints the row's usage. See command_options. */
struct command_option {
	const char *name;   /* long name without dashes */
	char letter;	    /* short form, or 0 */
	const char **value; /* set when the option takes a value */
	bool *flag;	    /* set to true when it takes none */
	struct strv *list;  /* a value that may be given several times */
};
/* Parses ARGV by OPTIONS (ended by a row without a name). Returns the index of the first operand,
 * -EINVAL with a fault that names the option and what is allowed, or -ECANCELED after --help was
 * printed. */
int command_options(const struct command_option *options, int argc, char **argv, struct fault *f);
