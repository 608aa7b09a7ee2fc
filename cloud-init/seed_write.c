/* phoenix seed: what each node is told, as a NoCloud folder and as an image for a stick or a
 * virtual disk. */
#include "cloud-init/commands.h"
#include "cloud-init/seed.h"
#include "cloud-init/seed_files.h"
#include "cloud-init/seed_write.h"
#include "lib/command.h"
#include "lib/proc.h"
#include "lib/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MARKER ".phoenix-seeds"
#define IMAGE_SECTORS "2048"
#define IMAGE_BYTES (2048 * 512)
#define IMAGE_SERIAL "50484f45"
/* mtools stamps everything with this instead of the clock, so that the same seed is the same image
 */
#define EPOCH "1735689600"

const char seed_usage[] =
	"Usage: phoenix seed DIR -o OUT [--node NAME]... [--wipe NODE]...\n\n"
	"Writes the seeds of the cluster in the folder DIR into the folder OUT: for each node the "
	"folder\n"
	"OUT/NODE for cloud-init's NoCloud (meta-data, user-data, network-config, "
	"phoenix-seed.yaml) and\n"
	"OUT/NODE.img, the same as a file system labelled CIDATA. The same input gives the same "
	"bytes.\n"
	"Earlier seeds in OUT are replaced; any other folder is refused. Seeds carry secrets.\n\n"
	"  -o, --output OUT  where to\n"
	"  --node NAME       only this node (may be repeated)\n"
	"  --wipe NODE       this node's seed lets it erase its data disk, whatever is on it (may "
	"be repeated)\n";

static const char marker_text[] = "seeds made by phoenix; replaced as a whole by the next run\n";

static int check_names(const struct cluster_config *c, const struct strv *names, const char *option,
		       struct fault *f)
{
	_strv_ struct strv unknown = { 0 };
	_free_ char *all = NULL;

	strv_each (name, names)
		if (config_node(c, name) < 0)
			strv_add(&unknown, name);
	if (!unknown.n)
		return 0;
	all = strv_sentence(&unknown);
	return fault_set(f, EINVAL, "%s: no node of the description: %s; allowed: %s, %s or %s",
			 option, all, c->nodes[0].name, c->nodes[1].name, c->nodes[2].name);
}

/* A word that no seed of this run would carry. */
static int check_wipe(const struct strv *only, const struct strv *wipe, struct fault *f)
{
	strv_each (name, wipe)
		if (only->n && !strv_has(only, name))
			return fault_set(f, EINVAL, "--wipe %s: its seed is not among --node",
					 name);
	return 0;
}

/* What is written must be what a node will read. */
static int check_seed(const struct seed_files *files, const struct str *description,
		      const char *node, struct fault *f)
{
	_seed_ struct seed *seed = NULL;
	_diags_ struct diags d = { 0 };

	if (seed_parse(SEED_FILE, files->seed.p, files->seed.len, &seed, &d) == 0 &&
	    str_eq(seed->description, str_text(description)))
		return 0;
	diags_print(&d);
	return fault_set(f, EIO, "the seed of %s does not read back as it was written", node);
}

static int write_image(const char *folder, const char *image, struct fault *f)
{
	_free_ char *meta = mem_printf("%s/meta-data", folder),
		    *user = mem_printf("%s/user-data", folder);
	_free_ char *net = mem_printf("%s/network-config", folder),
		    *seed = mem_printf("%s/" SEED_FILE, folder);
	const char *const env[] = { "SOURCE_DATE_EPOCH=" EPOCH, "TZ=UTC", "MTOOLSRC=/dev/null",
				    "MTOOLS_SKIP_CHECK=1", NULL };
	const char *const format[] = { "mformat",    "-i", image,    "-T", IMAGE_SECTORS,
				       "-h",	     "16", "-s",     "32", "-N",
				       IMAGE_SERIAL, "-v", "CIDATA", "::", NULL };
	const char *const copy[] = { "mcopy", "-i", image, meta, user, net, seed, "::", NULL };
	int r = proc_ok(&(struct proc){ .argv = format, .env = env }, NULL, f);

	if (r >= 0)
		r = proc_ok(&(struct proc){ .argv = copy, .env = env }, NULL, f);
	if (r == -ENOENT)
		return fault_set(f, ENOENT,
				 "mformat and mcopy are needed for the images: install mtools");
	return r;
}

/* mtools does not always say that a write failed (a full disk, a limit): what the image holds
 * counts. */
static int check_image(const char *image, const char *name, const struct str *text, struct fault *f)
{
	_free_ char *from = mem_printf("::%s", name);
	const char *const env[] = { "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", NULL };
	const char *const argv[] = { "mcopy", "-i", image, from, "-", NULL };
	_secret_ struct str out = { 0 };

	if (proc_ok(&(struct proc){ .argv = argv, .env = env }, &out, f) == 0 &&
	    out.len == text->len && !memcmp(str_text(&out), str_text(text), text->len))
		return 0;
	return fault_set(
		f, EIO, "the image does not hold %s as it was written: no room left for it?", name);
}

/* The empty image, of its full size: from here on nothing has to make it longer. */
static int begin_image(const struct fs *fs, const char *name, struct fault *f)
{
	/* 0600 from its first byte: mformat would follow the umask */
	int r = fs_write(fs, name, 0600, "", 0, f);
	_fd_ int fd = r < 0 ? r : fs_openat(fs, name, O_WRONLY, 0, f);

	if (fd < 0)
		return fd;
	return ftruncate(fd, IMAGE_BYTES) < 0 ? fault_errno(f, "%s", name) : 0;
}

/* The other files are durable when they are written; mtools leaves that to us. */
static int end_image(const struct fs *fs, const char *image, const char *name,
		     const struct seed_files *files, struct fault *f)
{
	_fd_ int fd = fs_openat(fs, name, O_RDONLY, 0, f);
	int r;

	if (fd < 0)
		return fd;
	if (fsync(fd) < 0)
		return fault_errno(f, "%s", name);
	r = check_image(image, "meta-data", &files->meta_data, f);
	if (r >= 0)
		r = check_image(image, "user-data", &files->user_data, f);
	if (r >= 0)
		r = check_image(image, "network-config", &files->network_config, f);
	if (r >= 0)
		r = check_image(image, SEED_FILE, &files->seed, f);
	return r < 0 ? fault_wrap(f, "%s", name) : 0;
}

static int write_file(const struct fs *fs, const char *node, const char *name, mode_t mode,
		      const struct str *text, struct fault *f)
{
	_free_ char *path = mem_printf("%s/%s", node, name);

	return fs_write(fs, path, mode, text->p, text->len, f);
}

static int write_node(const struct staging *st, const struct cluster_folder *c, int i, bool wipe,
		      struct fault *f)
{
	const char *node = c->config->nodes[i].name;
	_free_ char *folder = mem_printf("%s/%s", st->temporary, node);
	_free_ char *image = mem_printf("%s/%s.img", st->temporary, node),
		    *image_name = mem_printf("%s.img", node);
	_seed_files_ struct seed_files files = { 0 };
	int r;

	seed_files_make(c->config, &c->description, c->secrets, i, wipe, &files);
	r = check_seed(&files, &c->description, node, f);
	if (r >= 0)
		r = begin_image(&st->fs, image_name, f);
	if (r >= 0)
		r = fs_mkdirs(&st->fs, node, 0700, f);
	if (r >= 0)
		r = write_file(&st->fs, node, "meta-data", 0644, &files.meta_data, f);
	if (r >= 0)
		r = write_file(&st->fs, node, "user-data", 0600, &files.user_data, f);
	if (r >= 0)
		r = write_file(&st->fs, node, "network-config", 0644, &files.network_config, f);
	if (r >= 0)
		r = write_file(&st->fs, node, SEED_FILE, 0600, &files.seed, f);
	if (r >= 0)
		r = write_image(folder, image, f);
	return r < 0 ? r : end_image(&st->fs, image, image_name, &files, f);
}

/* What in the folder NODE, or beside it, this command did not make; NULL = nothing. */
static char *foreign_in(const struct fs *fs, const struct strv *names, const char *name)
{
	_free_ char *image = mem_printf("%s.img", name), *node = NULL;
	_strv_ struct strv inside = { 0 };

	if (str_eq(name, MARKER))
		return NULL;
	if (str_ends(name, ".img")) {
		node = mem_strndup(name, strlen(name) - 4);
		return strv_has(names, node) ? NULL : mem_strdup(name);
	}
	if (!strv_has(names, image) || fs_list(fs, name, &inside, NULL) < 0)
		return mem_strdup(name);
	strv_each (file, &inside)
		if (!str_eq(file, "meta-data") && !str_eq(file, "user-data") &&
		    !str_eq(file, "network-config") && !str_eq(file, SEED_FILE))
			return mem_printf("%s/%s", name, file);
	return NULL;
}

/* Only what this command made may go away. */
static int check_ours(const char *out, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_strv_ struct strv names = { 0 };
	int r = fs_open(&fs, out, f);

	if (r == -ENOENT) {
		fault_clear(f);
		return 0;
	}
	if (r == 0)
		r = fs_list(&fs, "/", &names, f);
	if (r < 0)
		return r;
	if (names.n && !strv_has(&names, MARKER))
		return fault_set(f, EINVAL, "%s holds something else than seeds; name a new folder",
				 out);
	strv_each (name, &names) {
		_free_ char *foreign = foreign_in(&fs, &names, name);

		if (foreign)
			return fault_set(f, EINVAL,
					 "%s holds %s, which phoenix seed did not make: move it "
					 "elsewhere, or name a new folder",
					 out, foreign);
	}
	return 0;
}

int seed_write_all(const struct cluster_folder *c, const char *out, const struct strv *only,
		   const struct strv *wipe, struct fault *f)
{
	_staging_ struct staging st = { .fs.fd = -1 };
	int r = check_ours(out, f);

	if (r >= 0)
		r = staging_begin(&st, out, f);
	if (r >= 0)
		r = fs_write_text(&st.fs, MARKER, 0600, marker_text, f);
	for (int i = 0; r >= 0 && i < NODE_COUNT; i++) {
		const char *name = c->config->nodes[i].name;

		if (!only->n || strv_has(only, name))
			r = write_node(&st, c, i, strv_has(wipe, name), f);
	}
	return r < 0 ? r : staging_commit(&st, true, f);
}

int seed_run(int argc, char **argv, struct fault *f)
{
	_strv_ struct strv only = { 0 }, wipe = { 0 };
	const char *out = NULL;
	const struct command_option options[] = { { "output", 'o', &out, NULL, NULL },
						  { "node", 0, NULL, NULL, &only },
						  { "wipe", 0, NULL, NULL, &wipe },
						  { 0 } };
	_folder_ struct cluster_folder c = { 0 };
	_diags_ struct diags d = { 0 };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (argc - r != 1 || !out)
		return fault_set(f, EINVAL,
				 "one folder and -o OUT, please; see phoenix seed --help");
	if (cluster_folder_read(argv[r], SECRETS_CLUSTER, &c, &d, f) < 0 ||
	    check_names(c.config, &only, "--node", f) < 0 ||
	    check_names(c.config, &wipe, "--wipe", f) < 0 || check_wipe(&only, &wipe, f) < 0)
		return -f->code;
	r = seed_write_all(&c, out, &only, &wipe, f);
	if (r < 0)
		return r;
	printf("%s: seeds of cluster %s, description %.12s%s\n", out, c.config->name,
	       c.config->digest, wipe.n ? "; data disks may be erased" : "");
	return EXIT_DONE;
}
