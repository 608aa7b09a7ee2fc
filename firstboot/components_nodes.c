/* What the Nodes say of what is to be installed. See components.h. */
#include "firstboot/components_internal.h"

#include <errno.h>

#define WOULD "phoenix/components"

const char *components_annotation(const struct json *object, const char *key)
{
	return json_string(json_get(object, "metadata", "annotations", key, NULL));
}

int components_outside(int r, struct fault *f)
{
	if (r != -ETIMEDOUT && r != -ECONNREFUSED && r != -EHOSTUNREACH && r != -ESTALE)
		return r;
	f->code = EAGAIN;
	return -EAGAIN;
}

int components_annotate(struct kube *k, const char *path, const char *uid, const char *key,
			const char *value, struct fault *f)
{
	_json_ struct json *patch = json_object();
	struct json *meta = json_object(), *all = json_object();

	json_set_str(all, key, value);
	json_set_str(meta, "uid", uid);
	json_set(meta, "annotations", all);
	json_set(patch, "metadata", meta);
	return kube_patch(k, path, patch, NULL, f);
}

static bool votes(const struct node_view *me, int node)
{
	for (int v = 0; v < me->n_voters; v++)
		if (me->voters[v].node == node)
			return true;
	return false;
}

bool components_voters(const char *const names[NODE_COUNT], const struct node_view *me,
		       const struct words *words, const char *nodes[NODE_COUNT + 1],
		       struct str *why)
{
	_strv_ struct strv absent = { 0 };
	_free_ char *who = NULL;
	int n = 0;

	for (int i = 0; i < NODE_COUNT; i++)
		if (votes(me, i))
			nodes[n++] = names[i];
		else if (!words->missing[i])
			strv_add(&absent, names[i]);
	nodes[n] = NULL;
	if (!absent.n && n > 1)
		return true;
	who = strv_sentence(&absent);
	str_addf(why, "waits until the cluster is whole: %d of %d nodes are voters%s%s", n,
		 NODE_COUNT, absent.n ? ", not yet " : "", who);
	return false;
}

int components_nodes(const struct install *in, struct json **ret, struct fault *f)
{
	int r = kube_list(in->kube, "/api/v1/nodes", ret, NULL, f);

	return r < 0 ? components_outside(r, f) : 0;
}

static const struct json *node_of(const struct json *nodes, const char *name)
{
	for (size_t i = 0; i < json_len(nodes); i++)
		if (str_eq(json_string(json_get(json_at(nodes, i), "metadata", "name", NULL)),
			   name))
			return json_at(nodes, i);
	return NULL;
}

bool components_published(const struct install *in, const struct json *nodes)
{
	return str_eq(components_annotation(node_of(nodes, in->node), WOULD), in->all->digest);
}

static void add_names(const struct strv *names, const char *what, struct str *why)
{
	_free_ char *sentence = strv_sentence(names);

	if (names->n)
		str_addf(why, "%s%s %s", why->len ? "; " : "", sentence, what);
}

bool components_agreed(const struct install *in, const struct json *nodes, struct str *why)
{
	_strv_ struct strv silent = { 0 }, others = { 0 };

	for (const char *const *name = in->nodes; *name; name++) {
		const char *would = components_annotation(node_of(nodes, *name), WOULD);

		if (!would || !*would)
			strv_add(&silent, *name);
		else if (!str_eq(would, in->all->digest))
			strv_add(&others, *name);
	}
	add_names(&silent, silent.n == 1 ? "has not come so far yet" : "have not come so far yet",
		  why);
	add_names(&others,
		  "would install something else: another version of the program, or another "
		  "description",
		  why);
	return !silent.n && !others.n;
}

static bool node_ready(const struct json *node, const char **why)
{
	const struct json *all = json_get(node, "status", "conditions", NULL);

	*why = "there is no such Node";
	for (size_t i = 0; i < json_len(all); i++) {
		const struct json *c = json_at(all, i);

		if (!str_eq(json_str(c, "type"), "Ready"))
			continue;
		*why = json_str(c, "message") ?: "it says nothing";
		return str_eq(json_str(c, "status"), "True");
	}
	return false;
}

int components_may_begin(const struct install *in, const struct json *nodes, struct fault *f)
{
	if (in->not_yet)
		return fault_set(f, EAGAIN, "%s", in->not_yet);
	for (const char *const *name = in->nodes; *name; name++) {
		const char *why;

		if (!node_ready(node_of(nodes, *name), &why))
			return fault_set(f, EAGAIN, "waits until Node %s is Ready [%.200s]", *name,
					 why);
	}
	return 0;
}

int components_publish(const struct install *in, const struct json *nodes, struct fault *f)
{
	const struct json *own = node_of(nodes, in->node);
	_free_ char *path = mem_printf("/api/v1/nodes/%s", in->node);
	int r;

	if (!own)
		return fault_set(f, EAGAIN, "waits until Node %s is there", in->node);
	if (components_published(in, nodes))
		return 0;
	r = components_annotate(in->kube, path, json_string(json_get(own, "metadata", "uid", NULL)),
				WOULD, in->all->digest, f);
	return r < 0 ? components_outside(r, f) : 1;
}
