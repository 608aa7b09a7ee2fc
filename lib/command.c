/* See command.h. */
#include "lib/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define MAX_OPTIONS 24

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (str_eq(c->name, name))
			return c;
	return NULL;
}

static int unknown(const char *command, char **argv, struct fault *f)
{
	if (optopt && optopt < 256)
		return fault_set(f, EINVAL,
				 "option -%c is unknown or lacks its value; see phoenix %s --help",
				 optopt, command);
	return fault_set(f, EINVAL,
			 "option %s is unknown or lacks its value; see phoenix %s --help",
			 argv[optind - 1], command);
}

int command_options(const struct command_option *options, int argc, char **argv, struct fault *f)
{
	struct option table[MAX_OPTIONS + 2] = { { "help", no_argument, NULL, 256 } };
	_str_ struct str letters = { 0 };
	int n = 0, o;

	str_add(&letters, ":h");
	for (; options[n].name && n < MAX_OPTIONS; n++) {
		bool takes = !options[n].flag;

		table[n + 1] =
			(struct option){ options[n].name, takes ? required_argument : no_argument,
					 NULL, 257 + n };
		if (options[n].letter)
			str_addf(&letters, "%c%s", options[n].letter, takes ? ":" : "");
	}
	optind = 0;
	opterr = 0;
	while ((o = getopt_long(argc, argv, letters.p, table, NULL)) != -1) {
		const struct command_option *hit = NULL;

		if (o == 'h' || o == 256) {
			const struct command *c = find(argv[0]);

			fputs(c ? c->usage : "", stdout);
			return -ECANCELED;
		}
		for (int i = 0; i < n; i++)
			if (o == 257 + i || (options[i].letter && o == options[i].letter))
				hit = &options[i];
		if (!hit)
			return unknown(argv[0], argv, f);
		if (hit->flag)
			*hit->flag = true;
		else if (hit->list)
			strv_add(hit->list, optarg);
		else
			*hit->value = optarg;
	}
	return optind;
}
