/* `phoenix pg': the supervisor of a database pod, and its probes. */
#include "phoenix-job/commands.h"

#include "phoenix-job/pg_keeper.h"
#include "phoenix-job/pg_loop.h"

#include "lib/command.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/timer.h"

#include <errno.h>

#define STILL_MS 30000 /* a supervisor that says nothing for so long does not live */

const char pg_usage[] =
	"Usage: phoenix pg\n"
	"       phoenix pg ready | live\n\n"
	"Supervisor of a database pod, as its process 1: keeps PostgreSQL as the primary or a "
	"standby,\n"
	"as the Lease `postgres' and the two other pods allow. Its configuration is\n"
	"/etc/phoenix/database/database.json; docs/database.md tells the whole.\n\n"
	"  ready     exit status 0: PostgreSQL of this pod answers\n"
	"  live      exit status 0: the supervisor works. A clone or a recovery may last\n\n"
	"Options:\n"
	"  -h, --help  shows this\n";

static int probe(bool live, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;
	const char *server;

	if (fs_open(&fs, "/", f) < 0 || fs_read(&fs, PG_STATUS, 65536, &text, f) < 0 ||
	    json_parse(str_text(&text), text.len, &j, f) < 0)
		return -f->code == -EINVAL ? -EIO : -f->code;
	if (timer_now() - json_int(j, "at", 0) > STILL_MS)
		return fault_set(f, EIO, "the supervisor stands still");
	if (live)
		return EXIT_DONE;
	server = json_str(j, "server");
	if (str_eq(server, "primary") ||
	    (str_eq(server, "standby") && json_bool(j, "streams", false)))
		return EXIT_DONE;
	return fault_set(f, EIO, "PostgreSQL is %s: %s", server ?: "not known",
			 json_str(j, "doing") ?: "");
}

int pg_run(int argc, char **argv, struct fault *f)
{
	static const struct command_option options[] = { { 0 } };
	int first = command_options(options, argc, argv, f);

	if (first < 0)
		return first;
	if (first == argc)
		return pg_keep(f);
	if (argc - first == 1 && (str_eq(argv[first], "ready") || str_eq(argv[first], "live")))
		return probe(str_eq(argv[first], "live"), f);
	return fault_set(f, EINVAL,
			 "'%s': it is `phoenix pg', `phoenix pg ready' or `phoenix pg live'",
			 argv[first]);
}
