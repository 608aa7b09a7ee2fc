/* Which kinds there are: those of this table, and what CustomResourceDefinitions bring. */
#include "tests/double/api.h"

#define CORE "v1"
#define CRDS "apiextensions.k8s.io/v1"
#define RBAC "rbac.authorization.k8s.io/v1"

/* group and version, plural, kind, namespaced, unconditional, upsert, generation, typed */
static const struct kind kinds[] = {
	{ CORE, "namespaces", "Namespace", false, true, false, false, true },
	{ CORE, "nodes", "Node", false, true, false, false, true },
	{ CORE, "configmaps", "ConfigMap", true, true, false, false, true },
	{ CORE, "endpoints", "Endpoints", true, true, true, false, true },
	{ CORE, "events", "Event", true, true, true, false, true },
	{ CORE, "persistentvolumeclaims", "PersistentVolumeClaim", true, true, false, false, true },
	{ CORE, "pods", "Pod", true, true, false, true, true },
	{ CORE, "secrets", "Secret", true, true, false, false, true },
	{ CORE, "serviceaccounts", "ServiceAccount", true, true, false, false, true },
	{ CORE, "services", "Service", true, true, false, false, true },
	{ "apps/v1", "daemonsets", "DaemonSet", true, true, false, true, true },
	{ "apps/v1", "deployments", "Deployment", true, true, false, true, true },
	{ "apps/v1", "statefulsets", "StatefulSet", true, true, false, true, true },
	{ "batch/v1", "cronjobs", "CronJob", true, true, false, true, true },
	{ "batch/v1", "jobs", "Job", true, true, false, true, true },
	{ "coordination.k8s.io/v1", "leases", "Lease", true, false, true, false, true },
	{ "policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", true, false, false, true,
	  true },
	{ CRDS, "customresourcedefinitions", "CustomResourceDefinition", false, false, false, true,
	  true },
	{ RBAC, "clusterrolebindings", "ClusterRoleBinding", false, true, true, false, true },
	{ RBAC, "clusterroles", "ClusterRole", false, true, true, false, true },
	{ RBAC, "rolebindings", "RoleBinding", true, true, true, false, true },
	{ RBAC, "roles", "Role", true, true, true, false, true },
};

static const struct place definitions = { .gv = CRDS, .plural = "customresourcedefinitions" };

/* The I-th version that DEFINITION serves, as a kind. */
static bool defined(const struct json *definition, size_t i, struct kind *ret)
{
	const struct json *spec = json_get(definition, "spec", NULL);
	const struct json *names = json_get(spec, "names", NULL);
	const char *version = json_str(json_at(json_get(spec, "versions", NULL), i), "name");

	if (!version)
		return false;
	*ret = (struct kind){ .namespaced = str_eq(json_str(spec, "scope"), "Namespaced"),
			      .generation = true };
	snprintf(ret->gv, sizeof ret->gv, "%s/%s", json_str(spec, "group") ?: "", version);
	snprintf(ret->plural, sizeof ret->plural, "%s", json_str(names, "plural") ?: "");
	snprintf(ret->name, sizeof ret->name, "%s", json_str(names, "kind") ?: "");
	return true;
}

/* Calls EACH with all kinds, until it wants no more. */
static void all_kinds(const struct store *s, bool (*each)(void *user, const struct kind *k),
		      void *user)
{
	_entries_ struct entries crds = { 0 };
	struct kind k;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!each(user, &kinds[i]))
			return;
	store_list(s, &definitions, s->version, &crds);
	for (size_t i = 0; i < crds.n; i++)
		for (size_t v = 0; defined(crds.v[i].object, v, &k); v++)
			if (!each(user, &k))
				return;
}

struct wanted {
	const struct place *at;
	struct kind *ret;
	bool found;
};

static bool is_wanted(void *user, const struct kind *k)
{
	struct wanted *w = user;

	w->found = str_eq(k->gv, w->at->gv) && str_eq(k->plural, w->at->plural);
	if (w->found)
		*w->ret = *k;
	return !w->found;
}

bool kind_find(const struct store *s, const struct place *at, struct kind *ret)
{
	struct wanted w = { at, ret, false };

	all_kinds(s, is_wanted, &w);
	return w.found;
}

struct listing {
	const char *gv;
	struct json *resources;
};

static bool list_one(void *user, const struct kind *k)
{
	struct listing *l = user;
	struct json *r;

	if (!str_eq(k->gv, l->gv))
		return true;
	r = json_object();
	json_set_str(r, "name", k->plural);
	json_set_bool(r, "namespaced", k->namespaced);
	json_set_str(r, "kind", k->name);
	json_push(l->resources, r);
	return true;
}

struct json *kind_list(const struct store *s, const char *gv)
{
	struct listing l = { gv, json_array() };
	struct json *list;

	all_kinds(s, list_one, &l);
	if (!json_len(l.resources)) {
		json_freep(&l.resources);
		return NULL;
	}
	list = json_object();
	json_set_str(list, "kind", "APIResourceList");
	json_set_str(list, "apiVersion", "v1");
	json_set_str(list, "groupVersion", gv);
	json_set(list, "resources", l.resources);
	return list;
}
