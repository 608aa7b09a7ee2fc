/* See data_record.h. */
#include "firstboot/data_record.h"

#include "lib/crypto.h"
#include "lib/json.h"

#include <errno.h>

/* mkfs makes lost+found; a crash while the record was written leaves its folder, perhaps with a
 * temporary file. Anything else was put there by somebody. */
static bool just_made(const struct fs *fs, const char *dir)
{
	_free_ char *state = mem_printf("%s/state", dir);
	_strv_ struct strv names = { 0 }, inside = { 0 };

	if (fs_list(fs, dir, &names, NULL) < 0)
		return false;
	strv_each (name, &names)
		if (!str_eq(name, "lost+found") && !str_eq(name, "state"))
			return false;
	if (strv_has(&names, "state") && fs_list(fs, state, &inside, NULL) < 0)
		return false;
	strv_each (name, &inside)
		if (!str_starts(name, ".phoenix-"))
			return false;
	return true;
}

static bool copy_sum(char to[65], const char *from, bool may_be_empty)
{
	if (!crypto_is_sha256(from) && !(may_be_empty && str_eq(from, "")))
		return false;
	memcpy(to, from, strlen(from) + 1);
	return true;
}

static int understand(const struct json *j, struct data_record *ret)
{
	const char *cluster = json_str(j, "cluster"), *node = json_str(j, "node");

	if (json_int(j, "version", 0) != 1 || !cluster || !node ||
	    !copy_sum(ret->exchange_ca, json_str(j, "exchange_ca"), false) ||
	    !copy_sum(ret->wiped_by, json_str(j, "wiped_by"), true))
		return -EBADMSG;
	ret->cluster = mem_strdup(cluster);
	ret->node = mem_strdup(node);
	return 0;
}

int data_record_parse(const char *text, size_t len, struct data_record *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	_record_ struct data_record found = { 0 };
	struct fault local = { 0 };

	if (json_parse(text, len, &j, &local) < 0 || understand(j, &found) < 0)
		return fault_set(f, EBADMSG,
				 "its record " DATA_RECORD_FILE " is not understood%s%s",
				 local.code ? ": " : "", local.code ? local.text : "");
	*ret = found;
	found = (struct data_record){ 0 };
	return 0;
}

int data_record_read(const struct fs *fs, const char *dir, struct data_record *ret, struct fault *f)
{
	_free_ char *path = mem_printf("%s" DATA_RECORD_FILE, dir);
	_str_ struct str text = { 0 };
	struct fault local = { 0 };
	int r = fs_read(fs, path, 65536, &text, &local);

	if (r == -ENOENT && just_made(fs, dir))
		return 0;
	if (r == -ENOENT)
		return fault_set(f, ENODATA,
				 "it has the label but no record of phoenix, and it is not empty");
	if (r < 0) {
		if (f)
			*f = local;
		return r;
	}
	r = data_record_parse(str_text(&text), text.len, ret, f);
	return r < 0 ? r : 1;
}

int data_record_write(const struct fs *fs, const char *dir, const struct data_record *r,
		      struct fault *f)
{
	_free_ char *state = mem_printf("%s/state", dir),
		    *path = mem_printf("%s" DATA_RECORD_FILE, dir);
	_json_ struct json *j = json_object();
	_str_ struct str text = { 0 };
	int ret = fs_mkdirs(fs, state, 0700, f);

	if (ret < 0)
		return ret;
	json_set_int(j, "version", 1);
	json_set_str(j, "cluster", r->cluster);
	json_set_str(j, "node", r->node);
	json_set_str(j, "exchange_ca", r->exchange_ca);
	json_set_str(j, "wiped_by", r->wiped_by);
	json_print(j, 2, &text);
	str_add(&text, "\n");
	return fs_write(fs, path, 0600, text.p, text.len, f);
}

int data_record_fits(const struct data_record *own, const struct data_record *found,
		     const char *device, struct fault *f)
{
	if (!str_eq(found->exchange_ca, own->exchange_ca))
		return fault_set(f, EPERM,
				 "%s belongs to another cluster (node %s of '%s', CA %.12s)",
				 device, found->node, found->cluster, found->exchange_ca);
	if (!str_eq(found->node, own->node))
		return fault_set(f, EPERM, "%s is the data disk of %s, and this node is %s", device,
				 found->node, own->node);
	return 0;
}

void data_record_free(struct data_record *r)
{
	free(r->cluster);
	free(r->node);
	*r = (struct data_record){ 0 };
}
