/* JSON as an API server sees it: comparing, merging, selecting, and what was written as YAML. */
#include "tests/double/api.h"

#include "lib/yaml.h"

#include <errno.h>

static char *printed(const struct json *j)
{
	struct str s = { 0 };

	json_print(j, 0, &s);
	return str_take(&s);
}

bool is_object(const struct json *j)
{
	_free_ char *text = NULL;

	if (!j || json_key_at(j, 0))
		return j;
	text = printed(j);
	return str_eq(text, "{}");
}

static bool is_null(const struct json *j)
{
	_free_ char *text = json_len(j) ? NULL : printed(j);

	return str_eq(text, "null");
}

bool same(const struct json *a, const struct json *b)
{
	_free_ char *one = NULL, *two = NULL;

	if (!a || !b)
		return a == b;
	if (json_len(a) != json_len(b) || !json_key_at(a, 0) != !json_key_at(b, 0))
		return false;
	for (size_t i = 0; i < json_len(a); i++) {
		const char *key = json_key_at(a, i);

		if (!same(key ? json_get(a, key, NULL) : json_at(a, i),
			  key ? json_get(b, key, NULL) : json_at(b, i)))
			return false;
	}
	if (json_len(a))
		return true;
	one = printed(a);
	two = printed(b);
	return str_eq(one, two);
}

struct json *without(const struct json *object, const char *key)
{
	struct json *left = json_object();

	for (size_t i = 0; i < json_len(object); i++) {
		const char *name = json_key_at(object, i);

		if (!str_eq(name, key))
			json_set(left, name, json_copy(json_get(object, name, NULL)));
	}
	return left;
}

struct json *merge(const struct json *target, const struct json *patch)
{
	struct json *out = is_object(target) ? json_copy(target) : json_object();

	for (size_t i = 0; i < json_len(patch); i++) {
		const char *key = json_key_at(patch, i);
		const struct json *value = json_get(patch, key, NULL);

		if (is_null(value)) {
			struct json *less = without(out, key);

			json_freep(&out);
			out = less;
		} else if (is_object(value)) {
			json_set(out, key, merge(json_get(out, key, NULL), value));
		} else {
			json_set(out, key, json_copy(value));
		}
	}
	return out;
}

/* What is no text: NULL otherwise. */
static struct json *plain(const struct yaml *y)
{
	const char *text = *y->text && !str_eq(y->text, "~") ? y->text : "null";
	struct json *j = NULL;

	/* a number, true, false and null are written alike in both */
	return y->plain && json_parse(text, strlen(text), &j, NULL) == 0 ? j : NULL;
}

static struct json *tree(const struct yaml *y)
{
	struct json *j = y->kind == YAML_MAP ? json_object() : json_array();

	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *v = y->values[i];
		struct json *value = v->kind == YAML_SCALAR ? plain(v) : tree(v);
		const char *key = y->kind == YAML_MAP ? y->keys[i]->text : NULL;

		if (key && value)
			json_set(j, key, value);
		else if (key)
			json_set_str(j, key, v->text);
		else if (value)
			json_push(j, value);
		else
			json_push_str(j, v->text);
	}
	return j;
}

int from_yaml(const char *text, size_t len, struct json **ret, struct fault *f)
{
	_diags_ struct diags mistakes = { 0 };
	_yaml_ struct yaml *y = NULL;

	if (len && *text == '{')
		return json_parse(text, len, ret, f);
	if (yaml_parse("body", text, len, &y, &mistakes) < 0)
		return fault_set(f, EINVAL, "%s",
				 mistakes.lines.n ? mistakes.lines.v[0] : "no YAML");
	if (y->kind != YAML_MAP)
		return fault_set(f, EINVAL, "no object");
	*ret = tree(y);
	return 0;
}

const char *meta(const struct json *object, const char *key)
{
	return json_str(json_get(object, "metadata", NULL), key);
}

bool labels_fit(const char *selector, const struct json *object)
{
	_free_ char *list = mem_strdup(selector);
	const struct json *labels = json_get(object, "metadata", "labels", NULL);
	char *save = NULL;

	for (char *s = list ? strtok_r(list, ",", &save) : NULL; s;
	     s = strtok_r(NULL, ",", &save)) {
		char *is = strchr(s, '=');
		const char *value;

		if (is) {
			*is++ = 0;
			is += *is == '=';
		}
		value = json_str(labels, s);
		if (!value || (is && !str_eq(value, is)))
			return false;
	}
	return true;
}

#define BY_NAME "metadata.name"

bool fields_fit(const char *selector, const struct json *object)
{
	const char *rest;

	if (!selector)
		return true;
	rest = selector + strlen(BY_NAME);
	if (str_starts(rest, "!="))
		return !str_eq(meta(object, "name"), rest + 2);
	return str_eq(meta(object, "name"), rest + (str_starts(rest, "==") ? 2 : 1));
}
