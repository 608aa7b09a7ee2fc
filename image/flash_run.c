/* phoenix flash: shows what is on the disk, has its name typed, and does it (flash.h). */
#include "firstboot/data_mount.h"
#include "image/commands.h"
#include "image/flash_job.h"
#include "image/self.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>

const char flash_usage[] =
	"Usage: phoenix flash --image IMAGE --seed SEED [OPTION...] DEVICE\n"
	"       phoenix flash --self IMAGE [OPTION...]\n\n"
	"Writes the disk image IMAGE and one node's seed to DEVICE, reads everything back, and\n"
	"makes the disk bootable last. A partition phoenix-data that is on it is kept, so that\n"
	"the node comes back as the member it was. Refused: a disk that is in use, a partition,\n"
	"a disk that is too small. With --self a node renews its own system, in place: only\n"
	"while the cluster has three healthy voters.\n\n"
	"  --image IMAGE  a file, or - for standard input; zstd, xz or uncompressed\n"
	"  --seed SEED    what `phoenix seed` wrote for the node: OUT/NODE or OUT/NODE.img\n"
	"  --sha256 SUM   of IMAGE as published; otherwise the file IMAGE.sha256 counts, if there\n"
	"                 is one\n"
	"  --wipe         erase phoenix-data too\n"
	"  --yes          do not ask; only with --serial, or for a file\n"
	"  --serial S     the disk must have this serial number\n"
	"  --self IMAGE   on a node, as root: takes IMAGE into memory, goes down, writes the\n"
	"                 disk that the system runs from, and starts from it; --seed is not\n"
	"                 needed, --yes alone does not ask\n"
	"  --plan         with --self: looks, checks, tells, and changes nothing\n"
	"  --self-write VERB  internal: the end of --self\n";

struct request {
	const char *image, *seed, *sha256, *serial, *device, *self, *self_write;
	bool wipe, yes, plan;
};

/* The first one fills F; the others are said at once, so that one run tells all. */
static void also(struct fault *f, const struct fault *one)
{
	if (one->code && f->code)
		log_error("phoenix flash: %s", one->text);
	else if (one->code)
		*f = *one;
}

static int open_all(const struct request *q, struct flash_job *j, struct fault *f)
{
	struct fault image = { 0 }, seed = { 0 }, target = { 0 };

	target_open(q->device, &j->target, &target);
	flash_seed_read(q->seed, &j->seed, &seed);
	if (source_open(q->image, q->sha256, &j->source, &image) >= 0)
		layout_image(&j->source->table, j->source->name, &image);
	also(f, &image);
	also(f, &seed);
	also(f, &target);
	return -f->code;
}

static void show_disk(const struct target *t)
{
	char size[32];

	units_bytes(t->size, size, sizeof size);
	fprintf(stderr, "disk   %s: %s", t->path, size);
	if (t->is_file)
		fprintf(stderr, ", a file");
	else
		fprintf(stderr, ", %s, serial %s", *t->model ? t->model : "no model name",
			*t->serial ? t->serial : "none");
	fprintf(stderr, "\n");
	strv_each (line, &t->carries)
		fprintf(stderr, "       %s\n", line);
}

static void show(const struct flash_job *j)
{
	const struct cluster_config *c = j->seed.seed->config;
	const struct layout *l = &j->layout;
	char size[32];

	show_disk(&j->target);
	units_bytes(l->image_end, size, sizeof size);
	fprintf(stderr, "image  %s (%s), %s; %s%s\n", j->source->name,
		unpack_kind(j->source->unpack), size,
		*j->source->expected ? "SHA-256 is to be " : "its SHA-256 is compared with nothing",
		j->source->expected);
	fprintf(stderr, "seed   %s of cluster %s, description %.12s%s\n", flash_job_node(j)->name,
		c->name, c->digest, j->seed.seed->wipe ? "; the node may erase its data disk" : "");
	units_bytes(l->data.size, size, sizeof size);
	if (l->kept)
		fprintf(stderr, "Everything on %s is lost, but " LAYOUT_DATA " (%s) is kept.\n",
			j->target.path, size);
	else
		fprintf(stderr, "Everything on %s is lost.\n", j->target.path);
}

/* Standard input may be the image. */
static int ask(const struct request *q, const struct target *t, struct fault *f)
{
	bool piped = str_eq(q->image, "-");
	FILE *in = piped ? fopen("/dev/tty", "re") : stdin;
	char line[256] = "";

	if (!in)
		return fault_set(f, EINVAL,
				 "standard input is the image and there is no terminal to ask on: "
				 "--yes --serial S");
	fprintf(stderr, "Type the disk's name (%s) to go on: ", t->name);
	if (!fgets(line, sizeof line, in))
		fputc('\n', stderr);
	if (piped)
		fclose(in);
	if (!str_eq(str_trim(line), t->name))
		return fault_set(f, EINVAL, "'%s' is not this disk's name: nothing was done",
				 str_trim(line));
	return 0;
}

static int confirm(const struct request *q, const struct target *t, struct fault *f)
{
	if (q->serial && !*q->serial)
		return fault_set(f, EINVAL, "--serial is empty: many disks have no serial number");
	if (q->serial && t->is_file)
		return fault_set(f, EINVAL, "%s is a file and has no serial number", t->path);
	if (q->serial && !str_eq(q->serial, t->serial))
		return fault_set(f, EINVAL, "%s has the serial number '%s', not '%s': another disk",
				 t->path, t->serial, q->serial);
	if (q->yes && !q->serial && !t->is_file)
		return fault_set(f, EINVAL,
				 *t->serial ? "--yes needs --serial: %s has '%s'"
					    : "--yes needs --serial, and %s tells none%s: type its "
					      "name instead",
				 t->path, t->serial);
	return q->yes ? 0 : ask(q, t, f);
}

/* What a person holds now, when it did not go to its end. */
static void tell_half(const struct flash_job *j)
{
	log_error(
		"phoenix flash: %s does not boot now, on purpose: it is not written to its end%s. "
		"Flash it again",
		j->target.path, j->layout.kept ? "; its phoenix-data is as it was" : "");
}

static int write_disk(struct flash_job *j, struct fault *f)
{
	bool begun = false;
	int r = flash_job_write(j, NULL, NULL, &begun, f);

	if (r < 0 && begun)
		tell_half(j);
	if (r < 0)
		return r;
	printf("%s: %s, SHA-256 %s, with the seed of %s\n", j->target.path, j->source->name,
	       j->source->sha256, flash_job_node(j)->name);
	return EXIT_DONE;
}

static int flash(const struct request *q, struct flash_job *j, struct fault *f)
{
	_record_ struct data_record owner = { 0 };
	struct flash_wish w = { .owner = &owner, .wipe = q->wipe };
	int r = open_all(q, j, f);

	if (r >= 0)
		r = data_record_ours(j->seed.seed, &owner, f);
	if (r >= 0) {
		w.data = flash_job_node(j)->data;
		w.seed_size = j->seed.bytes.len;
		r = flash_job_plan(j, &w, f);
	}
	if (r >= 0)
		show(j);
	if (r >= 0)
		r = confirm(q, &j->target, f);
	return r < 0 ? r : write_disk(j, f);
}

static int flash_self(const struct request *q, bool operand, struct fault *f)
{
	const struct self_request self = { .image = q->self,
					   .seed = q->seed,
					   .sha256 = q->sha256,
					   .serial = q->serial,
					   .wipe = q->wipe,
					   .yes = q->yes,
					   .plan = q->plan };

	if (q->self_write)
		return self_exit(q->self_write, f);
	if (q->image || operand)
		return fault_set(f, EINVAL,
				 "--self IMAGE is for the disk that this system runs from: no "
				 "--image and no disk beside it; see phoenix flash --help");
	return self_run(&self, f);
}

int flash_run(int argc, char **argv, struct fault *f)
{
	struct request q = { 0 };
	const struct command_option options[] = { { "image", 0, &q.image, NULL, NULL },
						  { "seed", 0, &q.seed, NULL, NULL },
						  { "sha256", 0, &q.sha256, NULL, NULL },
						  { "wipe", 0, NULL, &q.wipe, NULL },
						  { "yes", 0, NULL, &q.yes, NULL },
						  { "serial", 0, &q.serial, NULL, NULL },
						  { "self", 0, &q.self, NULL, NULL },
						  { "plan", 0, NULL, &q.plan, NULL },
						  { "self-write", 0, &q.self_write, NULL, NULL },
						  { 0 } };
	_flash_job_ struct flash_job j = FLASH_JOB_NONE;
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (q.self || q.self_write)
		return flash_self(&q, r < argc, f);
	if (q.plan)
		return fault_set(f, EINVAL, "--plan is for --self; see phoenix flash --help");
	if (argc - r != 1 || !q.image || !q.seed)
		return fault_set(f, EINVAL,
				 "--image, --seed and one disk, please; see phoenix flash --help");
	q.device = argv[r];
	return flash(&q, &j, f);
}
