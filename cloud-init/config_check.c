/* See config_check.h. */
#include "cloud-init/config_check.h"

#include "cloud-init/config_values.h"
#include "lib/cron.h"
#include "lib/units.h"

#define DAY 86400

/* The networks that K3s gives to pods and services. */
static const struct {
	const char *text, *use;
	uint32_t address;
	int prefix;
} inner[] = {
	{ "10.42.0.0/16", "pods", 0x0a2a0000, 16 },
	{ "10.43.0.0/16", "services", 0x0a2b0000, 16 },
};

static void unique(struct schema *s, const struct cluster_config *c, const char *key, size_t offset)
{
	for (int i = 1; i < NODE_COUNT; i++) {
		const char *mine = *(char *const *)((const char *)&c->nodes[i] + offset);

		for (int j = 0; mine && j < i; j++) {
			const char *other = *(char *const *)((const char *)&c->nodes[j] + offset);
			_free_ char *path = mem_printf("cluster.nodes[%d].%s", i, key);
			_free_ char *first = mem_printf("cluster.nodes[%d].%s", j, key);
			const struct yaml *at;

			if (!str_eq(mine, other))
				continue;
			at = schema_find(s, first);
			schema_wrong(s, path, "'%s' is the %s of two nodes; first in line %d", mine,
				     key, at ? at->line : 0);
			break;
		}
	}
}

static uint32_t network_of(uint32_t address, int prefix)
{
	return prefix ? address & ~(uint32_t)(0xffffffffull >> prefix) : 0;
}

/* Is TEXT a host's address of the first node's network? PATH is blamed. */
static void in_network(struct schema *s, const struct node_config *first, const char *path,
		       const char *text)
{
	uint32_t a, b, rest;

	if (!text || !first->address || !address_parse(text, &a) ||
	    !address_parse(first->address, &b))
		return;
	rest = a & (0xffffffffu >> first->prefix);
	b = network_of(b, first->prefix);
	if (network_of(a, first->prefix) != b)
		schema_wrong(s, path,
			     "%s is outside the network of the first node; allowed: an address of "
			     "%u.%u.%u.%u/%d",
			     text, b >> 24, b >> 16 & 255, b >> 8 & 255, b & 255, first->prefix);
	else if (!rest || rest == 0xffffffffu >> first->prefix)
		schema_wrong(s, path,
			     "%s is the address of the network itself or of all its machines",
			     text);
}

static void check_network(struct schema *s, const struct cluster_config *c)
{
	const struct node_config *first = &c->nodes[0];
	uint32_t a;

	for (int i = 1; i < NODE_COUNT; i++) {
		const struct node_config *n = &c->nodes[i];
		_free_ char *path = mem_printf("cluster.nodes[%d].address", i);

		if (n->address && first->address && n->prefix != first->prefix)
			schema_wrong(
				s, path,
				"/%d, but the first node has /%d; allowed: one network for all",
				n->prefix, first->prefix);
		else
			in_network(s, first, path, n->address);
	}
	in_network(s, first, "cluster.network.gateway", c->gateway);
	in_network(s, first, "cluster.vip", c->vip);
	for (size_t i = 0;
	     first->address && address_parse(first->address, &a) && i < ARRAY_LEN(inner); i++) {
		int shorter = first->prefix < inner[i].prefix ? first->prefix : inner[i].prefix;

		if (network_of(a, shorter) == network_of(inner[i].address, shorter))
			schema_wrong(s, "cluster.nodes[0].address",
				     "the network overlaps %s, which Kubernetes uses for its %s",
				     inner[i].text, inner[i].use);
	}
}

static void check_taken(struct schema *s, const struct cluster_config *c)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_config *n = &c->nodes[i];
		_free_ char *data = mem_printf("cluster.nodes[%d].data", i);

		if (c->vip && str_eq(c->vip, n->address))
			schema_wrong(s, "cluster.vip",
				     "%s is the address of %s; allowed: an unused address", c->vip,
				     n->name ? n->name : "a node");
		if (c->gateway && str_eq(c->gateway, n->address))
			schema_wrong(s, "cluster.network.gateway", "%s is the address of %s",
				     c->gateway, n->name ? n->name : "a node");
		if (n->data && str_eq(n->data, n->disk))
			schema_wrong(s, data, "is the same disk as 'disk'; allowed: a second disk");
	}
	if (c->vip && str_eq(c->vip, c->gateway))
		schema_wrong(s, "cluster.vip", "%s is the gateway; allowed: an unused address",
			     c->vip);
}

/* Three pods and one victim a slot: the oldest is three gaps old when its turn comes. */
static void check_rotation(struct schema *s, const struct cluster_config *c)
{
	int64_t max_age, window;
	struct cron cron;
	int gap;

	if (!c->rotation_max_age || !units_duration(c->rotation_max_age, &max_age))
		return;
	if (c->rotation_window && units_duration(c->rotation_window, &window) && window >= max_age)
		schema_wrong(s, "rotation.window", "%s is not shorter than max_age, %s",
			     c->rotation_window, c->rotation_max_age);
	if (!c->rotation_schedule || cron_parse(c->rotation_schedule, &cron, NULL) < 0)
		return;
	gap = cron_longest_gap(&cron);
	if ((int64_t)gap * NODE_COUNT * DAY > max_age)
		schema_wrong(s, "rotation.schedule",
			     "up to %d days lie between two slots: with one of three pods a slot "
			     "none can stay below max_age, %s",
			     gap, c->rotation_max_age);
}

static void check_backup(struct schema *s, const struct cluster_config *c)
{
	static const char *const keys[] = { "endpoint", "bucket", "region", "prefix" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		_free_ char *path = mem_printf("backup.s3.%s", keys[i]);

		any = any || !schema_is_null(schema_find(s, path));
	}
	for (size_t i = 0; any && i < ARRAY_LEN(keys); i++) {
		_free_ char *path = mem_printf("backup.s3.%s", keys[i]);

		if (schema_is_null(schema_find(s, path)))
			schema_wrong(s, path,
				     "is missing; s3 needs endpoint, bucket, region and prefix, or "
				     "none of them");
	}
	if (c->backup_keep) {
		int64_t keep;

		if (units_duration(c->backup_keep, &keep) && keep < DAY)
			schema_wrong(
				s, "backup.keep",
				"%s is less than the day between two backups; allowed: 1d or more",
				c->backup_keep);
	}
}

static void check_storage(struct schema *s, const struct cluster_config *c)
{
	if (str_eq(c->storage_provider, "local-path") &&
	    !schema_is_null(schema_find(s, "storage.replicas")) && c->storage_replicas > 1)
		schema_wrong(s, "storage.replicas",
			     "local-path keeps one copy; allowed: 1, or no such line");
}

void config_check(struct schema *s, const struct cluster_config *c)
{
	unique(s, c, "name", offsetof(struct node_config, name));
	unique(s, c, "address", offsetof(struct node_config, address));
	unique(s, c, "mac", offsetof(struct node_config, mac));
	check_network(s, c);
	check_taken(s, c);
	check_rotation(s, c);
	check_backup(s, c);
	check_storage(s, c);
}
