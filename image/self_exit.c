/* The last program of a node that renews itself: all others have ended, the disks were released, and
 * what is left of the system is in memory. It is the first process, so it must not end or crash:
 * each try is a process of its own.
 *
 *	nothing begun and it fails -> the machine starts as it was
 *	begun and it fails         -> again, a few times: the image is still here. Then it stays and
 *	                              says so, since what is on the disk does not boot
 */
#include "image/self.h"

#include "firstboot/mounts.h"
#include "image/flash_job.h"
#include "image/self_order.h"
#include "image/self_tree.h"
#include "image/self_watchdog.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD_ROOT "/oldroot"
#define TRIES 3
#define PAUSE_S 3
#define SEED_IMAGE_MAX (64U << 20)

/* On each console that the machine has: the one who stands before it cannot know which is the last
 * of the kernel command line. */
static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	_fd_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	_str_ struct str line = { 0 };
	va_list ap;

	str_add(&line, "<3>phoenix flash --self: ");
	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	if (fd < 0 || write(fd, line.p, line.len) < 0)
		log_error("%s", line.p + strlen("<3>"));
}

/* Of the kernel's own making: no disk is behind it, and whoever still has it open does no harm. */
static bool is_virtual(const char *point)
{
	_mount_ struct mount m = { 0 };

	return mount_at(point, &m, NULL) > 0 && major(m.device) == 0;
}

/* What systemd could not unmount because its own program was there. What is left after this shows
 * when the disk is opened. */
static void release_old_root(void)
{
	_strv_ struct strv points = { 0 };

	mount_below(OLD_ROOT, &points, NULL);
	for (size_t i = points.n; i > 0; i--) {
		const char *point = points.v[i - 1];

		if (umount2(point, 0) < 0 && is_virtual(point))
			umount2(point, MNT_DETACH);
	}
}

static int read_files(struct self_order *o, struct str *seed, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	_str_ struct str text = { 0 };
	int r = fs_open(&root, "/", f);

	if (r >= 0)
		r = fs_read(&root, SELF_ORDER, 65536, &text, f);
	if (r >= 0)
		r = self_order_parse(str_text(&text), text.len, o, f);
	if (r >= 0)
		r = fs_read(&root, SELF_SEED, SEED_IMAGE_MAX, seed, f);
	return r;
}

/* The disk that was looked at, as it was: after a try that has begun, all but its table. */
static int check_disk(const struct flash_job *j, const struct self_order *o, bool begun,
		      struct fault *f)
{
	const struct target *t = &j->target;

	if (t->size != o->size || t->no_table.code || (!begun && !str_eq(t->table.uuid, o->table)))
		return fault_set(f, ESTALE, "%s is not the disk that was looked at before",
				 t->path);
	if (j->layout.kept != o->kept || (o->kept && (j->layout.data.start != o->data_start ||
						      j->layout.data.size != o->data_size)))
		return fault_set(f, ESTALE,
				 "%s: its " LAYOUT_DATA
				 " is not where it was when it was looked at",
				 t->path);
	return 0;
}

static int open_all(struct flash_job *j, struct self_order *o, bool begun, struct fault *f)
{
	int r = read_files(o, &j->seed.bytes, f);

	if (r >= 0)
		r = target_open(o->disk, &j->target, f);
	if (r >= 0)
		r = source_open(SELF_IMAGE, o->sha256, &j->source, f);
	if (r >= 0)
		r = layout_image(&j->source->table, j->source->name, f);
	if (r < 0)
		return r;

	const struct layout_wish wish = { .image = &j->source->table,
					  .disk = &j->target.table,
					  .disk_size = j->target.size,
					  .seed_size = j->seed.bytes.len,
					  .wipe = o->wipe,
					  .no_data = o->no_data };

	r = layout_make(&wish, o->disk, &j->layout, f);
	return r < 0 ? r : check_disk(j, o, begun, f);
}

/* In a process of its own, whose exit status it returns. */
static int try_once(bool *begun)
{
	_flash_job_ struct flash_job j = FLASH_JOB_NONE;
	_self_order_ struct self_order o = { 0 };
	struct fault f = { 0 };
	int r;

	release_old_root();
	r = open_all(&j, &o, *begun, &f);
	if (r >= 0) {
		say("writes %s, the system of %s; do not switch off", o.disk, o.node);
		r = flash_job_write(&j, NULL, NULL, begun, &f);
	}
	if (r < 0)
		say("%s", f.text);
	return r < 0;
}

static bool one_try(bool *begun)
{
	pid_t pid = fork(), got;
	int status = 0;

	if (pid == 0) {
		int r = try_once(begun);

		fflush(stderr);
		_exit(r);
	}
	/* as the first process it also gets those whom nobody waits for */
	do
		got = pid < 0 ? -1 : wait(&status);
	while (got != pid && (got >= 0 || errno == EINTR));
	if (got == pid && WIFSIGNALED(status))
		say("the program that writes the disk was ended by signal %d", WTERMSIG(status));
	return got == pid && status == 0;
}

static void power(const char *verb)
{
	sync();
	if (str_eq(verb, "poweroff"))
		reboot(RB_POWER_OFF);
	else if (str_eq(verb, "halt"))
		reboot(RB_HALT_SYSTEM);
	else
		reboot(RB_AUTOBOOT);
}

static void stay(void)
{
	say("this machine's disk is not written to its end and does not boot, on purpose; what it "
	    "kept is as it was. `phoenix pxe --reinstall`, or `phoenix flash` at another machine, "
	    "brings it back. It can be switched off");
	for (;;)
		pause();
}

int self_exit(const char *verb, struct fault *f)
{
	/* shared, so that it is known even of a try that crashed */
	bool *begun = mmap(NULL, sizeof *begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0),
	     written = false;

	if (getpid() != 1)
		return fault_set(f, EINVAL,
				 "--self-write is for " SELF_ROOT "/shutdown, as the last program "
				 "of a machine that goes down; see phoenix flash --help");
	if (begun == MAP_FAILED)
		abort(); /* out of memory, as mem_alloc has it */
	self_watchdog_keep();
	for (int i = 0; i < TRIES && !written; i++) {
		if (i)
			sleep(PAUSE_S);
		written = one_try(begun);
	}
	if (!written && *begun)
		stay();
	say(written ? "the disk is written and read back: starts from it"
		    : "nothing was written: this machine starts as it was");
	power(verb);
	return fault_set(f, EIO, "it cannot be restarted: %s", strerror(errno));
}
