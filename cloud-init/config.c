/* phoenix.yaml by a table. Keys, defaults and limits stand here and nowhere else. See config.h. */
#include "cloud-init/config_check.h"
#include "cloud-init/config_values.h"

#include <errno.h>

#define LABEL_TEXT "1 to 63 of a-z, 0-9 and '-', beginning with a letter, not ending with '-'"
#define AT(member) offsetof(struct cluster_config, member)
#define NODE_AT(member) offsetof(struct node_config, member)

static const char *const acme_words[] = { "production", "staging", NULL };
static const char *const provider_words[] = { "longhorn", "local-path", NULL };
static const char *const reclaim_words[] = { "retain", "delete", NULL };
static const char *const replication_words[] = { "async", "sync", NULL };
static const char *const reads_words[] = { "standbys", "primary", NULL };

static const struct schema_field node_fields[] = {
	{ "name", SCHEMA_TEXT, NODE_AT(name), LABEL_TEXT, .check = value_label, .required = true },
	{ "address", SCHEMA_TEXT, NODE_AT(address),
	  "an address and the length of its network such as 192.0.2.11/24", .check = value_address,
	  .required = true },
	{ "mac", SCHEMA_TEXT, NODE_AT(mac), "six bytes such as 52:54:00:00:00:0a, in quotes",
	  .check = value_mac, .required = true },
	{ "disk", SCHEMA_TEXT, NODE_AT(disk), "a path below /dev/, best /dev/disk/by-id/…",
	  .check = value_device },
	{ "data", SCHEMA_TEXT, NODE_AT(data), "a path below /dev/, best /dev/disk/by-id/…",
	  .check = value_device },
	{ 0 },
};

static void read_nodes(struct schema *s, const char *path, const struct yaml *y, void *base);

static const struct schema_field fields[] = {
	{ "cluster.name", SCHEMA_TEXT, AT(name), LABEL_TEXT, .check = value_label,
	  .required = true },
	{ "cluster.nodes", SCHEMA_OTHER, .what = "a list of exactly three nodes", .required = true,
	  .other = read_nodes },
	{ "cluster.network.gateway", SCHEMA_TEXT, AT(gateway), "an address such as 192.0.2.1",
	  .check = value_ipv4, .required = true },
	{ "cluster.network.dns", SCHEMA_LIST, AT(dns), "IPv4 addresses such as 192.0.2.1",
	  .check = value_ipv4 },
	{ "cluster.network.ntp", SCHEMA_LIST, AT(ntp), "addresses or host names",
	  .check = value_server },
	{ "cluster.vip", SCHEMA_TEXT, AT(vip),
	  "an unused address of the nodes' network, such as 192.0.2.10", .check = value_ipv4 },
	{ "cluster.admin.ssh_keys", SCHEMA_LIST, AT(ssh_keys),
	  "lines such as 'ssh-ed25519 AAAA… name'", .check = value_ssh_key },
	{ "cluster.admin.from", SCHEMA_LIST, AT(admin_from), "networks such as 198.51.100.0/24",
	  .check = value_network },
	{ "domain", SCHEMA_TEXT, AT(domain), "a domain such as example.org", .check = value_domain,
	  .required = true },
	{ "acme.email", SCHEMA_TEXT, AT(acme_email), "an address such as ops@example.org",
	  .check = value_email, .required = true },
	{ "acme.server", SCHEMA_TEXT, AT(acme_server), "an https:// URL", acme_words, value_url,
	  .otherwise = "production" },
	{ "storage.provider", SCHEMA_TEXT, AT(storage_provider), .words = provider_words,
	  .otherwise = "longhorn" },
	{ "storage.replicas", SCHEMA_NUMBER, AT(storage_replicas), .min = 1, .max = 3,
	  .otherwise = "3" },
	{ "storage.reclaim", SCHEMA_TEXT, AT(storage_reclaim), .words = reclaim_words,
	  .otherwise = "retain" },
	{ "database.replication", SCHEMA_TEXT, AT(database_replication), .words = replication_words,
	  .otherwise = "async" },
	{ "database.size", SCHEMA_TEXT, AT(database_size), "a size such as 20Gi",
	  .check = value_size, .otherwise = "20Gi" },
	{ "services.gitea.host", SCHEMA_TEXT, AT(gitea_host), "a host name such as git.example.org",
	  .check = value_domain },
	{ "services.gitea.replicas", SCHEMA_NUMBER, AT(gitea_replicas), .min = 1, .max = 9,
	  .otherwise = "3" },
	{ "services.gitea.repositories", SCHEMA_TEXT, AT(gitea_repositories), "a size such as 50Gi",
	  .check = value_size, .otherwise = "50Gi" },
	{ "services.gitea.reads", SCHEMA_TEXT, AT(gitea_reads), .words = reads_words,
	  .otherwise = "standbys" },
	{ "backup.s3.endpoint", SCHEMA_TEXT, AT(s3_endpoint),
	  "a URL such as https://s3.example.org", .check = value_endpoint },
	{ "backup.s3.bucket", SCHEMA_TEXT, AT(s3_bucket), "3 to 63 of a-z, 0-9, '-' and '.'",
	  .check = value_bucket },
	{ "backup.s3.region", SCHEMA_TEXT, AT(s3_region), "a region such as eu-central-1",
	  .check = value_word },
	{ "backup.s3.prefix", SCHEMA_TEXT, AT(s3_prefix),
	  "letters, digits and '-_./', not beginning with '/'", .check = value_word },
	{ "backup.keep", SCHEMA_TEXT, AT(backup_keep), "a duration such as 14d",
	  .check = value_duration, .otherwise = "14d" },
	{ "rotation.schedule", SCHEMA_TEXT, AT(rotation_schedule),
	  "five fields: minute, hour, day of month, month, day of week (0-6), such as \"0 3 * * "
	  "0\"",
	  .check = value_cron, .otherwise = "0 3 * * 0" },
	{ "rotation.max_age", SCHEMA_TEXT, AT(rotation_max_age), "a duration such as 21d",
	  .check = value_duration, .otherwise = "21d" },
	{ "rotation.window", SCHEMA_TEXT, AT(rotation_window), "a duration such as 6h",
	  .check = value_duration, .otherwise = "6h" },
	{ "monitoring.enabled", SCHEMA_FLAG, AT(monitoring), .otherwise = "true" },
	{ 0 },
};

/* "192.0.2.11/24" is two members of the struct. */
static void split_address(struct node_config *n)
{
	uint32_t address;

	if (n->address && address_split(n->address, &address, &n->prefix))
		n->address[strcspn(n->address, "/")] = 0;
}

static void read_nodes(struct schema *s, const char *path, const struct yaml *y, void *base)
{
	struct cluster_config *c = base;

	if (y->kind != YAML_LIST || y->n != NODE_COUNT)
		schema_wrong_at(s, y, path, "%zu node%s; allowed: a list of exactly three",
				y->kind == YAML_LIST ? y->n : 0,
				y->kind == YAML_LIST && y->n == 1 ? "" : "s");
	for (size_t i = 0; y->kind == YAML_LIST && i < y->n; i++) {
		_free_ char *item = mem_printf("%s[%zu]", path, i);
		struct node_config surplus = { 0 };

		schema_read(s, node_fields, item, y->values[i],
			    i < NODE_COUNT ? &c->nodes[i] : &surplus);
		if (i < NODE_COUNT)
			split_address(&c->nodes[i]);
		schema_free(node_fields, &surplus);
	}
}

/* Defaults that follow from other values. */
static void derive(struct cluster_config *c)
{
	if (!c->dns.n && c->gateway)
		strv_add(&c->dns, c->gateway);
	if (!c->gitea_host && c->domain)
		c->gitea_host = mem_printf("git.%s", c->domain);
}

int config_read(const char *file, const char *text, size_t len, struct cluster_config **ret,
		struct diags *d)
{
	struct schema s = { .file = file, .d = d };
	struct cluster_config *c;
	_yaml_ struct yaml *root = NULL;
	int r;

	if (len > YAML_SCALAR_MAX) { /* a seed carries it as one value */
		diag_add(d, file, 0, 0, NULL, "larger than 256 KiB");
		return -EINVAL;
	}
	r = yaml_parse(file, text, len, &root, d);
	if (!root)
		return r;
	s.root = root;
	*ret = c = mem_alloc(sizeof *c);
	schema_read(&s, fields, "", root, c);
	config_check(&s, c);
	derive(c);
	schema_digest(&s, c->digest);
	strv_free(&s.canonical);
	return r < 0 || s.bad ? -EINVAL : 0;
}

int config_parse(const char *file, const char *text, size_t len, struct cluster_config **ret,
		 struct diags *d)
{
	_config_ struct cluster_config *c = NULL;
	int r = config_read(file, text, len, &c, d);

	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

void config_freep(struct cluster_config **pc)
{
	struct cluster_config *c = *pc;

	if (!c)
		return;
	for (int i = 0; i < NODE_COUNT; i++)
		schema_free(node_fields, &c->nodes[i]);
	schema_free(fields, c);
	free(c);
	*pc = NULL;
}

int config_node(const struct cluster_config *c, const char *name)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (str_eq(c->nodes[i].name, name))
			return i;
	return -1;
}
