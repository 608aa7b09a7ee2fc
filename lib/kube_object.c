/* Single objects and lists: get, list, create, replace, patch, delete. See kube.h. */
#include "lib/kube_internal.h"

#include <errno.h>

#define PAGE "500"
#define PAGES_MAX 1000
#define LIST_TRIES 3 /* when the list's version is compacted away between two pages */

int kube_get(struct kube *k, const char *path, struct json **ret, struct fault *f)
{
	struct kube_call c = { .path = path };

	return kube_ask(k, &c, ret, f);
}

/* Appends PAGE's items to ALL. */
static int take_items(const struct json *page, struct json *all, const char *path, struct fault *f)
{
	const struct json *items = json_get(page, "items", NULL);

	/* "items": null is how Go writes an empty list; a single object has none at all. */
	if (!items)
		return fault_set(f, EPROTO, "GET %s: is no list", path);
	for (size_t i = 0; i < json_len(items); i++) {
		const struct json *item = json_at(items, i);

		if (!item)
			return fault_set(f, EPROTO, "GET %s: items is no array", path);
		json_push(all, json_copy(item));
	}
	return 0;
}

static int list_once(struct kube *k, const char *path, struct json **ret, char **version,
		     struct fault *f)
{
	_json_ struct json *all = json_array();
	_free_ char *first = kube_with_query(path, "limit", PAGE);
	_free_ char *next = NULL;

	for (int n = 0; n < PAGES_MAX; n++) {
		_free_ char *at =
			next ? kube_with_query(first, "continue", next) : mem_strdup(first);
		_json_ struct json *page = NULL;
		const char *more;
		int r = kube_get(k, at, &page, f);

		if (r >= 0)
			r = take_items(page, all, path, f);
		if (r < 0)
			return r;
		more = kube_meta(page, "continue");
		if (!more || !*more) {
			if (version) {
				free(*version);
				*version = mem_strdup(kube_meta(page, "resourceVersion"));
			}
			*ret = TAKE_PTR(all);
			return 0;
		}
		free(next);
		next = mem_strdup(more);
	}
	return fault_set(f, EPROTO, "GET %s: the list does not end", path);
}

int kube_list(struct kube *k, const char *path, struct json **ret, char **version, struct fault *f)
{
	int r = -ESTALE;

	for (int n = 0; n < LIST_TRIES && r == -ESTALE; n++)
		r = list_once(k, path, ret, version, f);
	return r;
}

static int write_object(struct kube *k, const char *method, const char *path, const char *type,
			const struct json *object, struct json **ret, struct fault *f)
{
	_secret_ struct str text = { 0 };
	struct kube_call c = { .method = method, .path = path, .content_type = type };

	json_print(object, 0, &text);
	c.body = text.p;
	c.len = text.len;
	return kube_ask(k, &c, ret, f);
}

int kube_create(struct kube *k, const char *path, const struct json *object, struct json **ret,
		struct fault *f)
{
	return write_object(k, "POST", path, "application/json", object, ret, f);
}

int kube_replace(struct kube *k, const char *path, const struct json *object, struct json **ret,
		 struct fault *f)
{
	/* Without one the server would take it for "whatever is there now". */
	if (!kube_meta(object, "resourceVersion"))
		return fault_set(f, EINVAL, "PUT %s: the object has no resourceVersion", path);
	return write_object(k, "PUT", path, "application/json", object, ret, f);
}

int kube_patch(struct kube *k, const char *path, const struct json *patch, struct json **ret,
	       struct fault *f)
{
	return write_object(k, "PATCH", path, "application/merge-patch+json", patch, ret, f);
}

int kube_delete(struct kube *k, const char *path, const char *uid, const char *resource_version,
		struct fault *f)
{
	_json_ struct json *options = json_object();

	json_set_str(options, "apiVersion", "v1");
	json_set_str(options, "kind", "DeleteOptions");
	json_set_str(options, "propagationPolicy", "Background");
	if (uid || resource_version) {
		struct json *must = json_object();

		json_set_str(must, "uid", uid);
		json_set_str(must, "resourceVersion", resource_version);
		json_set(options, "preconditions", must);
	}
	return write_object(k, "DELETE", path, "application/json", options, NULL, f);
}
