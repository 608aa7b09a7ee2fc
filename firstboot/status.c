/* `phoenix status`: the three nodes side by side. On a node it asks all three itself; on a
 * workstation it runs the same command over SSH on the first node that answers (6443 and 6440 are
 * closed to the outside), so that both roads show one and the same JSON. */
#include "firstboot/commands.h"
#include "firstboot/status_remote.h"
#include "firstboot/status_table.h"
#include "firstboot/survey.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

const char status_usage[] =
	"Usage: phoenix status [DIR] [--watch] [--json]\n\n"
	"Shows the three nodes side by side: state, step, what each waits for, members.\n"
	"On a node without DIR; elsewhere DIR is the cluster's folder (as for `phoenix seed`),\n"
	"and the first node that answers over SSH (user phoenix) is asked. DIR/known_hosts keeps\n"
	"their host keys: taken at first contact; a node with another one is not asked.\n\n"
	"  -w, --watch  redraws every second; where stdout is no terminal, prints below\n"
	"      --json   one JSON object, version 1\n\n"
	"On a terminal the state is green (well), yellow (on its way) or red (failed, silent);\n"
	"NO_COLOR=1 leaves the colours out.\n\n"
	"Exit status: 0 three voters and every node ready, 1 not so, 2 usage.\n";

static int ask_here(struct survey *s, struct json **ret, struct fault *f)
{
	int r = s->seed ? 0 : survey_open(s, f);

	if (r < 0)
		return r;
	survey_look(s);
	*ret = survey_json(s);
	return 0;
}

static int verdict(const struct json *j)
{
	const struct json *nodes = json_get(j, "nodes", NULL);
	size_t well = 0;

	for (size_t i = 0; i < json_len(nodes); i++)
		well += status_node_is_well(json_at(nodes, i));
	return well == NODE_COUNT ? EXIT_DONE : EXIT_FAILED;
}

static void show(const struct json *j, bool as_json, bool watch)
{
	_str_ struct str out = { 0 };

	if (as_json) {
		json_print(j, watch ? 0 : 2, &out);
		str_add(&out, "\n");
	} else {
		status_render(j, status_look(STDOUT_FILENO, watch), &out);
	}
	fputs(out.p, stdout);
	fflush(stdout);
}

int status_run(int argc, char **argv, struct fault *f)
{
	bool watch = false, as_json = false;
	const struct command_option options[] = { { "watch", 'w', NULL, &watch, NULL },
						  { "json", 0, NULL, &as_json, NULL },
						  { 0 } };
	_survey_ struct survey s = { 0 };
	int r = command_options(options, argc, argv, f);
	const char *dir;

	if (r < 0)
		return r;
	if (argc - r > 1)
		return fault_set(f, EINVAL, "wants at most one folder; see phoenix status --help");
	dir = r < argc ? argv[r] : NULL;
	for (;;) {
		_json_ struct json *j = NULL;

		r = dir ? status_ask(dir, &j, f) : ask_here(&s, &j, f);
		if (r < 0 && !watch)
			return r;
		if (r < 0)
			log_warn("%s", f->text);
		else
			show(j, as_json, watch);
		if (!watch)
			return verdict(j);
		timer_sleep(1000);
	}
}
