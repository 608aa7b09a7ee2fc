/* See install.h. */
#include "image/install.h"

#include "image/flash_data.h"
#include "lib/json.h"
#include "lib/proc.h"
#include "lib/timer.h"

#include <errno.h>
#include <limits.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Since the machine was started: buses are scanned for so long, not longer. */
#define LATE_MS 60000
/* What is behind USB or a RAID controller comes seconds after the first disk. */
#define SETTLED_MS 10000
#define LOOK_MS 500

int install_choose(const char *lsblk, size_t len, char **ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	_strv_ struct strv found = { 0 };
	const struct json *list;
	int r = json_parse(lsblk, len, &j, f);

	if (r < 0)
		return r;
	list = json_get(j, "blockdevices", NULL);
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *d = json_at(list, i);
		const char *path = json_str(d, "path");

		if (path && str_eq(json_str(d, "type"), "disk") && !json_bool(d, "ro", true) &&
		    !json_bool(d, "rm", true) && json_int(d, "size", 0) > 0)
			strv_add(&found, path);
	}
	if (!found.n)
		return fault_set(f, EAGAIN, "this machine has no disk to install on");
	if (found.n > 1) {
		_free_ char *all = strv_sentence(&found);

		return fault_set(f, ENOTUNIQ,
				 "this machine has %s: name the one that is meant in the "
				 "description (disk:)",
				 all);
	}
	*ret = mem_strdup(found.v[0]);
	return 0;
}

int install_only_disk(char **ret, struct fault *f)
{
	const char *const argv[] = { "lsblk",	 "--json",   "--bytes",
				     "--nodeps", "--output", "PATH,TYPE,SIZE,RO,RM",
				     NULL };
	_str_ struct str last = { 0 };
	int64_t since = timer_now();

	for (;; timer_sleep(LOOK_MS)) {
		_str_ struct str out = { 0 };
		_free_ char *only = NULL;
		int r = proc_ok(&(struct proc){ .argv = argv }, &out, f);

		if (r < 0)
			return r;
		if (!str_eq(str_text(&out), str_text(&last))) {
			since = timer_now();
			str_reset(&last);
			str_add(&last, str_text(&out));
		}
		r = install_choose(str_text(&out), out.len, &only, f);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (timer_now() - since < SETTLED_MS || (r < 0 && timer_now() < LATE_MS))
			continue;
		*ret = TAKE_PTR(only);
		return r;
	}
}

void install_wait_for(const char *path)
{
	while (access(path, F_OK) < 0 && timer_now() < LATE_MS)
		timer_sleep(LOOK_MS);
}

/* Its folder in /sys; that of a partition lies in that of its disk. */
static bool in_sys(const char *path, char real[PATH_MAX])
{
	_free_ char *link = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	link = mem_printf("/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return realpath(link, real) != NULL;
}

static bool is_on(const char *part, const char *disk)
{
	char inner[PATH_MAX], outer[PATH_MAX];
	size_t n;

	if (!in_sys(part, inner) || !in_sys(disk, outer))
		return false;
	n = strlen(outer);
	return strncmp(inner, outer, n) == 0 && (!inner[n] || inner[n] == '/');
}

int install_data_disk(const struct order *o, const struct target *t, struct fault *f)
{
	struct data_record own = { .cluster = o->cluster, .node = o->node };

	memcpy(own.exchange_ca, o->exchange_ca, sizeof own.exchange_ca);
	install_wait_for(o->data);
	if (access(o->data, F_OK) < 0)
		return fault_set(f, ENODEV,
				 "the description's data: disk %s is not in this machine", o->data);
	if (is_on(o->data, t->path))
		return fault_set(f, ENOTUNIQ,
				 "%s (disk:) and %s (data:) are the same disk, %s: correct the "
				 "description",
				 o->disk, o->data, t->path);
	return o->wipe ? 0 : flash_data_disk_fits(o->data, &own, f);
}
