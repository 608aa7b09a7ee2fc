/* See cluster_folder.h. */
#include "cloud-init/cluster_folder.h"

#include <errno.h>
#include <fcntl.h>

void cluster_folder_free(struct cluster_folder *c)
{
	str_free(&c->description);
	config_freep(&c->config);
	secrets_freep(&c->secrets);
}

int cluster_folder_mistakes(const char *dir, const struct diags *d, struct fault *f)
{
	diags_print(d);
	return fault_set(f, EINVAL, "%s: %zu mistake%s", dir, d->lines.n,
			 d->lines.n == 1 ? "" : "s");
}

/* Others on this machine must not read the keys to the cluster. */
static void check_mode(const struct fs *fs, const char *shown, struct diags *d)
{
	_fd_ int fd = fs_openat(fs, SECRETS_FILE, O_PATH, 0, NULL);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 077)
		diag_add(d, shown, 0, 0, NULL, "others may read it (mode %04o); allowed: chmod 600",
			 st.st_mode & 07777);
}

/* The fault names the file once more. */
static void cannot_read(const char *shown, const struct fault *f, struct diags *d)
{
	const char *colon = strstr(f->text, ": ");

	diag_add(d, shown, 0, 0, NULL, "%s", colon ? colon + 2 : f->text);
}

/* A link to nowhere in the folder is not "missing": what would be made in its place would be new
 * keys. */
static bool leads_out(const struct fs *fs, const char *name, const char *shown, struct diags *d)
{
	if (!fs_exists(fs, name))
		return false;
	diag_add(
		d, shown, 0, 0, NULL,
		"is a link that leads out of the folder, or to nothing: put the file itself there");
	return true;
}

static void read_secrets(const struct fs *fs, const char *shown, enum secrets_scope scope,
			 struct cluster_folder *c, struct diags *d)
{
	_secret_ struct str text = { 0 };
	struct fault f = { 0 };
	int r = fs_read(fs, SECRETS_FILE, YAML_TEXT_MAX, &text, &f);

	if (r == -ENOENT && leads_out(fs, SECRETS_FILE, shown, d))
		return;
	if (r == -ENOENT && scope == SECRETS_PARTIAL)
		return;
	if (r == -ENOENT)
		diag_add(d, shown, 0, 0, NULL, "is missing; phoenix init --secrets DIR makes it");
	else if (r < 0)
		cannot_read(shown, &f, d);
	else
		secrets_parse(shown, text.p, text.len, c->config, scope, &c->secrets, d);
	check_mode(fs, shown, d);
}

int cluster_folder_read(const char *dir, enum secrets_scope scope, struct cluster_folder *c,
			struct diags *d, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_free_ char *description =
		mem_printf("%s%s" DESCRIPTION_FILE, dir, str_ends(dir, "/") ? "" : "/");
	_free_ char *secrets = mem_printf("%s%s" SECRETS_FILE, dir, str_ends(dir, "/") ? "" : "/");
	struct fault why = { 0 };
	int r = fs_open(&fs, dir, f);

	if (r < 0)
		return fault_set(f, EINVAL, "%s is no folder of a cluster; phoenix init makes one",
				 dir);
	r = fs_read(&fs, DESCRIPTION_FILE, YAML_SCALAR_MAX, &c->description, &why);
	if (r == -ENOENT && leads_out(&fs, DESCRIPTION_FILE, description, d))
		;
	else if (r == -ENOENT)
		diag_add(d, description, 0, 0, NULL, "is missing; phoenix init makes one");
	else if (r < 0)
		cannot_read(description, &why, d);
	else
		config_read(description, c->description.p, c->description.len, &c->config, d);
	read_secrets(&fs, secrets, scope, c, d);
	return d->lines.n ? cluster_folder_mistakes(dir, d, f) : 0;
}
