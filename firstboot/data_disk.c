/* See data_disk.h. */
#include "firstboot/data_disk.h"

#include "firstboot/paths.h"
#include "firstboot/rules.h"
#include "lib/blkid.h"
#include "lib/timer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* Buses are scanned while the machine boots: a disk may be late by this much, not by more. */
#define LATE 60000

/* An image or an operator that makes a partition for us and leaves it empty names it so. */
#define NAMED_PARTITION "/dev/disk/by-partlabel/" DATA_LABEL

void data_disk_free(struct data_disk *d)
{
	free(d->device);
	*d = (struct data_disk){ 0 };
}

static bool device_number(const char *path, dev_t *ret)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	*ret = st.st_rdev;
	return true;
}

/* Is PART the disk WHOLE, or a partition of it? By the kernel's numbers: names lie. */
static bool is_on(const struct fs *fs, dev_t part, dev_t whole)
{
	_free_ char *path = mem_printf("/sys/dev/block/%u:%u/../dev", major(part), minor(part));
	_str_ struct str text = { 0 };
	unsigned maj, min;

	if (part == whole)
		return true;
	return fs_read(fs, path, 64, &text, NULL) == 0 &&
	       sscanf(str_text(&text), "%u:%u", &maj, &min) == 2 && makedev(maj, min) == whole;
}

static void describe(const struct blkid_found *found, char out[200])
{
	if (found->ambivalent)
		snprintf(out, 200, "several contradicting signatures");
	else if (*found->type)
		snprintf(out, 200, "%s%s%s%s", found->type, *found->label ? " (label " : "",
			 found->label, *found->label ? ")" : "");
	else if (*found->pttype)
		snprintf(out, 200, "a partition table (%s)", found->pttype);
	else
		snprintf(out, 200, "a signature");
}

/* What PATH carries. */
static int look(const char *path, struct data_disk *d, struct fault *f)
{
	struct blkid_found found;
	char real[PATH_MAX];
	int r;

	if (!realpath(path, real) || !device_number(real, &d->number))
		return fault_set(f, ENOTBLK, "%s is no block device", path);
	r = blkid_probe_device(real, &found, f);
	if (r < 0)
		return r;
	d->formatted =
		str_eq(found.type, "ext4") && str_eq(found.label, DATA_LABEL) && !found.ambivalent;
	d->foreign = !d->formatted && found.any && RULE(RULE_FOREIGN_DISK);
	if (found.any)
		describe(&found, d->what);
	d->device = mem_strdup(real);
	return 0;
}

/* With a `data:` disk the label counts only there. Elsewhere it is an old disk that somebody must
 * look at, unless the described one carries it too. */
static int find_described(struct boot *b, const struct strv *labelled, struct data_disk *ret,
			  struct fault *f)
{
	const char *data = boot_node(b)->data, *here = NULL, *elsewhere = NULL;
	dev_t whole, part;

	if (!device_number(data, &whole))
		return timer_now() < LATE
			       ? fault_set(f, EAGAIN, "waiting for the disk %s", data)
			       : fault_set(f, ENODEV,
					   "the description's data: disk %s is not in this machine",
					   data);
	strv_each (path, labelled) {
		bool on = device_number(path, &part) && is_on(&b->fs, part, whole);

		if (on && here)
			return fault_set(f, ENOTUNIQ,
					 "%s and %s, both on %s, have the label " DATA_LABEL
					 ": remove one of them",
					 here, path, data);
		if (on)
			here = path;
		else
			elsewhere = path;
	}
	if (here && elsewhere)
		step_note(b, "%s has the label " DATA_LABEL " too and is left alone", elsewhere);
	if (elsewhere && !here && !b->seed->wipe)
		return fault_set(f, ENOTUNIQ,
				 "%s has the label " DATA_LABEL
				 ", but the description says data: %s, which has not: remove the "
				 "old disk, or correct data:",
				 elsewhere, data);
	return look(here ? here : data, ret, f);
}

static int find_labelled(const struct strv *labelled, struct data_disk *ret, struct fault *f)
{
	dev_t number;

	if (labelled->n > 1) {
		_free_ char *all = strv_sentence(labelled);

		return fault_set(f, ENOTUNIQ,
				 "%s have the label " DATA_LABEL
				 ": is an old disk back? Remove it, or name the right one in the "
				 "description (data:)",
				 all);
	}
	if (labelled->n == 1)
		return look(labelled->v[0], ret, f);
	if (device_number(NAMED_PARTITION, &number))
		return look(NAMED_PARTITION, ret, f);
	if (timer_now() < LATE)
		return fault_set(f, EAGAIN, "waiting for a disk with the label " DATA_LABEL);
	return fault_set(f, ENODEV,
			 "no file system has the label " DATA_LABEL
			 ", no partition has that name, and the description has no data: disk for "
			 "this node");
}

/* A path of a multipath device, a member of a RAID: what stands on it shows the same label and is
 * the one to use. */
static bool is_held(const struct fs *fs, const char *device)
{
	_strv_ struct strv holders = { 0 };
	dev_t n;

	if (!device_number(device, &n))
		return false;
	_free_ char *path = mem_printf("/sys/dev/block/%u:%u/holders", major(n), minor(n));

	return fs_list(fs, path, &holders, NULL) == 0 && holders.n > 0;
}

int data_disk_find(struct boot *b, struct data_disk *ret, struct fault *f)
{
	_disk_ struct data_disk d = { 0 };
	_strv_ struct strv all = { 0 }, labelled = { 0 };
	int r = blkid_find_label((const char *const[]){ DATA_LABEL, NULL }, &all, f);

	strv_each (path, &all)
		if (!is_held(&b->fs, path))
			strv_add(&labelled, path);
	if (r >= 0)
		r = boot_node(b)->data ? find_described(b, &labelled, &d, f)
				       : find_labelled(&labelled, &d, f);
	if (r < 0)
		return r;
	*ret = d;
	d.device = NULL;
	return 0;
}
