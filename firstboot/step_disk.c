/* The data partition: found by its label or by the description, formatted when it carries nothing
 * at all, marked as ours, mounted where K3s writes. Everything that decides whether this node is
 * blank, a member or somebody else's is on it; so what is not understood is refused, never
 * formatted over. `wipe: true` in the seed is the operator's word to do it, once for each seed: it
 * is recorded on the new file system and on the system disk. */
#include "firstboot/data_disk.h"
#include "firstboot/data_mount.h"
#include "firstboot/paths.h"
#include "firstboot/steps.h"
#include "lib/proc.h"

#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

#define LOOK RUN_DIR "/data"	   /* where a file system is read before it is trusted */
#define WIPED PHOENIX_DIR "/wiped" /* the seed whose wipe was carried out from this root */
#define MKFS_LIMIT (20 * 60 * 1000)

/* Did this root already carry out this seed's wipe? Counts even when the disk cannot be read. */
static bool wiped_from_here(const struct boot *b)
{
	_str_ struct str text = { 0 };

	return fs_read(&b->fs, WIPED, 256, &text, NULL) == 0 && text.len &&
	       str_eq(str_trim(text.p), b->seed->sha256);
}

static bool wipe_pending(const struct boot *b, const struct data_record *rec)
{
	return b->seed->wipe && !wiped_from_here(b) && !str_eq(rec->wiped_by, b->seed->sha256);
}

static int refuse(const struct data_disk *d, struct fault *f)
{
	return fault_set(f, EEXIST,
			 "%s carries %s: nothing is formatted over it. If it may go: wipefs -a %s, "
			 "or wipe: true in the seed",
			 d->device, d->what, d->device);
}

/* Nothing is mounted yet: what would be done? */
static int plan(struct boot *b, struct fault *f)
{
	_disk_ struct data_disk d = { 0 };
	int r = data_disk_find(b, &d, f);

	if (r < 0)
		return r;
	if (d.foreign && (!b->seed->wipe || wiped_from_here(b)))
		return refuse(&d, f);
	if (d.foreign)
		return step_needed(b, "%s carries %s and is to be erased (wipe: true)", d.device,
				   d.what);
	if (!d.formatted)
		return step_needed(b, "%s is blank: will be formatted", d.device);
	return step_needed(b, "%s is to be mounted at " DATA_MOUNT, d.device);
}

int step_disk_check(struct boot *b, struct fault *f)
{
	_mount_ struct mount m = { 0 };
	_record_ struct data_record rec = { 0 };
	int r = data_mount_look(&m, f);

	if (r <= 0)
		return r < 0 ? r : plan(b, f);
	r = data_record_read(&b->fs, DATA_MOUNT, &rec, f);
	if (r < 0)
		return fault_wrap(f, "%s", m.source);
	if (r == 0)
		return step_needed(b, "%s is to be marked as ours", m.source);
	if (wipe_pending(b, &rec))
		return fault_set(
			f, EBUSY,
			"the seed says wipe: true, but %s is mounted already: restart the machine",
			m.source);
	r = data_record_is_ours(b->seed, &rec, m.source, f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(data_binds); i++) {
		r = data_bind_look(&m, i, f);
		if (r == 0)
			return step_needed(b, "%s is not on the data partition",
					   data_binds[i].point);
	}
	return r < 0 ? r : STEP_DONE;
}

/* Signatures go first and together, so that a crash in the middle leaves a blank disk, which the
 * next boot formats: never half of an old one. mkfs writes the superblock last. */
static int format(const struct data_disk *d, struct fault *f)
{
	const char *const argv[] = {
		"mkfs.ext4", "-q",	 "-F",
		"-L",	     DATA_LABEL, "-m",
		"0",	     "-E",	 "lazy_itable_init=1,lazy_journal_init=1",
		d->device,   NULL
	};
	_free_ char *used = mount_of(d->number);
	int r;

	if (used)
		return fault_set(f, EBUSY, "%s is mounted at %s: not formatted", d->device, used);
	r = d->foreign || d->formatted ? proc_do(f, "wipefs", "--all", "--quiet", d->device, NULL)
				       : 0;
	if (r < 0)
		return r;
	return proc_ok(&(struct proc){ .argv = argv, .timeout_ms = MKFS_LIMIT }, NULL, f);
}

/* Reads the record with the file system mounted apart and read-only. As data_record_read. OPTIONS
 * "noload" leaves even the journal alone. */
static int peek(struct boot *b, const struct data_disk *d, const char *options,
		struct data_record *rec, struct fault *f)
{
	int r = fs_mkdirs(&b->fs, LOOK, 0700, f);

	if (r < 0)
		return r;
	umount2(LOOK,
		MNT_DETACH); /* left by a run that was killed: it would keep the disk read-only */
	if (mount(d->device, LOOK, "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, options) <
	    0)
		return fault_errno(f, "mount %s", d->device);
	r = data_record_read(&b->fs, LOOK, rec, f);
	if (umount2(LOOK, 0) < 0 && r >= 0)
		return fault_errno(f, "unmount %s", d->device);
	return r < 0 ? fault_wrap(f, "%s", d->device) : r;
}

/* e2fsck mends what can be mended without a question: a journal, counts. 0 and 1 are its good
 * ends; without the program the mount itself judges. */
static int mend(const struct data_disk *d, struct fault *f)
{
	const char *const argv[] = { "e2fsck", "-p", d->device, NULL };
	_proc_ struct proc_result res = { 0 };
	int r = proc_run(&(struct proc){ .argv = argv, .timeout_ms = MKFS_LIMIT }, &res, f);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (res.status > 1)
		return fault_set(f, EUCLEAN,
				 "the file system of %s is damaged: e2fsck %s by hand, or another "
				 "disk (e2fsck -p ended with %d)",
				 d->device, d->device, res.status);
	return 0;
}

/* Somebody else's disk is recognised before anything is written to it, be it only by mending. */
static int is_foreign(struct boot *b, const struct data_disk *d, struct fault *f)
{
	_record_ struct data_record rec = { 0 };

	if (peek(b, d, "noload", &rec, NULL) != 1 || wipe_pending(b, &rec))
		return 0;
	return data_record_is_ours(b->seed, &rec, d->device, f);
}

/* 1: to be formatted, by evidence or by word. 0: to be mounted as it is. */
static int judge(struct boot *b, const struct data_disk *d, struct fault *f)
{
	_record_ struct data_record rec = { 0 };
	int r;

	if (!d->formatted && !d->foreign)
		return 1;
	if (d->foreign)
		return b->seed->wipe && !wiped_from_here(b) ? 1 : refuse(d, f);
	r = is_foreign(b, d, f);
	if (r < 0)
		return r;
	r = mend(d, f);
	if (r >= 0)
		r = peek(b, d, NULL, &rec, f);
	if (wipe_pending(b, &rec))
		return 1;
	if (r <= 0)
		return r;
	return data_record_is_ours(b->seed, &rec, d->device, f);
}

static int mount_data(struct boot *b, struct fault *f)
{
	_disk_ struct data_disk d = { 0 };
	int r = data_disk_find(b, &d, f);

	if (r >= 0)
		r = judge(b, &d, f);
	if (r > 0)
		r = format(&d, f);
	if (r >= 0)
		r = fs_mkdirs(&b->fs, DATA_MOUNT, 0755, f);
	if (r < 0)
		return r;
	if (mount(d.device, DATA_MOUNT, "ext4", MS_NOATIME, "errors=remount-ro") < 0)
		return fault_errno(f, "mount %s at " DATA_MOUNT, d.device);
	return 0;
}

/* A file system without a record holds nothing (data_record_read): just formatted, or a crash came
 * between. Under a seed that says wipe it counts as that wipe. */
static int claim(struct boot *b, struct fault *f)
{
	_free_ char *done = mem_printf("%s\n", b->seed->sha256);
	_record_ struct data_record rec = { 0 }, own = { 0 };
	int r = data_record_read(&b->fs, DATA_MOUNT, &rec, f);

	if (r < 0)
		return r;
	if (r == 0) {
		r = data_record_ours(b->seed, &own, f);
		if (r >= 0 && b->seed->wipe)
			memcpy(own.wiped_by, b->seed->sha256, sizeof own.wiped_by);
		if (r >= 0)
			r = data_record_write(&b->fs, DATA_MOUNT, &own, f);
	}
	if (r >= 0 && b->seed->wipe)
		r = fs_write_text(&b->fs, WIPED, 0600, done, f);
	return r < 0 ? r : 0;
}

static int bind_one(struct boot *b, const struct data_bind *bind, struct fault *f)
{
	_free_ char *from = mem_printf(DATA_MOUNT "%s", bind->folder);
	int r = fs_mkdirs(&b->fs, from, bind->mode, f);

	if (r >= 0)
		r = fs_mkdirs(&b->fs, bind->point, bind->mode, f);
	if (r < 0)
		return r;
	if (mount(from, bind->point, NULL, MS_BIND, NULL) < 0)
		return fault_errno(f, "mount %s at %s", from, bind->point);
	return 0;
}

int step_disk_apply(struct boot *b, struct fault *f)
{
	_mount_ struct mount m = { 0 };
	int r = data_mount_look(&m, f);

	if (r == 0) {
		r = mount_data(b, f);
		if (r >= 0)
			r = data_mount_look(&m, f);
	}
	if (r >= 0)
		r = claim(b, f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(data_binds); i++) {
		r = data_bind_look(&m, i, f);
		if (r == 0)
			r = bind_one(b, &data_binds[i], f);
	}
	return r < 0 ? r : 0;
}
