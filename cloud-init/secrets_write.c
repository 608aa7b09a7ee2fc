/* Secrets as YAML, by the table that reads them. See secrets.h. */
#include "cloud-init/secrets_internal.h"

static const char remark[] = "The keys to the cluster. Whoever has this file is the cluster: keep "
			     "it out of version control and in a safe\n"
			     "place; without it no node can be replaced and no backup be read.";

/* Lines for the groups that the path of NOW opens and that of BEFORE had not. Returns the indent of
 * its last key. */
static int open_groups(struct str *out, int indent, const char *before, const char *now)
{
	const char *p = now;
	int depth = indent;

	for (;; depth += 2) {
		size_t n = strcspn(p, "."), done = (size_t)(p - now);

		if (!p[n])
			return depth;
		if (strncmp(before, now, done + n + 1) != 0)
			str_addf(out, "%*s%.*s:\n", depth, "", (int)n, p);
		p += n + 1;
	}
}

static void put(struct str *out, int indent, const char **before, const char *path,
		const char *value)
{
	int depth = open_groups(out, indent, *before, path);
	const char *key = strrchr(path, '.');

	str_addf(out, "%*s%s:", depth, "", key ? key + 1 : path);
	yaml_put(out, depth, value);
	*before = path;
}

static void put_nodes(const struct secrets *s, const struct cluster_config *c, int indent,
		      struct str *out)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		if (!s->nodes[i].cert)
			continue;
		str_addf(out, "%*s%s:\n%*scertificate:", indent, "", c->nodes[i].name, indent + 2,
			 "");
		yaml_put(out, indent + 2, s->nodes[i].cert);
		str_addf(out, "%*skey:", indent + 2, "");
		yaml_put(out, indent + 2, s->nodes[i].key);
	}
}

static void write_fields(const struct secrets *s, const struct cluster_config *c, int indent,
			 struct str *out)
{
	const char *before = "";

	for (const struct schema_field *fd = secrets_fields; fd->path; fd++) {
		const void *at = (const char *)s + fd->offset;

		if (fd->type == SCHEMA_OTHER) {
			int depth = open_groups(out, indent, before, fd->path);

			str_addf(out, "%*s%s:\n", depth, "", strrchr(fd->path, '.') + 1);
			put_nodes(s, c, depth + 2, out);
		} else if (*(char *const *)at) {
			put(out, indent, &before, fd->path, *(char *const *)at);
		}
	}
}

void secrets_write(const struct secrets *s, const struct cluster_config *c, int indent,
		   struct str *out)
{
	_free_ char *copy = mem_strdup(remark);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		str_addf(out, "# %s\n", line);
	if (!s->s3_access_key)
		str_add(out, "# With backup.s3 in phoenix.yaml add the bucket's keys:\n"
			     "# s3:\n#   access_key: …\n#   secret_key: …\n");
	write_fields(s, c, indent, out);
}

void secrets_write_node(const struct secrets *s, const struct cluster_config *c, int self,
			int indent, struct str *out)
{
	struct secrets part = *s; /* borrows every text */

	part.exchange_ca_key = part.root_ca_key = part.database_ca_key = NULL;
	for (int i = 0; i < NODE_COUNT; i++)
		if (i != self)
			part.nodes[i] = (struct node_secrets){ 0 };
	write_fields(&part, c, indent, out);
}
