/* Server-side apply, as far as its callers tell it from a merge: fields that another manager has
 * applied are in conflict. What a manager leaves out the next time stays, and other writes own
 * nothing. Each manager's fields are kept as it applied them, in metadata.managedFields. */
#include "tests/double/api.h"

#define FIELDS "applied" /* the real one's form is another, and no client of it reads it */

/* Names in WORDS what MINE would alter of THEIRS, at PATH. */
static void conflicts(const struct json *theirs, const struct json *mine, const struct json *live,
		      const char *path, struct strv *words)
{
	for (size_t i = 0; i < json_len(mine); i++) {
		const char *key = json_key_at(mine, i);
		const struct json *value = json_get(mine, key, NULL);
		const struct json *other = json_get(theirs, key, NULL);
		const struct json *there = json_get(live, key, NULL);
		_free_ char *at = mem_printf("%s.%s", path, key);

		if (is_object(value) && is_object(other))
			conflicts(other, value, there, at, words);
		else if (other && !same(value, there))
			strv_add(words, at);
	}
}

/* THEIRS without what MINE has; the caller's. */
static struct json *left_of(const struct json *theirs, const struct json *mine)
{
	struct json *left = json_object();

	for (size_t i = 0; i < json_len(theirs); i++) {
		const char *key = json_key_at(theirs, i);
		const struct json *value = json_get(theirs, key, NULL);
		const struct json *other = json_get(mine, key, NULL);

		if (is_object(value) && is_object(other))
			json_set(left, key, left_of(value, other));
		else if (!other)
			json_set(left, key, json_copy(value));
	}
	return left;
}

/* What O sets: all but what says where it belongs. */
static struct json *fields_of(const struct json *o)
{
	static const char *const names[] = { "name", "namespace", "resourceVersion", "uid" };
	_json_ struct json *no_version = without(o, "apiVersion");
	struct json *fields = without(no_version, "kind");
	struct json *m = json_copy(json_get(o, "metadata", NULL));

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct json *less = without(m, names[i]);

		json_freep(&m);
		m = less;
	}
	json_set(fields, "metadata", m);
	if (!json_len(m)) {
		struct json *less = without(fields, "metadata");

		json_freep(&fields);
		fields = less;
	}
	return fields;
}

/* The managers after this one has applied FIELDS, or NULL: a conflict. */
static struct json *managers_of(const struct json *old, const struct json *fields,
				const struct apply *how, struct refusal *no)
{
	const struct json *before = json_get(old, "metadata", "managedFields", NULL);
	_json_ struct json *all = json_array();
	struct json *own = json_object();

	for (size_t i = 0; i < json_len(before); i++) {
		const struct json *entry = json_at(before, i);
		const struct json *theirs = json_get(entry, FIELDS, NULL);
		_strv_ struct strv words = { 0 };
		struct json *kept;

		if (str_eq(json_str(entry, "manager"), how->manager))
			continue;
		conflicts(theirs, fields, old, "", &words);
		if (words.n && !how->force) {
			refuse(no, 409, "Conflict",
			       "Apply failed with %zu conflict%s: conflict with \"%s\": %s",
			       words.n, words.n > 1 ? "s" : "", json_str(entry, "manager"),
			       words.v[0]);
			json_freep(&own);
			return NULL;
		}
		kept = json_copy(entry);
		if (words.n)
			json_set(kept, FIELDS, left_of(theirs, fields));
		json_push(all, kept);
	}
	if (!json_len(fields)) {
		json_freep(&own);
		return TAKE_PTR(all);
	}
	json_set_str(own, "manager", how->manager);
	json_set_str(own, "operation", "Apply");
	json_set(own, FIELDS, json_copy(fields));
	json_push(all, own);
	return TAKE_PTR(all);
}

const struct json *object_apply(struct store *s, const struct place *at, const struct json *o,
				const struct apply *how, bool *made, struct refusal *no)
{
	const struct json *old = store_get(s, at);
	_json_ struct json *fields = fields_of(o), *managers = NULL, *m = NULL;
	_json_ struct json *whole = json_copy(o);

	*made = !old;
	if (!how->manager) {
		refuse(no, 422, "Invalid",
		       "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
		       "required for apply patch");
		return NULL;
	}
	managers = managers_of(old, fields, how, no);
	if (!managers)
		return NULL;
	m = json_copy(json_get(o, "metadata", NULL) ?: json_get(old, "metadata", NULL));
	if (!is_object(m)) {
		json_freep(&m);
		m = json_object();
	}
	if (json_len(managers))
		json_set(m, "managedFields", TAKE_PTR(managers));
	json_set(whole, "metadata", TAKE_PTR(m));
	return old ? object_patch(s, at, whole, no) : object_create(s, at, whole, no);
}
