/* The cluster carries its own id, in ConfigMap kube-system/phoenix-cluster: a record on a disk can
 * be of another moment than the data beside it, and a node that believed a wrong one would make the
 * others stop. So the id is compared with the cluster's own word wherever it is about to be
 * believed. */
#include "firstboot/cluster.h"

#include <errno.h>

#define MARK "/api/v1/namespaces/kube-system/configmaps/phoenix-cluster"

/* 1 read; 0 the cluster carries none yet. */
static int mark_read(struct kube *k, char id[ID_LEN], long *generation, struct fault *f)
{
	_json_ struct json *now = NULL;
	const char *text;
	int r = kube_get(k, MARK, &now, f);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	text = json_string(json_get(now, "data", "id", NULL));
	if (!id_valid(text) || !*text ||
	    !str_to_long(json_string(json_get(now, "data", "generation", NULL)), 0, 1 << 30,
			 generation))
		return fault_set(
			f, EBADMSG,
			"ConfigMap kube-system/phoenix-cluster is damaged: see docs/runbook.md");
	memcpy(id, text, ID_LEN);
	return 1;
}

int mark_check(const struct agent *a, struct kube *k, int through, const char *id, struct fault *f)
{
	char there[ID_LEN] = "";
	long generation = 0;
	int r = mark_read(k, there, &generation, f);

	if (r <= 0 || str_eq(there, id))
		return r < 0 ? r : 0;
	return fault_set(f, ESTALE,
			 "%s says that it belongs to cluster %s, but the cluster it runs in says "
			 "that it is %s: joins neither (docs/runbook.md)",
			 agent_node(a, through)->name, id, there);
}

static void mark_text(const struct agent *a, struct str *out)
{
	_json_ struct json *want = json_object();
	_free_ char *generation = mem_printf("%d", a->rec.generation);
	struct json *meta = json_object(), *data = json_object();

	json_set_str(want, "apiVersion", "v1");
	json_set_str(want, "kind", "ConfigMap");
	json_set_str(meta, "name", "phoenix-cluster");
	json_set_str(meta, "namespace", "kube-system");
	json_set(want, "metadata", meta);
	json_set_str(data, "id", a->rec.cluster);
	json_set_str(data, "generation", generation);
	json_set_str(data, "name", a->seed->config->name);
	json_set(want, "data", data);
	json_print(want, 0, out);
}

int mark_write(const struct agent *a, struct fault *f)
{
	_kube_ struct kube *k = NULL;
	_str_ struct str text = { 0 };
	char id[ID_LEN] = "";
	long generation = 0;
	int r = admin_kube(a, a->seed->self, &k, f);

	if (r == 0)
		r = mark_read(k, id, &generation, f);
	if (r < 0)
		return r;
	if (r == 1 && !str_eq(id, a->rec.cluster))
		return fault_set(f, ESTALE,
				 "this disk belongs to incarnation %s, but the cluster it runs in "
				 "says it is %s: stop and look (docs/runbook.md)",
				 a->rec.cluster, id);
	if (r == 1 && generation >= a->rec.generation)
		return 0;
	mark_text(a, &text);
	return kube_apply(k, MARK, "phoenix", true, text.p, text.len, NULL, f);
}
