/* JSON by jansson, behind an opaque type, so that only this file knows the library. See json.h. */
#include <jansson.h>

/* The library's own names that json.h takes over; they are reachable only before it is included. */
static json_t *new_object(void)
{
	return json_object();
}

static json_t *new_array(void)
{
	return json_array();
}

static json_t *new_string(const char *text)
{
	return json_string(text);
}

#include "lib/json.h"

#include <errno.h>

#define MAX_LEVELS 64

/* jansson parses by recursion and knows no limit of our choice: count the levels before it starts.
 */
static bool too_deep(const char *text, size_t len, int *line, int *column)
{
	bool quoted = false;
	int level = 0;

	*line = 1;
	*column = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		(*column)++;
		if (c == '\n') {
			(*line)++;
			*column = 0;
		} else if (quoted && c == '\\') {
			i++;
			(*column)++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == '[' || c == '{')) {
			if (++level > MAX_LEVELS)
				return true;
		} else if (!quoted && (c == ']' || c == '}')) {
			level--;
		}
	}
	return false;
}

static int parse(const char *text, size_t len, size_t flags, struct json **ret, struct fault *f)
{
	json_error_t e;
	int line, column;
	json_t *j;

	if (too_deep(text, len, &line, &column))
		return fault_set(f, EINVAL, "%d:%d: more than %d levels", line, column, MAX_LEVELS);
	flags |= JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	j = json_loadb(text ? text : "", len, flags, &e);
	if (!j)
		return fault_set(f, EINVAL, "%d:%d: %s", e.line > 0 ? e.line : 1,
				 e.column > 0 ? e.column : 1, e.text);
	*ret = (struct json *)j;
	return 0;
}

int json_parse(const char *text, size_t len, struct json **ret, struct fault *f)
{
	return parse(text, len, 0, ret, f);
}

int json_parse_reals(const char *text, size_t len, struct json **ret, struct fault *f)
{
	return parse(text, len, JSON_DECODE_INT_AS_REAL, ret, f);
}

static json_t *own(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

void json_freep(struct json **j)
{
	json_decref(own(*j));
	*j = NULL;
}

const struct json *json_get(const struct json *j, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, j);
	while (j && (key = va_arg(ap, const char *)))
		j = (const struct json *)json_object_get(own(j), key);
	va_end(ap);
	return j;
}

const char *json_string(const struct json *j)
{
	return json_string_value(own(j));
}

const char *json_str(const struct json *j, const char *key)
{
	return json_string_value(json_object_get(own(j), key));
}

int64_t json_int(const struct json *j, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(own(j), key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool json_bool(const struct json *j, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(own(j), key);

	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

size_t json_len(const struct json *j)
{
	return json_is_array(own(j)) ? json_array_size(own(j)) : json_object_size(own(j));
}

const struct json *json_at(const struct json *j, size_t i)
{
	return (const struct json *)json_array_get(own(j), i);
}

const char *json_key_at(const struct json *j, size_t i)
{
	void *it = json_object_iter(own(j));

	while (it && i--)
		it = json_object_iter_next(own(j), it);
	return it ? json_object_iter_key(it) : NULL;
}

static void *made(void *p)
{
	if (!p) {
		fputs("phoenix: out of memory\n", stderr);
		abort();
	}
	return p;
}

struct json *json_object(void)
{
	return made(new_object());
}

struct json *json_array(void)
{
	return made(new_array());
}

/* Words of foreign programs end in status reports: bytes that are no UTF-8 become '?' rather than a
 * report without that line. */
static json_t *text_value(const char *text)
{
	json_t *v = new_string(text);
	_free_ char *plain = NULL;

	if (v)
		return v;
	plain = mem_strdup(text);
	for (char *p = plain; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return made(new_string(plain));
}

static void put(struct json *j, const char *key, json_t *value)
{
	json_object_set_new(own(j), key, made(value));
}

void json_set_str(struct json *j, const char *key, const char *text)
{
	if (text)
		put(j, key, text_value(text));
}

void json_set_int(struct json *j, const char *key, int64_t value)
{
	put(j, key, json_integer(value));
}

void json_set_bool(struct json *j, const char *key, bool value)
{
	put(j, key, json_boolean(value));
}

void json_set(struct json *j, const char *key, struct json *value)
{
	put(j, key, own(value));
}

void json_push(struct json *j, struct json *value)
{
	json_array_append_new(own(j), made(own(value)));
}

void json_push_str(struct json *j, const char *text)
{
	json_array_append_new(own(j), text_value(text));
}

struct json *json_copy(const struct json *j)
{
	return j ? made(json_deep_copy(own(j))) : NULL;
}

static int append(const char *buffer, size_t size, void *data)
{
	str_add_n(data, buffer, size);
	return 0;
}

void json_print(const struct json *j, int indent, struct str *out)
{
	size_t flags = JSON_ENCODE_ANY | (indent > 0 ? (size_t)JSON_INDENT(indent) : JSON_COMPACT);

	json_dump_callback(own(j), append, out, flags);
}
