/* The container images that come with the system are on the root file system, new with each flash;
 * K3s imports what is in its own folder, on the data partition, which outlives flashes. So there are
 * links: K3s follows them (os.Stat, os.Open). The archives' names carry a digest of their content,
 * because K3s takes one of the same name and size and of no later time for the one it knows. Links
 * of ours that lead nowhere are of an earlier system and go, and with them K3s's hold on those
 * images; what an operator has put there stays.
 * K3s reads and writes all of them again at each start, which takes seconds, unless there is a file
 * in which it notes what it has (measured: 3 to 6 s of a restart on a busy disk). That note must
 * not outlive the store that it is about. */
#include "firstboot/paths.h"
#include "firstboot/steps.h"

#include <errno.h>

#define CACHE K3S_IMAGES "/.cache.json"
#define STORE K3S_DATA "/k3s/agent/containerd"

/* Whether NAME in K3s's folder is a link of ours; its target in RET. */
static bool is_ours(const struct boot *b, const char *name, char **ret)
{
	_free_ char *path = mem_printf(K3S_IMAGES "/%s", name), *target = NULL;

	if (fs_readlink(&b->fs, path, &target, NULL) < 0 || !str_starts(target, IMAGES "/"))
		return false;
	*ret = TAKE_PTR(target);
	return true;
}

static bool is_stale(const struct boot *b, const char *name)
{
	_free_ char *target = NULL;

	return is_ours(b, name, &target) && !fs_exists(&b->fs, target);
}

static bool is_linked(const struct boot *b, const char *name)
{
	_free_ char *target = NULL;

	return is_ours(b, name, &target) && str_eq(target + strlen(IMAGES "/"), name);
}

/* Names in a folder that may not be there. */
static int names_in(const struct boot *b, const char *folder, struct strv *names, struct fault *f)
{
	struct fault local = { 0 };
	int r = fs_list(&b->fs, folder, names, &local);

	return r < 0 && r != -ENOENT ? fault_set(f, -r, "%s", local.text) : 0;
}

static bool cache_is_right(const struct boot *b)
{
	struct stat st;

	if (fs_stat(&b->fs, CACHE, &st, NULL) < 0)
		return false;
	return !st.st_size || fs_is_dir(&b->fs, STORE);
}

int step_images_check(struct boot *b, struct fault *f)
{
	_strv_ struct strv shipped = { 0 }, there = { 0 };

	if (names_in(b, IMAGES, &shipped, f) < 0 || names_in(b, K3S_IMAGES, &there, f) < 0)
		return -f->code;
	strv_each (name, &there)
		if (is_stale(b, name))
			return step_needed(b, K3S_IMAGES "/%s is of an earlier system", name);
	strv_each (name, &shipped) {
		if (is_linked(b, name))
			continue;
		if (!strv_has(&there, name))
			return step_needed(b, "%s is to be linked into " K3S_IMAGES, name);
		step_note(b,
			  K3S_IMAGES "/%s is not ours and hides the one that came with the system",
			  name);
	}
	if (shipped.n && !cache_is_right(b))
		return step_needed(b, CACHE " is to be made anew");
	return STEP_DONE;
}

static int link_one(struct boot *b, const char *name, struct fault *f)
{
	_free_ char *path = mem_printf(K3S_IMAGES "/%s", name),
		    *target = mem_printf(IMAGES "/%s", name);

	if (fs_exists(&b->fs, path) && !is_linked(b, name))
		return 0;
	return fs_symlink(&b->fs, path, target, f);
}

int step_images_apply(struct boot *b, struct fault *f)
{
	_strv_ struct strv shipped = { 0 }, there = { 0 };
	int r = names_in(b, IMAGES, &shipped, f);

	if (r == 0)
		r = names_in(b, K3S_IMAGES, &there, f);
	strv_each (name, &there) {
		_free_ char *path = mem_printf(K3S_IMAGES "/%s", name);

		if (r >= 0 && is_stale(b, name))
			r = fs_remove(&b->fs, path, f);
	}
	if (r >= 0 && shipped.n && !fs_is_dir(&b->fs, K3S_IMAGES))
		r = fs_mkdirs(&b->fs, K3S_IMAGES, 0755, f);
	strv_each (name, &shipped)
		if (r >= 0)
			r = link_one(b, name, f);
	if (r >= 0 && shipped.n && !cache_is_right(b))
		r = fs_write_text(&b->fs, CACHE, 0644, "", f);
	return r < 0 ? r : 0;
}
