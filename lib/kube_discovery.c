/* Which path belongs to an apiVersion and kind: asked of the API, kept for the client's life. */
#include "lib/kube_internal.h"

#include <errno.h>

static void kind_free(struct kube_kind *kind)
{
	free(kind->api_version);
	free(kind->kind);
	free(kind->plural);
}

void kube_kinds_forget(struct kube *k, const char *api_version)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->n_kinds; i++) {
		if (api_version && !str_eq(k->kinds[i].api_version, api_version))
			k->kinds[kept++] = k->kinds[i];
		else
			kind_free(&k->kinds[i]);
	}
	k->n_kinds = kept;
	if (!kept) {
		free(k->kinds);
		k->kinds = NULL;
	}
}

void kube_kinds_add(struct kube *k, const char *api_version, const struct json *list)
{
	const struct json *resources = json_get(list, "resources", NULL);

	for (size_t i = 0; i < json_len(resources); i++) {
		const struct json *r = json_at(resources, i);
		const char *plural = json_str(r, "name"), *kind = json_str(r, "kind");

		/* "pods/status" and the like have a kind too, but are no objects of their own */
		if (!kind || !plural || !*plural || strchr(plural, '/'))
			continue;
		k->kinds = mem_resize(k->kinds, (k->n_kinds + 1) * sizeof *k->kinds);
		k->kinds[k->n_kinds++] = (struct kube_kind){
			.api_version = mem_strdup(api_version),
			.kind = mem_strdup(kind),
			.plural = mem_strdup(plural),
			.namespaced = json_bool(r, "namespaced", false),
		};
	}
}

static const struct kube_kind *lookup(const struct kube *k, const char *api_version,
				      const char *kind)
{
	/* what was forgotten lies behind n_kinds */
	/* NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	for (size_t i = 0; i < k->n_kinds; i++)
		if (str_eq(k->kinds[i].api_version, api_version) && str_eq(k->kinds[i].kind, kind))
			return &k->kinds[i];
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	return NULL;
}

int kube_kind_find(struct kube *k, const char *api_version, const char *kind,
		   const struct kube_kind **ret, struct fault *f)
{
	const char *root = strchr(api_version, '/') ? "apis" : "api";
	_free_ char *path = mem_printf("/%s/%s", root, api_version);
	_json_ struct json *list = NULL;
	int r;

	*ret = lookup(k, api_version, kind);
	if (*ret)
		return 0;
	/* A kind that is not known may have come since: a CustomResourceDefinition makes it. */
	r = kube_get(k, path, &list, f);
	if (r < 0 && r != -ENOENT)
		return r;
	kube_kinds_forget(k, api_version);
	kube_kinds_add(k, api_version, list);
	*ret = lookup(k, api_version, kind);
	return *ret ? 0
		    : fault_set(f, ENOENT, "no matches for kind %s in version %s", kind,
				api_version);
}
