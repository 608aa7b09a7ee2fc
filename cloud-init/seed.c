/* Reads a seed. See seed.h. */
#include "cloud-init/seed.h"

#include "cloud-init/schema.h"
#include "lib/crypto.h"

#include <errno.h>

struct reading {
	char *node, *description;
	bool wipe;
};

static const struct schema_field fields[] = {
	{ "node", SCHEMA_TEXT, offsetof(struct reading, node),
	  "the name of a node of the description", .required = true },
	{ "wipe", SCHEMA_FLAG, offsetof(struct reading, wipe), .otherwise = "false" },
	{ "description", SCHEMA_SECRET, offsetof(struct reading, description),
	  "phoenix.yaml as one text", .required = true },
	{ "secrets", SCHEMA_OTHER, .what = "this node's part of secrets.yaml",
	  .required = true }, /* by read_parts */
	{ 0 },
};

static bool all_named(const struct cluster_config *c)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (!c->nodes[i].name)
			return false;
	return true;
}

static void read_parts(const char *file, struct schema *s, const struct reading *x,
		       struct seed *seed)
{
	_free_ char *inner = mem_printf("%s (description)", file);

	/* what could be read of a description with mistakes is enough to find the others' */
	if (x->description &&
	    config_read(inner, x->description, strlen(x->description), &seed->config, s->d) < 0)
		s->bad = true;
	seed->self = seed->config && x->node ? config_node(seed->config, x->node) : -1;
	if (seed->config && x->node && seed->self < 0 && all_named(seed->config))
		schema_wrong(s, "node", "'%s' is no node of the description; allowed: %s, %s or %s",
			     x->node, seed->config->nodes[0].name, seed->config->nodes[1].name,
			     seed->config->nodes[2].name);
	/* without a node that is known, its certificate cannot be told from the others' */
	if (!schema_is_null(schema_find(s, "secrets")) &&
	    secrets_read(file, s->root, "secrets", seed->self < 0 ? NULL : seed->config,
			 SECRETS_NODE, seed->self, &seed->secrets, s->d) < 0)
		s->bad = true;
}

int seed_parse(const char *file, const char *text, size_t len, struct seed **ret, struct diags *d)
{
	struct schema s = { .file = file, .d = d };
	_seed_ struct seed *seed = mem_alloc(sizeof *seed);
	_yaml_ struct yaml *root = NULL;
	struct reading x = { 0 };
	int r = yaml_parse(file, text, len, &root, d);

	if (!root)
		return r;
	s.root = root;
	schema_read(&s, fields, "", root, &x);
	read_parts(file, &s, &x, seed);
	seed->wipe = x.wipe;
	seed->description = TAKE_PTR(x.description);
	schema_free(fields, &x);
	strv_free(&s.canonical);
	if (r < 0 || s.bad)
		return -EINVAL;
	seed->text = mem_strndup(text, len);
	seed->source = mem_strdup(file);
	crypto_sha256_hex(text, len, seed->sha256);
	*ret = TAKE_PTR(seed);
	return 0;
}

void seed_freep(struct seed **ps)
{
	struct seed *s = *ps;

	if (!s)
		return;
	config_freep(&s->config);
	secrets_freep(&s->secrets);
	mem_erase_str(s->text);
	free(s->description);
	free(s->source);
	strv_free(&s->seen);
	free(s);
	*ps = NULL;
}
