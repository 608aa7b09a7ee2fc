/* phoenix install: what a machine does that `phoenix pxe` booted. Everything that can be found wrong
 * is found before the seed is asked for, which is given out once. */
#include "image/install.h"

#include "firstboot/data_mount.h"
#include "image/commands.h"
#include "image/depot.h"
#include "image/flash_job.h"
#include "image/teller.h"
#include "lib/command.h"
#include "lib/log.h"

#include <errno.h>

#define CMDLINE_MAX 8192
/* A server that ended, or a cable, may come back; a person is waiting, and the machine starts again. */
#define DONE_PATIENCE_MS 120000
#define ERROR_PATIENCE_MS 15000

const char install_usage[] =
	"Usage: phoenix install [--server URL --pin PIN --token TOKEN]\n\n"
	"Writes the image and this machine's seed to its disk, as the server says that booted it\n"
	"(`phoenix pxe`). Started by the initial RAM disk; by hand only after an error.\n\n"
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

static int open_disk(const struct order *o, struct target *t, struct fault *f)
{
	_free_ char *only = NULL;
	int r = 0;

	if (o->disk)
		install_wait_for(o->disk);
	else
		r = install_only_disk(&only, f);
	return r < 0 ? r : target_open(o->disk ? o->disk : only, t, f);
}

/* What must not be written over without a word of a person; the words are the server's. */
static int advise(const struct order *o, struct fault *f)
{
	struct fault why = *f;
	bool theirs = why.code == EPERM || why.code == ENODATA || why.code == EEXIST;

	if (o->wipe || (!theirs && !strstr(why.text, "--wipe")))
		return -why.code;
	return fault_set(f, why.code,
			 "%s. Over the network: `phoenix pxe --wipe %s` in a running cluster, "
			 "`--erase %s` before there is one",
			 why.text, o->node, o->node);
}

static int plan(struct flash_job *j, const struct order *o, bool data_is_ours, struct fault *f)
{
	struct data_record owner = { .cluster = o->cluster, .node = o->node };
	const struct flash_wish w = { .owner = &owner,
				      .data = o->data,
				      .data_is_ours = data_is_ours,
				      .seed_size = o->seed_size,
				      .wipe = o->wipe };

	memcpy(owner.exchange_ca, o->exchange_ca, sizeof owner.exchange_ca);
	return flash_job_plan(j, &w, f) < 0 ? advise(o, f) : 0;
}

/* Everything but the seed. *LEAVE: nothing is wrong with the disk, it is only not to be written. */
static int prepare(const struct depot *d, struct flash_job *j, const struct order *o, bool *leave,
		   struct fault *f)
{
	bool data_is_ours = false;
	int r = open_disk(o, &j->target, f);

	if (r >= 0 && o->data) {
		r = install_data_disk(o, &j->target, f);
		data_is_ours = r > 0;
		r = r < 0 ? advise(o, f) : 0;
	}
	if (r >= 0)
		r = depot_image(d, o, &j->source, f);
	if (r >= 0)
		r = layout_image(&j->source->table, j->source->name, f);
	if (r >= 0)
		r = plan(j, o, data_is_ours, f);
	if (r < 0 || o->reinstall || o->wipe || (!j->owned && !data_is_ours))
		return r;
	*leave = true;
	return fault_set(f, EPERM,
			 "%s carries the cluster data of %s: `phoenix pxe --reinstall %s` renews "
			 "the system and keeps them",
			 j->owned ? j->target.path : o->data, o->node, o->node);
}

/* Into memory only. It must be what the disk was looked at for. */
static int fetch_seed(const struct depot *d, const struct order *o, struct flash_seed *ret,
		      struct fault *f)
{
	_secret_ struct str bytes = { 0 };
	_record_ struct data_record owner = { 0 };
	const struct seed *s;
	int r = depot_seed(d, o->seed_sha256, &bytes, f);

	if (r >= 0)
		r = flash_seed_of("the seed that the server gave", &bytes, ret, f);
	if (r >= 0)
		r = data_record_ours(ret->seed, &owner, f);
	if (r < 0)
		return r;
	s = ret->seed;
	if (!str_eq(owner.node, o->node) || !str_eq(owner.exchange_ca, o->exchange_ca) ||
	    !str_eq(s->config->nodes[s->self].data, o->data) || ret->bytes.len != o->seed_size)
		return fault_set(f, EPROTO, "the seed is that of %s of '%s', the order that of %s",
				 owner.node, owner.cluster, o->node);
	return 0;
}

static void tell(void *user, enum flash_phase phase, unsigned percent)
{
	static const char *const names[] = {
		[FLASH_WRITE] = "writing", [FLASH_VERIFY] = "reading back"
	};

	teller_step(user, names[phase], percent);
}

static int write_disk(const struct depot *d, struct flash_job *j, bool *begun, struct fault *f)
{
	_teller_ struct teller *teller = teller_new(d);

	return flash_job_write(j, tell, teller, begun, f);
}

static int done(const struct depot *d, const struct flash_job *j, struct fault *f)
{
	log_info("%s is written, with the seed of %s", j->target.path, flash_job_node(j)->name);
	if (depot_end(d, NULL, false, DONE_PATIENCE_MS, f) < 0)
		log_warn("the server was not told: %s. This machine is done nevertheless and "
			 "boots from its disk; if it is booted into the installer again, end "
			 "`phoenix pxe`",
			 f->text);
	return EXIT_DONE;
}

static int run(const struct depot *d, struct fault *f)
{
	_flash_job_ struct flash_job j = FLASH_JOB_NONE;
	_order_ struct order o = { 0 };
	bool begun = false, leave = false;
	int r = depot_order(d, &o, f);

	if (r < 0)
		return r;
	r = prepare(d, &j, &o, &leave, f);
	if (r >= 0)
		r = fetch_seed(d, &o, &j.seed, f);
	if (r >= 0) {
		log_info("writes %s for %s", j.target.path, o.node);
		r = write_disk(d, &j, &begun, f);
	}
	if (r >= 0)
		return done(d, &j, f);
	if (begun)
		fault_wrap(f, "%s does not boot now, on purpose", j.target.path);
	depot_end(d, f->text, leave, ERROR_PATIENCE_MS, NULL);
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
