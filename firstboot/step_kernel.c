/* Kernel modules and settings. A module counts as there when its effect is there: it may be built
 * in, or the host of a container may have loaded it, and /lib/modules may be missing. What cannot
 * be set (a container's read-only /proc/sys) and what only one component misses is told by name;
 * only what K3s cannot live without stops the boot. */
#include "firstboot/steps.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MODULES_FILE "/etc/modules-load.d/phoenix.conf"
#define SYSCTL_FILE "/etc/sysctl.d/90-phoenix.conf"

static const struct module {
	const char *name;
	const char *effect;	/* exists when the kernel has it */
	const char *filesystem; /* or: this line is in /proc/filesystems */
	const char *wanted_by;	/* NULL: K3s, needed */
} modules[] = {
	{ "br_netfilter", "/proc/sys/net/bridge/bridge-nf-call-iptables" },
	{ "overlay", NULL, "overlay" },
	{ "nf_conntrack", "/proc/sys/net/netfilter/nf_conntrack_max" },
	{ "vxlan", "/sys/module/vxlan" },
	{ "iscsi_tcp", "/sys/class/iscsi_transport/tcp", NULL, "Longhorn's volumes" },
	{ "dm_crypt", "/sys/module/dm_crypt", NULL, "Longhorn's encrypted volumes" },
};

static const struct setting {
	const char *name;
	long value;
	bool at_least; /* more is fine */
	bool needed;
} settings[] = {
	{ "net.ipv4.ip_forward", 1, false, true },
	{ "net.bridge.bridge-nf-call-iptables", 1, false, true },
	{ "net.bridge.bridge-nf-call-ip6tables", 1 },
	/* what the kubelet wants and CIS checks */
	{ "vm.panic_on_oom", 0 },
	{ "vm.overcommit_memory", 1 },
	{ "kernel.panic", 10 },
	{ "kernel.panic_on_oops", 1 },
	{ "kernel.keys.root_maxkeys", 1000000, true },
	{ "kernel.keys.root_maxbytes", 25000000, true },
	/* containers' log followers use these up: the default of 128 is gone with 30 pods */
	{ "fs.inotify.max_user_instances", 8192, true },
	{ "fs.inotify.max_user_watches", 524288, true },
};

/* What was tried in this process and did not help: asking the kernel again changes nothing, and an
 * optional thing must not hold the boot. */
static bool module_refused[ARRAY_LEN(modules)];
static bool setting_refused[ARRAY_LEN(settings)];

static void render_modules(struct str *out)
{
	str_add(out, "# phoenix: for K3s and Longhorn\n");
	for (size_t i = 0; i < ARRAY_LEN(modules); i++)
		str_addf(out, "%s\n", modules[i].name);
}

static void render_settings(struct str *out)
{
	str_add(out, "# phoenix: for K3s, the kubelet's expectations, CIS\n");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		str_addf(out, "%s = %ld\n", settings[i].name, settings[i].value);
}

static bool module_works(const struct boot *b, const struct module *m)
{
	_str_ struct str all = { 0 };
	_free_ char *line = NULL, *loaded = mem_printf("/sys/module/%s/refcnt", m->name);

	if (m->effect && (fs_exists(&b->fs, m->effect) || fs_exists(&b->fs, loaded)))
		return true;
	if (!m->filesystem || fs_read(&b->fs, "/proc/filesystems", 65536, &all, NULL) < 0)
		return false;
	line = mem_printf("\t%s\n", m->filesystem);
	return strstr(str_text(&all), line);
}

static char *setting_path(const struct setting *s)
{
	char *path = mem_printf("/proc/sys/%s", s->name);

	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	return path;
}

/* 1 as wanted, 0 not, -errno there is no such setting. */
static int setting_is(const struct boot *b, const struct setting *s, long *now)
{
	_free_ char *path = setting_path(s);
	_str_ struct str text = { 0 };
	int r = fs_read(&b->fs, path, 4096, &text, NULL);

	if (r < 0)
		return r;
	if (!text.len || !str_to_long(str_trim(text.p), 0, 0x7fffffffffff, now))
		return -EBADMSG;
	return s->at_least ? *now >= s->value : *now == s->value;
}

static int check_modules(struct boot *b, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		const struct module *m = &modules[i];

		if (module_works(b, m))
			continue;
		/* only the daemon has tried: --plan asks whether it could have worked */
		if (!module_refused[i] &&
		    (!b->plan || proc_do(NULL, "modprobe", "-nq", m->name, NULL) == 0))
			return step_needed(b, "kernel module %s is not loaded", m->name);
		if (!m->wanted_by)
			return fault_set(f, ENOSYS, "this kernel has no %s, which K3s needs",
					 m->name);
		step_note(b, "this kernel has no %s: %s will not work", m->name, m->wanted_by);
	}
	return STEP_DONE;
}

static int check_settings(struct boot *b, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *s = &settings[i];
		long now = -1;
		int r = setting_is(b, s, &now);

		if (r > 0)
			continue;
		if (!setting_refused[i] && r == 0)
			return step_needed(b, "%s is %ld, wanted %ld", s->name, now, s->value);
		if (s->needed)
			return fault_set(f, EPERM, "%s cannot be set to %ld, which K3s needs",
					 s->name, s->value);
		if (r == 0)
			step_note(b, "%s is %ld and cannot be set to %ld here", s->name, now,
				  s->value);
	}
	return STEP_DONE;
}

int step_kernel_check(struct boot *b, struct fault *f)
{
	_str_ struct str m = { 0 }, s = { 0 };
	int r;

	render_modules(&m);
	render_settings(&s);
	if (!step_file_is(b, MODULES_FILE, 0644, m.p))
		return step_needed(b, MODULES_FILE " is to be written");
	if (!step_file_is(b, SYSCTL_FILE, 0644, s.p))
		return step_needed(b, SYSCTL_FILE " is to be written");
	if (!b->live)
		return STEP_DONE;
	r = check_modules(b, f);
	return r == STEP_DONE ? check_settings(b, f) : r;
}

static bool set(const struct boot *b, const struct setting *s)
{
	_free_ char *path = setting_path(s), *value = mem_printf("%ld\n", s->value);
	_fd_ int fd = fs_openat(&b->fs, path, O_WRONLY, 0, NULL);

	return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

/* One process for all of them, each would read the same index again. It goes on after one that it
 * cannot load, and its status does not say which that was. */
static void load_modules(struct boot *b)
{
	const char *argv[ARRAY_LEN(modules) + 3] = { "modprobe", "-a" };
	bool missing[ARRAY_LEN(modules)] = { 0 };
	size_t n = 2;

	for (size_t i = 0; i < ARRAY_LEN(modules); i++)
		if (!module_works(b, &modules[i]) && !module_refused[i]) {
			missing[i] = true;
			argv[n++] = modules[i].name;
		}
	if (n == 2)
		return;
	proc_ok(&(struct proc){ .argv = argv }, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(modules); i++)
		module_refused[i] |= missing[i] && !module_works(b, &modules[i]);
}

static void apply_live(struct boot *b)
{
	long now;

	load_modules(b);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (setting_is(b, &settings[i], &now) == 0)
			setting_refused[i] = !set(b, &settings[i]);
}

int step_kernel_apply(struct boot *b, struct fault *f)
{
	_str_ struct str m = { 0 }, s = { 0 };
	int r;

	render_modules(&m);
	render_settings(&s);
	r = fs_write(&b->fs, MODULES_FILE, 0644, m.p, m.len, f);
	if (r >= 0)
		r = fs_write(&b->fs, SYSCTL_FILE, 0644, s.p, s.len, f);
	if (r >= 0 && b->live)
		apply_live(b);
	return r < 0 ? r : 0;
}
