/* See target_use.h. */
#include "image/target_use.h"

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

static int lsblk(const char *path, struct json **ret, struct fault *f)
{
	const char *const argv[] = { "lsblk",	 "--json",
				     "--output", "NAME,TYPE,MODEL,SERIAL,MOUNTPOINTS",
				     "--",	 path,
				     NULL };
	_str_ struct str out = { 0 };
	int r = proc_ok(&(struct proc){ .argv = argv }, &out, f);

	return r < 0 ? r : json_parse(str_text(&out), out.len, ret, f);
}

int target_name(const char *path, char **model, char **serial, struct fault *f)
{
	_json_ struct json *j = NULL;
	const struct json *disk;
	const char *text;
	int r = lsblk(path, &j, f);

	if (r < 0)
		return r;
	disk = json_at(json_get(j, "blockdevices", NULL), 0);
	text = json_str(disk, "model");
	*model = mem_strdup(text ? text : "");
	str_trim(*model);
	text = json_str(disk, "serial");
	*serial = mem_strdup(text ? text : "");
	str_trim(*serial);
	return 0;
}

/* DISK and what stands on it, each with what it is used for. */
static void uses(const struct json *disk, struct strv *out)
{
	const char *name = json_str(disk, "name"), *type = json_str(disk, "type");
	const struct json *points = json_get(disk, "mountpoints", NULL),
			  *children = json_get(disk, "children", NULL);

	for (size_t i = 0; i < json_len(points); i++) {
		const char *point = json_string(json_at(points, i));

		if (str_eq(point, "[SWAP]"))
			strv_addf(out, "%s is used for swap", name);
		else if (point)
			strv_addf(out, "%s is mounted at %s", name, point);
	}
	if (name && type && !str_eq(type, "disk") && !str_eq(type, "part") &&
	    !str_eq(type, "loop") && !str_eq(type, "rom"))
		strv_addf(out, "%s (%s) stands on it", name, type);
	for (size_t i = 0; i < json_len(children); i++)
		uses(json_at(children, i), out);
}

int target_who_uses(const char *path, struct fault *f)
{
	_json_ struct json *j = NULL;
	_strv_ struct strv who = { 0 };

	if (lsblk(path, &j, NULL) == 0)
		uses(json_at(json_get(j, "blockdevices", NULL), 0), &who);
	if (!who.n)
		return fault_set(f, EBUSY,
				 "%s is in use: by a ZFS pool, or by another program or name "
				 "space that has it mounted",
				 path);

	_free_ char *all = strv_sentence(&who);

	return fault_set(f, EBUSY, "%s is in use: %s", path, all);
}

int target_whole_disk(const char *path, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	_free_ char *mark = NULL, *link = NULL, *dm = NULL;
	struct stat st;
	char real[PATH_MAX], *slash;

	if (stat(path, &st) < 0)
		return fault_errno(f, "%s", path);
	link = mem_printf("/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	mark = mem_printf("%s/partition", link);
	dm = mem_printf("%s/dm", link);
	if (fs_open(&root, "/", f) < 0)
		return -f->code;
	if (fs_exists(&root, dm))
		return fault_set(
			f, EINVAL,
			"%s is made of something else (device mapper): name the disk itself", path);
	if (!fs_exists(&root, mark))
		return 0;
	if (!realpath(link, real))
		return fault_errno(f, "%s", link);
	slash = strrchr(real, '/');
	*slash = '\0';
	slash = strrchr(real, '/');
	return fault_set(f, EINVAL, "%s is a partition: name the whole disk, /dev/%s", path,
			 slash ? slash + 1 : "?");
}

int target_file_in_use(const char *path, struct fault *f)
{
	_fs_ struct fs root = { .fd = -1 };
	_strv_ struct strv names = { 0 };
	struct stat ours, st;

	if (stat(path, &ours) < 0)
		return fault_errno(f, "%s", path);
	if (fs_open(&root, "/", f) < 0)
		return -f->code;
	if (fs_list(&root, "/sys/block", &names, NULL) < 0)
		return 0;
	strv_each (name, &names) {
		_free_ char *file = mem_printf("/sys/block/%s/loop/backing_file", name);
		_str_ struct str backing = { 0 };

		if (!str_starts(name, "loop") || fs_read(&root, file, 4096, &backing, NULL) < 0 ||
		    !backing.len)
			continue;
		if (stat(str_trim(backing.p), &st) == 0 && st.st_dev == ours.st_dev &&
		    st.st_ino == ours.st_ino)
			return fault_set(f, EBUSY, "%s is in use: /dev/%s stands on it", path,
					 name);
	}
	return 0;
}
