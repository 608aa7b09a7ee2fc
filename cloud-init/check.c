/* phoenix check: every mistake of a cluster's folder at once, before a machine is touched. */
#include "cloud-init/cluster_folder.h"
#include "cloud-init/commands.h"
#include "lib/command.h"

#include <errno.h>

const char check_usage[] =
	"Usage: phoenix check DIR\n\n"
	"Checks the description phoenix.yaml and secrets.yaml of the cluster's folder DIR and "
	"prints\n"
	"every mistake as FILE:LINE:COLUMN: KEY: what is wrong; what is allowed.\n\n"
	"Exit status: 0 no mistake, 2 mistakes.\n";

int check_run(int argc, char **argv, struct fault *f)
{
	_folder_ struct cluster_folder c = { 0 };
	_diags_ struct diags d = { 0 };
	int r = command_options((const struct command_option[]){ { 0 } }, argc, argv, f);

	if (r < 0)
		return r;
	if (argc - r != 1)
		return fault_set(f, EINVAL, "one folder, please; see phoenix check --help");
	if (cluster_folder_read(argv[r], SECRETS_CLUSTER, &c, &d, f) < 0)
		return -f->code;
	printf("%s: cluster %s (%s, %s, %s) is without mistakes; description %.12s\n", argv[r],
	       c.config->name, c.config->nodes[0].name, c.config->nodes[1].name,
	       c.config->nodes[2].name, c.config->digest);
	return EXIT_DONE;
}
