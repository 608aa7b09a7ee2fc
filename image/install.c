/* phoenix install: what a machine does that `phoenix pxe` booted. Everything that can be found wrong
 * is found before the seed is asked for, which is given out once. */
#include "image/install.h"

#include "image/commands.h"
#include "image/depot.h"
#include "image/flash_job.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <unistd.h>

#define DISK_LATE_MS 60000
#define CMDLINE_MAX 8192
#define SEED_FOLDER_HERE "/run/phoenix-install"

const char install_usage[] =
	"Usage: phoenix install [--server URL --pin PIN --token TOKEN]\n\n"
	"Writes the image and this machine's seed to its disk, as the server says that booted it "
	"(`phoenix pxe`).\n"
	"Started by the initial RAM disk; by hand only after an error.\n\n"
	"  --server URL   where to ask; default: " ORDER_SERVER "= on the kernel command line\n"
	"  --pin PIN      hash of the server's key; default: " ORDER_PIN "=\n"
	"  --token TOKEN  default: " ORDER_TOKEN "=\n";

/* The value of NAME= among the words of TEXT; the caller's, NULL: it is not there. */
static char *word_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += len)
		if ((p == text || p[-1] == ' ') && p[len] == '=')
			return mem_strndup(p + len + 1, strcspn(p + len + 1, " \n"));
	return NULL;
}

static int default_to(const char **value, char **owned, const char *cmdline, const char *name,
		      struct fault *f)
{
	if (*value)
		return 0;
	*value = *owned = word_of(cmdline, name);
	if (!*value)
		return fault_set(f, EINVAL,
				 "this machine was not booted by `phoenix pxe`: no %s= on the "
				 "kernel command line",
				 name);
	return 0;
}

/* Disks are found one after another while the machine boots. */
static int open_disk(const struct order *o, struct target *t, struct fault *f)
{
	_free_ char *only = NULL;
	int r;

	while (!o->disk && (r = install_only_disk(&only, f)) == -EAGAIN &&
	       timer_now() < DISK_LATE_MS)
		timer_sleep(1000);
	if (!o->disk && !only)
		return -f->code;
	while (o->disk && access(o->disk, F_OK) < 0 && timer_now() < DISK_LATE_MS)
		timer_sleep(1000);
	return target_open(o->disk ? o->disk : only, t, f);
}

/* Into memory only: /run is, in the initial RAM disk as everywhere. */
static int fetch_seed(const struct depot *d, const struct order *o, struct flash_seed *ret,
		      struct fault *f)
{
	_free_ char *path = mem_printf(SEED_FOLDER_HERE "/%s.img", o->node);
	_fs_ struct fs fs = { .fd = -1 };
	_secret_ struct str bytes = { 0 };
	int r = depot_seed(d, o->seed_sha256, &bytes, f);

	if (r >= 0)
		r = fs_open(&fs, "/", f);
	if (r >= 0)
		r = fs_mkdirs(&fs, SEED_FOLDER_HERE, 0700, f);
	if (r >= 0)
		r = fs_write(&fs, path, 0600, bytes.p, bytes.len, f);
	if (r >= 0)
		r = flash_seed_read(path, ret, f);
	if (fs.fd >= 0)
		fs_shred(&fs, path, NULL);
	return r < 0 ? r : 0;
}

/* What must not be written over without a word of a person. */
static int allowed(const struct flash_job *j, const struct order *o, struct fault *f)
{
	if (!str_eq(flash_job_node(j)->name, o->node))
		return fault_set(f, EPROTO, "the seed is that of %s, the order that of %s",
				 flash_job_node(j)->name, o->node);
	if (j->owned && !o->reinstall && !o->wipe)
		return fault_set(f, EPERM,
				 "%s carries the cluster data of %s: `phoenix pxe --reinstall %s` "
				 "renews the system and keeps them",
				 j->target.path, o->node, o->node);
	return 0;
}

static void tell(void *user, enum flash_phase phase, unsigned percent)
{
	static const char *const names[] = {
		[FLASH_WRITE] = "writing", [FLASH_VERIFY] = "reading back"
	};

	if (percent % 10 == 0)
		depot_tell(user, names[phase], percent, NULL);
}

static int install(const struct depot *d, struct flash_job *j, const struct order *o, bool *begun,
		   struct fault *f)
{
	int r = open_disk(o, &j->target, f);

	if (r >= 0)
		r = depot_image(d, o, &j->source, f);
	if (r >= 0)
		r = layout_image(&j->source->table, j->source->name, f);
	if (r >= 0)
		r = fetch_seed(d, o, &j->seed, f);
	if (r >= 0)
		r = flash_job_plan(j, o->wipe, f);
	if (r >= 0)
		r = allowed(j, o, f);
	if (r < 0)
		return r;
	log_info("writes %s for %s", j->target.path, o->node);
	return flash_job_write(j, tell, (void *)d, begun, f);
}

static int run(const struct depot *d, struct fault *f)
{
	_flash_job_ struct flash_job j = FLASH_JOB_NONE;
	_order_ struct order o = { 0 };
	bool begun = false;
	int r = depot_order(d, &o, f);

	if (r < 0)
		return r;
	r = install(d, &j, &o, &begun, f);
	if (r >= 0) {
		depot_tell(d, "done", 100, NULL);
		log_info("%s is written, with the seed of %s", j.target.path, o.node);
		return EXIT_DONE;
	}
	if (begun)
		fault_wrap(f, "%s does not boot now, on purpose", j.target.path);
	depot_tell(d, NULL, 0, f->text);
	return -f->code;
}

int install_run(int argc, char **argv, struct fault *f)
{
	struct depot d = { 0 };
	const struct command_option options[] = { { "server", 0, &d.url, NULL, NULL },
						  { "pin", 0, &d.pin, NULL, NULL },
						  { "token", 0, &d.token, NULL, NULL },
						  { 0 } };
	_free_ char *url = NULL, *pin = NULL, *token = NULL;
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str cmdline = { 0 };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (argc != r)
		return fault_set(f, EINVAL, "no operand, please; see phoenix install --help");
	if (fs_open(&fs, "/", f) < 0 || fs_read(&fs, "/proc/cmdline", CMDLINE_MAX, &cmdline, f) < 0)
		return -f->code;
	if (default_to(&d.url, &url, str_text(&cmdline), ORDER_SERVER, f) < 0 ||
	    default_to(&d.pin, &pin, str_text(&cmdline), ORDER_PIN, f) < 0 ||
	    default_to(&d.token, &token, str_text(&cmdline), ORDER_TOKEN, f) < 0)
		return -f->code;
	return run(&d, f);
}
