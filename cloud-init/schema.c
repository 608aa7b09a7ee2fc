/* See schema.h. */
#include "cloud-init/schema.h"

#include "lib/crypto.h"

#include <errno.h>

#define MAX_FIELDS 64
#define SHOWN_MAX 60

/* "prefix.path", or either alone. */
static char *full(const char *prefix, const char *path)
{
	return mem_printf("%s%s%s", prefix, *prefix && *path ? "." : "", path);
}

bool schema_is_null(const struct yaml *y)
{
	return !y || (y->kind == YAML_SCALAR && y->plain &&
		      (!*y->text || str_eq(y->text, "~") || str_eq(y->text, "null")));
}

/* Follows PATH from the root; *NEAREST is the last value that exists on the way. */
static const struct yaml *walk(const struct schema *s, const char *path,
			       const struct yaml **nearest)
{
	const struct yaml *y = s->root;
	_free_ char *copy = mem_strdup(path);
	char *save = NULL;

	*nearest = y;
	for (char *part = strtok_r(copy, ".", &save); part && y;
	     part = strtok_r(NULL, ".", &save)) {
		char *index = strchr(part, '[');
		long i = 0;

		if (index) {
			*index++ = 0;
			index[strcspn(index, "]")] = 0;
		}
		y = yaml_get(y, part);
		if (y && !schema_is_null(y))
			*nearest = y;
		if (y && index)
			y = y->kind == YAML_LIST && str_to_long(index, 0, (long)y->n - 1, &i)
				    ? y->values[i]
				    : NULL;
		if (y && !schema_is_null(y))
			*nearest = y;
	}
	return y;
}

const struct yaml *schema_find(const struct schema *s, const char *path)
{
	const struct yaml *nearest;

	return walk(s, path, &nearest);
}

static void wrong(struct schema *s, const struct yaml *y, const char *path, const char *fmt,
		  va_list ap)
{
	_str_ struct str text = { 0 };

	str_vaddf(&text, fmt, ap);
	diag_add(s->d, s->file, y ? y->line : 0, y ? y->column : 0, path, "%s", text.p);
	s->bad = true;
}

void schema_wrong_at(struct schema *s, const struct yaml *y, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wrong(s, y, path, fmt, ap);
	va_end(ap);
}

void schema_wrong(struct schema *s, const char *path, const char *fmt, ...)
{
	const struct yaml *nearest;
	va_list ap;

	walk(s, path, &nearest);
	if (nearest->spoiled) /* its mistake was reported */
		return;
	va_start(ap, fmt);
	wrong(s, nearest, path, fmt, ap);
	va_end(ap);
}

/* What FIELD may hold, in words. */
static char *allowed(const struct schema_field *fd)
{
	_str_ struct str s = { 0 };

	if (!fd->words)
		return fd->type == SCHEMA_NUMBER ? mem_printf("%ld to %ld", fd->min, fd->max)
		       : fd->type == SCHEMA_FLAG ? mem_strdup("true or false")
						 : mem_strdup(fd->what);
	for (size_t i = 0; fd->words[i]; i++)
		str_addf(&s, "%s%s",
			 !i				? ""
			 : fd->words[i + 1] || fd->what ? ", "
							: " or ",
			 fd->words[i]);
	if (fd->what)
		str_addf(&s, " or %s", fd->what);
	return str_take(&s);
}

static bool is_word(const struct schema_field *fd, const char *text)
{
	for (size_t i = 0; fd->words && fd->words[i]; i++)
		if (str_eq(fd->words[i], text))
			return true;
	return false;
}

/* Why TEXT cannot stand in FIELD, or NULL. */
static const char *objection(const struct schema_field *fd, char *text)
{
	long n;

	if (fd->type != SCHEMA_SECRET)
		for (const char *p = text; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return "more than one line";
	if (fd->type == SCHEMA_NUMBER)
		return str_to_long(text, fd->min, fd->max, &n) ? NULL
							       : "not a number of this range";
	if (fd->type == SCHEMA_FLAG)
		return str_eq(text, "true") || str_eq(text, "false") ? NULL
								     : "neither true nor false";
	if (is_word(fd, text))
		return NULL;
	if (fd->words)
		return fd->check && !fd->check(text) ? NULL : "none of these";
	return fd->check ? fd->check(text) : NULL;
}

/* Checks one scalar and gives it out in its normal form; NULL when it is wrong, which is then
 * reported. */
static char *scalar(struct schema *s, const struct schema_field *fd, const char *path,
		    const struct yaml *y)
{
	const char *why;
	_free_ char *words = NULL;
	char *text;

	words = allowed(fd);
	if (y->kind != YAML_SCALAR) {
		schema_wrong_at(s, y, path, "is a %s; allowed: %s",
				y->kind == YAML_MAP ? "map" : "list", words);
		return NULL;
	}
	text = mem_strdup(y->text);
	why = *text ? objection(fd, text) : "empty";
	if (!why)
		return text;
	if (fd->type == SCHEMA_SECRET)
		schema_wrong_at(s, y, path, "is %s; allowed: %s", why, words);
	else
		schema_wrong_at(s, y, path, "'%.*s%s' is %s; allowed: %s", SHOWN_MAX, y->text,
				strlen(y->text) > SHOWN_MAX ? "…" : "", why, words);
	mem_erase_str(text);
	return NULL;
}

static void say(struct schema *s, const char *path, const struct schema_field *fd, const char *text)
{
	long n;

	if (fd->type == SCHEMA_NUMBER && str_to_long(text, fd->min, fd->max, &n))
		strv_addf(&s->canonical, "%s=%ld", path, n);
	else if (fd->type != SCHEMA_SECRET)
		strv_addf(&s->canonical, "%s=%s", path, text);
}

static void read_list(struct schema *s, const struct schema_field *fd, const char *path,
		      const struct yaml *y, struct strv *list)
{
	if (y->kind != YAML_LIST) {
		schema_wrong_at(s, y, path, "must be a list; allowed in it: %s", fd->what);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		_free_ char *item = mem_printf("%s[%zu]", path, i);
		_free_ char *text =
			y->values[i]->spoiled ? NULL : scalar(s, fd, item, y->values[i]);

		if (!text)
			continue;
		if (strv_has(list, text))
			schema_wrong_at(s, y->values[i], item, "'%.*s' stands in the list twice",
					SHOWN_MAX, text);
		strv_add(list, text);
		say(s, item, fd, text);
	}
}

/* TEXT was checked, or is a default of ours. */
static void store(const struct schema_field *fd, void *base, char *text)
{
	void *to = (char *)base + fd->offset;

	switch (fd->type) {
	case SCHEMA_NUMBER:
		str_to_long(text, fd->min, fd->max, to);
		break;
	case SCHEMA_FLAG:
		*(bool *)to = str_eq(text, "true");
		break;
	case SCHEMA_LIST:
		strv_add(to, text);
		break;
	default:
		*(char **)to = text;
		return;
	}
	free(text);
}

static void read_field(struct schema *s, const struct schema_field *fd, const char *path,
		       const struct yaml *y, void *base)
{
	char *text;

	if (fd->type == SCHEMA_OTHER) {
		if (fd->other)
			fd->other(s, path, y, base);
	} else if (fd->type == SCHEMA_LIST) {
		read_list(s, fd, path, y, (struct strv *)((char *)base + fd->offset));
	} else {
		text = scalar(s, fd, path, y);
		if (!text)
			return;
		say(s, path, fd, text);
		store(fd, base, text);
	}
}

/* The part of PATH behind PREFIX when PATH lies below it, else NULL. */
static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!n)
		return path;
	return strncmp(path, prefix, n) == 0 && path[n] == '.' ? path + n + 1 : NULL;
}

/* The keys that may stand directly below PREFIX. */
static void keys_of(const struct schema_field *fields, const char *prefix, struct strv *keys)
{
	for (const struct schema_field *fd = fields; fd->path; fd++) {
		const char *rest = below(fd->path, prefix);
		_free_ char *key = rest ? mem_strndup(rest, strcspn(rest, ".")) : NULL;

		if (key && !strv_has(keys, key))
			strv_add(keys, key);
	}
}

/* What PREFIX stands for was reported: that it is missing is not another mistake. */
static void mark_seen(const struct schema_field *fields, const char *prefix, bool *seen)
{
	for (size_t i = 0; fields[i].path; i++)
		if (str_eq(fields[i].path, prefix) || below(fields[i].path, prefix))
			seen[i] = true;
}

static void unknown_key(struct schema *s, const struct schema_field *fields, const char *group,
			const char *path, const struct yaml *key, bool *seen)
{
	_strv_ struct strv keys = { 0 };
	_free_ char *list = NULL, *meant = NULL;
	const char *near;

	keys_of(fields, group, &keys);
	near = diag_nearest(key->text, (const char *const *)keys.v, keys.n);
	list = strv_sentence(&keys);
	meant = near ? full(group, near) : NULL;
	if (meant)
		mark_seen(fields, meant, seen);
	if (near)
		schema_wrong_at(s, key, path, "no such key; did you mean '%s'? Allowed: %s", near,
				list);
	else
		schema_wrong_at(s, key, path, "no such key; allowed: %s", list);
}

static void read_map(struct schema *s, const struct schema_field *fields, const char *prefix,
		     const char *group, const struct yaml *map, void *base, bool *seen)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct yaml *value = map->values[i];
		_free_ char *path = full(group, map->keys[i]->text);
		_free_ char *shown = full(prefix, path);
		_strv_ struct strv keys = { 0 };
		_free_ char *list = NULL;
		const struct schema_field *fd = fields;

		while (fd->path && !str_eq(fd->path, path))
			fd++;
		if (value->spoiled) {
			mark_seen(fields, path, seen);
			continue;
		}
		if (fd->path) {
			if (schema_is_null(value))
				continue;
			seen[fd - fields] = true;
			read_field(s, fd, shown, value, base);
			continue;
		}
		keys_of(fields, path, &keys);
		list = strv_sentence(&keys);
		if (!keys.n)
			unknown_key(s, fields, group, shown, map->keys[i], seen);
		else if (value->kind == YAML_MAP)
			read_map(s, fields, prefix, path, value, base, seen);
		else if (!schema_is_null(value)) {
			mark_seen(fields, path, seen);
			schema_wrong_at(s, value, shown, "must be a map with the keys %s", list);
		}
	}
}

void schema_read(struct schema *s, const struct schema_field *fields, const char *prefix,
		 const struct yaml *map, void *base)
{
	bool seen[MAX_FIELDS] = { 0 };

	if (map->spoiled)
		return;
	if (map->kind == YAML_MAP) {
		read_map(s, fields, prefix, "", map, base, seen);
	} else {
		_strv_ struct strv keys = { 0 };
		_free_ char *list = NULL;

		keys_of(fields, "", &keys);
		list = strv_sentence(&keys);
		schema_wrong_at(s, map, prefix, "must be a map with the keys %s", list);
		return;
	}
	for (size_t i = 0; fields[i].path; i++) {
		_free_ char *words = NULL, *shown = NULL;

		if (seen[i])
			continue;
		if (fields[i].otherwise)
			store(&fields[i], base, mem_strdup(fields[i].otherwise));
		if (!fields[i].required)
			continue;
		words = allowed(&fields[i]);
		shown = full(prefix, fields[i].path);
		schema_wrong(s, shown, "is missing; allowed: %s", words);
	}
}

void schema_free(const struct schema_field *fields, void *base)
{
	for (const struct schema_field *fd = fields; fd->path; fd++) {
		void *at = (char *)base + fd->offset;

		if (fd->type == SCHEMA_LIST) {
			strv_free(at);
		} else if (fd->type == SCHEMA_TEXT || fd->type == SCHEMA_SECRET) {
			mem_erase_str(*(char **)at);
			*(char **)at = NULL;
		}
	}
}

void schema_digest(struct schema *s, char out[65])
{
	_str_ struct str text = { 0 };

	strv_sort(&s->canonical);
	str_add(&text, "phoenix description 1\n");
	strv_each (line, &s->canonical)
		str_addf(&text, "%s\n", line);
	crypto_sha256_hex(text.p, text.len, out);
}
