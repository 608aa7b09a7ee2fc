/* See order.h. */
#include "image/order.h"

#include "lib/json.h"

#include <errno.h>

void order_print(const struct order *o, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "version", ORDER_VERSION);
	json_set_str(j, "node", o->node);
	json_set_str(j, "disk", o->disk);
	json_set_int(j, "image_size", (int64_t)o->image_size);
	json_set_str(j, "image_sha256", o->image_sha256);
	json_set_str(j, "seed_sha256", o->seed_sha256);
	json_set_bool(j, "reinstall", o->reinstall);
	json_set_bool(j, "wipe", o->wipe);
	json_print(j, 0, out);
}

static bool copy_sum(char to[65], const char *from)
{
	if (!from || strlen(from) != 64 || strspn(from, "0123456789abcdef") != 64)
		return false;
	memcpy(to, from, 65);
	return true;
}

int order_parse(const char *text, size_t len, struct order *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct order o = { 0 };
	const char *node, *disk;
	int64_t size;

	if (json_parse(text, len, &j, f) < 0)
		return -EPROTO;
	if (json_int(j, "version", 0) != ORDER_VERSION)
		return fault_set(f, EPROTO, "an order of version %lld; this image knows %d",
				 (long long)json_int(j, "version", 0), ORDER_VERSION);
	node = json_str(j, "node");
	disk = json_str(j, "disk");
	size = json_int(j, "image_size", 0);
	if (!node || size <= 0 || (disk && !str_starts(disk, "/dev/")) ||
	    !copy_sum(o.image_sha256, json_str(j, "image_sha256")) ||
	    !copy_sum(o.seed_sha256, json_str(j, "seed_sha256")))
		return fault_set(f, EPROTO, "an order that is not understood");
	o.node = mem_strdup(node);
	o.disk = mem_strdup(disk);
	o.image_size = (uint64_t)size;
	o.reinstall = json_bool(j, "reinstall", false);
	o.wipe = json_bool(j, "wipe", false);
	*ret = o;
	return 0;
}

void order_free(struct order *o)
{
	free(o->node);
	free(o->disk);
	*o = (struct order){ 0 };
}
