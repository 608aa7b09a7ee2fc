/* phoenix init: the folder that a cluster begins with. */
#include "cloud-init/cluster_folder.h"
#include "cloud-init/commands.h"
#include "cloud-init/config_values.h"
#include "cloud-init/init_template.h"
#include "lib/command.h"
#include "lib/staging.h"

#include <errno.h>

const char init_usage[] =
	"Usage: phoenix init DIR [--name NAME]\n"
	"       phoenix init --secrets DIR\n\n"
	"Makes the folder DIR of a new cluster: phoenix.yaml, the commented description to be "
	"filled in;\n"
	"secrets.yaml (mode 0600), the keys to the cluster; .gitignore, which keeps these out of "
	"git.\n"
	"DIR must be new or empty.\n\n"
	"  --name NAME  the cluster's name (default: the last part of DIR)\n"
	"  --secrets    in the folder of an existing description, issue what secrets.yaml lacks: "
	"all of it,\n"
	"               or the certificates of nodes that were renamed. What is there stays.\n";

static const char gitignore[] =
	"# keys to the cluster, and the seeds that carry them\n" SECRETS_FILE "\n/seeds/\n.phoenix-*\n";

static char *last_part(const char *dir)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	for (size_t i = n; i; i--)
		if (dir[i - 1] == '/')
			return mem_strndup(dir + i, n - i);
	return mem_strndup(dir, n);
}

static int write_secrets(const struct fs *fs, struct secrets *s, const struct cluster_config *c,
			 struct fault *f)
{
	_secret_ struct str text = { 0 };
	int r = secrets_issue(s, c, f);

	if (r <= 0)
		return r;
	secrets_write(s, c, 0, &text);
	return fs_write(fs, SECRETS_FILE, 0600, text.p, text.len, f);
}

static bool is_free(const char *dir, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_strv_ struct strv names = { 0 };

	if (fs_open(&fs, dir, f) < 0)
		return f->code == ENOENT;
	return fs_list(&fs, "/", &names, f) == 0 && !names.n;
}

static int make_folder(const char *dir, const char *name, struct fault *f)
{
	_staging_ struct staging st = { .fs.fd = -1 };
	_config_ struct cluster_config *c = NULL;
	_secrets_ struct secrets *s = mem_alloc(sizeof *s);
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	int r;

	if (!is_free(dir, f))
		return fault_set(f, EINVAL,
				 "%s is not an empty folder; phoenix init --secrets DIR completes "
				 "an existing one",
				 dir);
	fault_clear(f);
	init_template(name, &text);
	if (config_parse(DESCRIPTION_FILE, text.p, text.len, &c, &d) < 0)
		return cluster_folder_mistakes(dir, &d, f);
	r = staging_begin(&st, dir, f);
	if (r >= 0)
		r = fs_write(&st.fs, DESCRIPTION_FILE, 0644, text.p, text.len, f);
	if (r >= 0)
		r = fs_write_text(&st.fs, ".gitignore", 0644, gitignore, f);
	if (r >= 0)
		r = write_secrets(&st.fs, s, c, f);
	if (r >= 0)
		r = staging_commit(&st, false, f);
	if (r < 0)
		return r;
	printf("%s: cluster %s. Next: put your names and addresses into %s/" DESCRIPTION_FILE
	       ", then phoenix init --secrets %s, phoenix check %s.\n",
	       dir, name, st.target, st.target, st.target);
	return EXIT_DONE;
}

static int complete_secrets(const char *dir, struct fault *f)
{
	_folder_ struct cluster_folder c = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	_diags_ struct diags d = { 0 };
	int r;

	if (cluster_folder_read(dir, SECRETS_PARTIAL, &c, &d, f) < 0)
		return -f->code;
	r = fs_open(&fs, dir, f);
	if (r < 0)
		return r;
	if (!c.secrets)
		c.secrets = mem_alloc(sizeof *c.secrets);
	r = write_secrets(&fs, c.secrets, c.config, f);
	if (r < 0)
		return r;
	printf("%s/" SECRETS_FILE "%s\n", dir,
	       r ? ": what was missing is issued" : " is complete; nothing changed");
	return EXIT_DONE;
}

int init_run(int argc, char **argv, struct fault *f)
{
	const char *name = NULL;
	bool secrets = false;
	const struct command_option options[] = { { "name", 0, &name, NULL, NULL },
						  { "secrets", 0, NULL, &secrets, NULL },
						  { 0 } };
	_free_ char *chosen = NULL;
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (argc - r != 1 || (secrets && name))
		return fault_set(f, EINVAL, "one folder, please; see phoenix init --help");
	if (secrets)
		return complete_secrets(argv[r], f);
	chosen = name ? mem_strdup(name) : last_part(argv[r]);
	if (value_label(chosen))
		return fault_set(f, EINVAL,
				 "'%s' cannot be a cluster's name (1 to 63 of a-z, 0-9 and '-', a "
				 "letter first); give --name",
				 chosen);
	return make_folder(argv[r], chosen, f);
}
