/* See install.h. */
#include "image/install.h"

#include "lib/json.h"
#include "lib/proc.h"
#include "lib/str.h"

#include <errno.h>

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
	_str_ struct str out = { 0 };
	int r = proc_ok(&(struct proc){ .argv = argv }, &out, f);

	return r < 0 ? r : install_choose(str_text(&out), out.len, ret, f);
}
