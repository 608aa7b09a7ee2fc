/* See self_tree.h. */
#include "image/self_tree.h"

#include "firstboot/mounts.h"
#include "firstboot/paths.h"
#include "lib/library.h"
#include "lib/proc.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#define SOURCE "phoenix-flash" /* of the mount: by it a killed run's is known */
#define LOCK RUN_DIR "/flash.lock"
/* What is left to the machine beside the image: it still runs K3s when this is measured. */
#define RESERVE (256ULL << 20)
#define PIECE (1U << 20)

static const char shutdown_script[] =
	"#!/bin/sh\n"
	"# Run by systemd-shutdown as the last program of this system: phoenix-flash(1), --self.\n"
	"exec /usr/bin/phoenix flash --self-write \"$1\"\n";

/* What the exitrd runs. lsblk: which disk is that, and who uses it? */
static const char *const programs[] = { "/bin/sh", "/usr/bin/lsblk" };
/* Loaded when they are used (lib/library.h), so that ldd does not know of them. */
static const char *const loaded[] = { "libfdisk.so.1", "libzstd.so.1", "liblzma.so.5" };

static int available(uint64_t *ret, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	_str_ struct str text = { 0 };
	const char *at;
	int r = fs_open(&root, "/", f);

	if (r >= 0)
		r = fs_read(&root, "/proc/meminfo", 65536, &text, f);
	if (r < 0)
		return r;
	at = strstr(str_text(&text), "MemAvailable:");
	*ret = at ? strtoull(at + strlen("MemAvailable:"), NULL, 10) << 10 : 0;
	return at ? 0 : fault_set(f, EIO, "/proc/meminfo does not say what is available");
}

/* How large the tree may get. */
static int room(uint64_t wanted, uint64_t *ret, struct fault *f)
{
	uint64_t have = 0, need = wanted + SELF_TREE_SIZE + RESERVE;
	char needs[32], has[32];
	int r = available(&have, f);

	if (r < 0)
		return r;
	if (have < need) {
		units_bytes(need, needs, sizeof needs);
		units_bytes(have, has, sizeof has);
		return fault_set(
			f, ENOMEM,
			"the image is kept in memory while the disk is written: that needs "
			"%s, and %s are available. `phoenix pxe --reinstall` from another "
			"machine needs none",
			needs, has);
	}
	*ret = wanted ? wanted + SELF_TREE_SIZE : have - RESERVE;
	return 0;
}

static int take_lock(struct self_tree *t, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	int r = fs_open(&root, "/", f);

	if (r >= 0)
		r = fs_mkdirs(&root, RUN_DIR, 0755, f);
	if (r >= 0)
		r = t->lock = fs_openat(&root, LOCK, O_RDWR | O_CREAT, 0600, f);
	if (r < 0)
		return r;
	if (flock(t->lock, LOCK_EX | LOCK_NB) < 0)
		return fault_set(f, EBUSY, "another phoenix flash --self is at work here");
	return 0;
}

static void remove_left(void)
{
	for (;;) {
		_mount_ struct mount m = { 0 };

		if (mount_at(SELF_ROOT, &m, NULL) <= 0 || !str_eq(m.source, SOURCE) ||
		    umount2(SELF_ROOT, MNT_DETACH) < 0)
			return;
	}
}

int self_tree_open(struct self_tree *t, uint64_t size, struct fault *f)
{
	_free_ char *options = NULL;
	uint64_t bytes = 0;
	int r = take_lock(t, f);

	if (r < 0)
		return r;
	remove_left();
	r = room(size, &bytes, f);
	if (r < 0)
		return r;
	if (mkdir(SELF_ROOT, 0755) < 0 && errno != EEXIST)
		return fault_errno(f, SELF_ROOT);
	options = mem_printf("mode=0700,size=%llu", (unsigned long long)bytes);
	if (mount(SOURCE, SELF_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		return fault_errno(f, "mount a tmpfs at " SELF_ROOT);
	t->mounted = true;
	r = fs_open(&t->fs, SELF_ROOT, f);
	if (r >= 0)
		r = fs_mkdirs(&t->fs, SELF_FOLDER, 0700, f);
	return r < 0 ? r : 0;
}

static int copy(struct self_tree *t, const char *from, const char *to, struct fault *f)
{
	_free_ char *folder = mem_strndup(to, (size_t)(strrchr(to, '/') - to)),
		    *buf = mem_alloc(PIECE);
	_fd_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	ssize_t n;
	int r = 0;

	if (in < 0)
		return fault_errno(f, "%s", from);
	if (*folder)
		r = fs_mkdirs(&t->fs, folder, 0755, f);
	if (r >= 0)
		r = out = fs_openat(&t->fs, to, O_WRONLY | O_CREAT | O_TRUNC, 0755, f);
	if (r < 0)
		return r;
	while ((n = read(in, buf, PIECE)) > 0)
		if (write(out, buf, (size_t)n) != n)
			return fault_errno(f, SELF_ROOT "%s", to);
	return n < 0 ? fault_errno(f, "%s", from) : 0;
}

int self_tree_libraries(const char *text, struct strv *libraries, struct fault *f)
{
	_free_ char *copy = mem_strdup(text);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '/'), *name = line + strspn(line, "\t ");

		if (name == line) /* the heading of one of several files */
			continue;
		if (strstr(line, "not found"))
			return fault_set(f, ENOENT, "%.*s is missing", (int)strcspn(name, " "),
					 name);
		if (!path)
			continue; /* the kernel's own, or "statically linked" */
		path[strcspn(path, " \n")] = '\0';
		if (!strv_has(libraries, path))
			strv_add(libraries, path);
	}
	return 0;
}

static int copy_libraries(struct self_tree *t, const char *path, struct fault *f)
{
	const char *const argv[] = { "ldd", path, NULL };
	_str_ struct str out = { 0 };
	_strv_ struct strv libraries = { 0 };
	int r = proc_ok(&(struct proc){ .argv = argv }, &out, f);

	if (r >= 0)
		r = self_tree_libraries(str_text(&out), &libraries, f);
	strv_each (library, &libraries)
		if (r >= 0 && !fs_exists(&t->fs, library))
			r = copy(t, library, library, f);
	return r < 0 ? fault_wrap(f, "what %s needs", path) : 0;
}

static int copy_program(struct self_tree *t, const char *from, const char *to, struct fault *f)
{
	int r = copy(t, from, to, f);

	return r < 0 ? r : copy_libraries(t, from, f);
}

static int copy_loaded(struct self_tree *t, const char *so, struct fault *f)
{
	_free_ char *path = NULL;
	int r = library_path(so, &path, f);

	return r < 0 ? r : copy_program(t, path, path, f);
}

int self_tree_fill(struct self_tree *t, struct fault *f)
{
	char own[PATH_MAX];
	int r;

	if (!realpath("/proc/self/exe", own))
		return fault_errno(f, "/proc/self/exe");
	r = copy_program(t, own, "/usr/bin/phoenix", f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(programs); i++)
		r = copy_program(t, programs[i], programs[i], f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(loaded); i++)
		r = copy_loaded(t, loaded[i], f);
	/* libraries outside of the loader's own folders are found by it */
	if (r >= 0 && access("/etc/ld.so.cache", R_OK) == 0)
		r = copy(t, "/etc/ld.so.cache", "/etc/ld.so.cache", f);
	for (const char *const *p =
		     (const char *const[]){ "/dev", "/proc", "/sys", "/run", "/oldroot", NULL };
	     r >= 0 && *p; p++)
		r = fs_mkdirs(&t->fs, *p, 0755, f);
	return r < 0 ? r : 0;
}

/* What counts is what the first process sees, which is what will look for it. */
int self_tree_arm(struct self_tree *t, struct fault *f)
{
	int r = fs_write_text(&t->fs, "/shutdown", 0700, shutdown_script, f);

	if (r < 0)
		return r;
	if (access("/proc/1/root" SELF_ROOT "/shutdown", X_OK) < 0)
		return fault_set(f, ENOTSUP,
				 SELF_ROOT "/shutdown cannot be seen by the machine's first "
					   "process: run this in the machine's own name space, and "
					   "not in a container");
	return 0;
}

void self_tree_keep(struct self_tree *t)
{
	t->mounted = false;
}

void self_tree_close(struct self_tree *t)
{
	fs_close(&t->fs);
	if (t->mounted)
		umount2(SELF_ROOT, MNT_DETACH);
	t->mounted = false;
	fd_closep(&t->lock);
}
