/* See pg_identity.h. */
#include "phoenix-job/pg_identity.h"

#include <errno.h>

#define NAME "postgres"

int pg_identity_read(struct kube *k, const char *ns, struct pg_identity *ret, struct fault *f)
{
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/configmaps/" NAME, ns);
	_json_ struct json *j = NULL;
	const struct json *data;
	int r = kube_get(k, path, &j, f);

	*ret = (struct pg_identity){ 0 };
	if (r == -ENOENT) {
		fault_clear(f);
		return 0;
	}
	if (r < 0)
		return r;
	data = json_get(j, "data", NULL);
	ret->exists = true;
	snprintf(ret->claim, sizeof ret->claim, "%s", json_str(data, "claim") ?: "");
	snprintf(ret->system, sizeof ret->system, "%s", json_str(data, "system") ?: "");
	snprintf(ret->version, sizeof ret->version, "%s",
		 json_str(json_get(j, "metadata", NULL), "resourceVersion") ?: "");
	return 0;
}

int pg_identity_write(struct kube *k, const char *ns, const struct pg_identity *old,
		      const char *claim, const char *system, struct fault *f)
{
	_free_ char *all = mem_printf("/api/v1/namespaces/%s/configmaps", ns);
	_free_ char *one = mem_printf("%s/" NAME, all);
	_json_ struct json *j = json_object();
	struct json *meta = json_object(), *data = json_object();

	json_set_str(j, "apiVersion", "v1");
	json_set_str(j, "kind", "ConfigMap");
	json_set_str(meta, "name", NAME);
	json_set_str(meta, "namespace", ns);
	json_set_str(meta, "resourceVersion", old->exists ? old->version : NULL);
	json_set_str(data, "claim", claim);
	json_set_str(data, "system", *system ? system : NULL);
	json_set(j, "metadata", meta);
	json_set(j, "data", data);
	return old->exists ? kube_replace(k, one, j, NULL, f) : kube_create(k, all, j, NULL, f);
}
