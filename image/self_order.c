/* See self_order.h. */
#include "image/self_order.h"

#include "lib/crypto.h"
#include "lib/json.h"

#include <errno.h>

void self_order_print(const struct self_order *o, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "version", SELF_ORDER_VERSION);
	json_set_str(j, "node", o->node);
	json_set_str(j, "disk", o->disk);
	json_set_int(j, "size", (int64_t)o->size);
	json_set_str(j, "table", o->table);
	json_set_str(j, "sha256", o->sha256);
	json_set_bool(j, "wipe", o->wipe);
	json_set_bool(j, "no_data", o->no_data);
	json_set_bool(j, "kept", o->kept);
	json_set_int(j, "data_start", (int64_t)o->data_start);
	json_set_int(j, "data_size", (int64_t)o->data_size);
	json_print(j, 2, out);
	str_add(out, "\n");
}

/* A number that is missing is none. */
static bool get_bytes(const struct json *j, const char *key, uint64_t *ret)
{
	int64_t n = json_int(j, key, -1);

	*ret = n < 0 ? 0 : (uint64_t)n;
	return n >= 0;
}

int self_order_parse(const char *text, size_t len, struct self_order *ret, struct fault *f)
{
	struct self_order o = { 0 };
	_json_ struct json *j = NULL;
	struct fault why = { 0 };
	const char *sum;

	if (json_parse(text, len, &j, &why) < 0)
		return fault_set(f, EPROTO, "the order is not understood: %s", why.text);
	sum = json_str(j, "sha256");
	if (json_int(j, "version", 0) != SELF_ORDER_VERSION || !json_str(j, "node") ||
	    !json_str(j, "disk") || !json_str(j, "table") || !crypto_is_sha256(sum) ||
	    !get_bytes(j, "size", &o.size) || !get_bytes(j, "data_start", &o.data_start) ||
	    !get_bytes(j, "data_size", &o.data_size))
		return fault_set(f, EPROTO, "the order is not understood");
	o.node = mem_strdup(json_str(j, "node"));
	o.disk = mem_strdup(json_str(j, "disk"));
	o.table = mem_strdup(json_str(j, "table"));
	memcpy(o.sha256, sum, sizeof o.sha256);
	o.wipe = json_bool(j, "wipe", false);
	o.no_data = json_bool(j, "no_data", false);
	o.kept = json_bool(j, "kept", false);
	*ret = o;
	return 0;
}

void self_order_free(struct self_order *o)
{
	free(o->node);
	free(o->disk);
	free(o->table);
	*o = (struct self_order){ 0 };
}
