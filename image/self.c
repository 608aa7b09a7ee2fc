/* See self.h. */
#include "image/self.h"

#include "cloud-init/seed_media.h"
#include "firstboot/data_mount.h"
#include "firstboot/paths.h"
#include "firstboot/survey.h"
#include "firstboot/turn.h"
#include "image/flash_job.h"
#include "image/self_disk.h"
#include "image/self_order.h"
#include "image/self_stage.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct self {
	const struct self_request *request;
	struct survey survey;
	struct flash_job job;
	struct self_tree tree;
	const volatile sig_atomic_t *stop; /* see stop_catch() */
	char *disk, *data; /* that the system and its data are on; data NULL: none is mounted */
};

static void self_free(struct self *s)
{
	flash_job_free(&s->job);
	self_tree_close(&s->tree);
	survey_free(&s->survey);
	free(s->disk);
	free(s->data);
}
#define _self_ _cleanup_(self_free)

static const char *node_of(const struct self *s)
{
	return s->survey.seed->config->nodes[s->survey.seed->self].name;
}

static int ask_cluster(struct self *s, struct fault *f)
{
	_json_ struct json *status = NULL;

	survey_look(&s->survey);
	status = survey_json(&s->survey);
	return turn_allowed(status, f);
}

static int find_disks(struct self *s, struct fault *f)
{
	const char *serial = s->request->serial;
	int r = self_disk_of("/", &s->disk, f);

	if (r >= 0 && !s->disk)
		r = fault_set(f, ENOTBLK, "what / is mounted from cannot be told");
	if (r >= 0)
		r = self_disk_of(DATA_MOUNT, &s->data, f);
	if (r >= 0)
		r = target_look(s->disk, &s->job.target, f);
	if (r >= 0 && serial && !str_eq(serial, s->job.target.serial))
		return fault_set(f, EINVAL, "%s has the serial number '%s', not '%s': another disk",
				 s->disk, s->job.target.serial, serial);
	return r;
}

/* The data of a running member is on a partition that is mounted: it is kept, or it goes because
 * that was said, and never for another reason. */
static int check_data(const struct self *s, struct fault *f)
{
	bool here = s->data && str_eq(s->data, s->disk);

	if (s->request->wipe && s->data && !here)
		return fault_set(f, EINVAL,
				 "--wipe: the data of %s is on another disk (%s), which is not "
				 "flashed: give --seed a seed that was written by `phoenix seed "
				 "--wipe %s`",
				 node_of(s), s->data, node_of(s));
	if (!s->request->wipe && here && !(s->job.layout.kept && s->job.owned))
		return fault_set(f, EUCLEAN,
				 "the data of %s is on %s, but in no partition named " LAYOUT_DATA
				 " with its record: it would be lost. Nothing was done",
				 node_of(s), s->disk);
	return 0;
}

static int plan(struct self *s, struct fault *f)
{
	_record_ struct data_record owner = { 0 };
	struct flash_wish w = { .owner = &owner,
				.data = flash_job_node(&s->job)->data,
				.data_is_ours = s->data && !str_eq(s->data, s->disk),
				.seed_size = s->job.seed.bytes.len,
				.wipe = s->request->wipe };
	int r = data_record_ours(s->job.seed.seed, &owner, f);

	return r < 0 ? r : flash_job_plan(&s->job, &w, f);
}

static int stage(struct self *s, struct fault *f)
{
	const struct self_request *q = s->request;
	uint64_t size = 0;
	int r = self_stage_size(q->image, &size, f);

	if (r >= 0)
		r = self_tree_open(&s->tree, size, f);
	if (r >= 0)
		r = self_stage_image(&s->tree, q->image, q->sha256, s->stop, &s->job.source, f);
	if (r >= 0)
		r = self_stage_seed(&s->tree, q->seed, s->survey.seed, &s->job.seed, f);
	if (r >= 0)
		r = plan(s, f);
	return r < 0 ? r : check_data(s, f);
}

static void show_end(const struct self *s)
{
	const struct layout *l = &s->job.layout;
	char size[32];

	units_bytes(l->data.size, size, sizeof size);
	if (l->kept)
		fprintf(stderr,
			"Everything on %s is lost, but " LAYOUT_DATA " (%s) is kept: %s comes back "
			"as the member it is.\n",
			s->disk, size, node_of(s));
	else if (s->data && !str_eq(s->data, s->disk))
		fprintf(stderr,
			"Everything on %s is lost. The data is on %s, which is left alone: %s "
			"comes back as the member it is.\n",
			s->disk, s->data, node_of(s));
	else
		fprintf(stderr,
			"Everything on %s is lost, the cluster's data on it too: %s joins as a new "
			"machine.\n",
			s->disk, node_of(s));
	if (s->job.seed.seed->wipe)
		fprintf(stderr, "Its seed lets it erase its data disk.\n");
	fprintf(stderr,
		"%s leaves the cluster meanwhile, and the two others go on. Should the power fail "
		"while the disk is\nwritten, it does not boot, on purpose: `phoenix pxe "
		"--reinstall %s` or a stick brings it back.\n",
		node_of(s), node_of(s));
}

/* The new system looks for its seed from the beginning, and takes none of two that differ. */
static void show_other_seeds(const struct self *s)
{
	_fs_ struct fs root = { .fd = -1 };
	_strv_ struct strv devices = { 0 };

	if (fs_open(&root, "/", NULL) == 0)
		seed_media_list(&root, &devices, NULL);
	strv_each (device, &devices)
		if (!self_disk_has(s->disk, device))
			fprintf(stderr,
				"%s is labelled CIDATA too: pull it out, unless it carries the "
				"very seed that is written.\n",
				device);
}

static void show(const struct self *s)
{
	const struct flash_job *j = &s->job;
	const struct target *t = &j->target;
	const struct cluster_config *c = j->seed.seed->config;
	char size[32];

	units_bytes(t->size, size, sizeof size);
	fprintf(stderr, "node   %s of cluster %s, one of three healthy voters\n", node_of(s),
		c->name);
	fprintf(stderr, "disk   %s: %s, %s, serial %s; this system runs from it\n", t->path, size,
		*t->model ? t->model : "no model name", *t->serial ? t->serial : "none");
	strv_each (line, &t->carries)
		fprintf(stderr, "       %s\n", line);
	units_bytes(j->layout.image_end, size, sizeof size);
	fprintf(stderr, "image  %s (%s), %s; SHA-256 %s, %s\n", j->source->name,
		unpack_kind(j->source->unpack), size, j->source->sha256,
		*j->source->expected ? "as published" : "compared with nothing");
	fprintf(stderr, "seed   %s, description %.12s\n",
		s->request->seed ? s->request->seed : "its own", c->digest);
	show_end(s);
	show_other_seeds(s);
}

/* Standard input may be the image. */
static int ask(const struct self *s, struct fault *f)
{
	bool piped = str_eq(s->request->image, "-");
	FILE *in = piped ? fopen("/dev/tty", "re") : stdin;
	char line[256] = "";

	if (!in)
		return fault_set(
			f, EINVAL,
			"standard input is the image and there is no terminal to ask on: --yes");
	fprintf(stderr, "Type this node's name (%s) to go on: ", node_of(s));
	if (!fgets(line, sizeof line, in))
		fputc('\n', stderr);
	if (piped)
		fclose(in);
	if (!str_eq(str_trim(line), node_of(s)))
		return fault_set(f, EINVAL, "'%s' is not this node's name: nothing was done",
				 str_trim(line));
	return 0;
}

static int write_order(struct self *s, struct fault *f)
{
	const struct flash_job *j = &s->job;
	_self_order_ struct self_order o = { .node = mem_strdup(node_of(s)),
					     .disk = mem_strdup(s->disk),
					     .size = j->target.size,
					     .table = mem_strdup(j->target.table.uuid),
					     .wipe = s->request->wipe,
					     .no_data = flash_job_node(j)->data != NULL,
					     .kept = j->layout.kept,
					     .data_start = j->layout.data.start,
					     .data_size = j->layout.data.size };
	_str_ struct str text = { 0 };

	memcpy(o.sha256, j->source->sha256, sizeof o.sha256);
	self_order_print(&o, &text);
	return fs_write(&s->tree.fs, SELF_ORDER, 0600, text.p, text.len, f);
}

/* Inhibitors are of those who sit before the machine: whoever got here was asked, or said --yes. */
static int restart(struct fault *f)
{
	const char *const argv[] = { "systemctl", "reboot", "--ignore-inhibitors", NULL };

	return proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 60000 }, NULL, f);
}

static int go(struct self *s, struct fault *f)
{
	_turn_ struct turn turn = { .stop = s->stop };
	int r = self_tree_fill(&s->tree, f);

	if (r >= 0)
		r = write_order(s, f);
	if (r >= 0)
		r = turn_take(&turn, s->survey.seed, f);
	/* the turn is ours: from here on nobody else goes whom this does not show */
	if (r >= 0)
		r = ask_cluster(s, f);
	if (r >= 0 && stop_asked())
		r = fault_set(f, EINTR, "stopped by signal %d; nothing was changed", stop_asked());
	if (r >= 0)
		r = self_tree_arm(&s->tree, f);
	if (r < 0)
		return r;
	printf("%s: goes down now, writes %s (SHA-256 %s) to %s and starts from it\n", node_of(s),
	       s->job.source->name, s->job.source->sha256, s->disk);
	fflush(stdout);
	r = restart(f);
	if (r < 0)
		return r;
	turn_keep(&turn);
	self_tree_keep(&s->tree);
	return EXIT_DONE;
}

int self_run(const struct self_request *q, struct fault *f)
{
	_self_ struct self s = { .request = q, .job = FLASH_JOB_NONE, .tree = SELF_TREE_NONE };
	int r = geteuid() == 0 ? 0 : fault_set(f, EPERM, "--self wants root: sudo phoenix flash");

	if (r < 0)
		return r;
	/* interrupted reads return: what lies in memory is to go away with this program */
	s.stop = stop_catch();
	r = survey_open(&s.survey, f);
	if (r >= 0)
		r = ask_cluster(&s, f);
	if (r >= 0)
		r = find_disks(&s, f);
	if (r >= 0)
		r = stage(&s, f);
	if (r < 0)
		return r;
	show(&s);
	if (q->plan) {
		printf("%s: would be renewed; nothing was done (--plan)\n", node_of(&s));
		return EXIT_DONE;
	}
	r = q->yes ? 0 : ask(&s, f);
	return r < 0 ? r : go(&s, f);
}
