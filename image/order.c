/* See order.h. */
#include "image/order.h"

#include "lib/crypto.h"
#include "lib/json.h"

#include <errno.h>

void order_print(const struct order *o, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "version", ORDER_VERSION);
	json_set_str(j, "node", o->node);
	json_set_str(j, "cluster", o->cluster);
	json_set_str(j, "exchange_ca", o->exchange_ca);
	json_set_str(j, "disk", o->disk);
	json_set_str(j, "data", o->data);
	json_set_int(j, "image_size", (int64_t)o->image_size);
	json_set_int(j, "seed_size", (int64_t)o->seed_size);
	json_set_str(j, "image_sha256", o->image_sha256);
	json_set_str(j, "seed_sha256", o->seed_sha256);
	json_set_bool(j, "reinstall", o->reinstall);
	json_set_bool(j, "wipe", o->wipe);
	json_print(j, 0, out);
}

static bool copy_sum(char to[65], const char *from)
{
	if (!crypto_is_sha256(from))
		return false;
	memcpy(to, from, 65);
	return true;
}

static bool is_device(const char *path)
{
	return !path || str_starts(path, "/dev/");
}

static bool read_sizes(const struct json *j, struct order *o)
{
	int64_t image = json_int(j, "image_size", 0), seed = json_int(j, "seed_size", 0);

	o->image_size = (uint64_t)image;
	o->seed_size = (uint64_t)seed;
	return image > 0 && seed > 0 && seed <= ORDER_SEED_MAX;
}

int order_parse(const char *text, size_t len, struct order *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct order o = { 0 };
	const char *node, *cluster, *disk, *data;

	if (json_parse(text, len, &j, f) < 0)
		return -EPROTO;
	if (json_int(j, "version", 0) != ORDER_VERSION)
		return fault_set(f, EPROTO, "an order of version %lld; this image knows %d",
				 (long long)json_int(j, "version", 0), ORDER_VERSION);
	node = json_str(j, "node");
	cluster = json_str(j, "cluster");
	disk = json_str(j, "disk");
	data = json_str(j, "data");
	if (!node || !cluster || !is_device(disk) || !is_device(data) || (data && !disk) ||
	    !read_sizes(j, &o) || !copy_sum(o.exchange_ca, json_str(j, "exchange_ca")) ||
	    !copy_sum(o.image_sha256, json_str(j, "image_sha256")) ||
	    !copy_sum(o.seed_sha256, json_str(j, "seed_sha256")))
		return fault_set(f, EPROTO, "an order that is not understood");
	o.node = mem_strdup(node);
	o.cluster = mem_strdup(cluster);
	o.disk = mem_strdup(disk);
	o.data = mem_strdup(data);
	o.reinstall = json_bool(j, "reinstall", false);
	o.wipe = json_bool(j, "wipe", false);
	*ret = o;
	return 0;
}

void order_free(struct order *o)
{
	free(o->node);
	free(o->cluster);
	free(o->disk);
	free(o->data);
	*o = (struct order){ 0 };
}
