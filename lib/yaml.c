/* YAML by libyaml's event interface. The library's own tree builder follows aliases and knows
 * neither our limits nor duplicate keys, so the tree is built here, and everything a description
 * has no use for is a mistake that names its place. See yaml.h. */
#include "lib/yaml.h"

#include "lib/utf8.h"

#include <errno.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	const char *file;
	struct diags *d;
	size_t nodes;
	bool bad;
};

#define AT(mark) (int)(mark).line + 1, (int)(mark).column + 1

/* What libyaml says, in the words of someone who edits a file. */
static const struct {
	const char *says, *means;
} words[] = {
	{ "found character that cannot start any token",
	  "this character cannot begin a value: quote the value" },
	{ "did not find expected key",
	  "a key is expected here: correct the indentation, or quote the value before it" },
	{ "mapping values are not allowed in this context",
	  "a ':' is not allowed here: quote the value, or correct the indentation" },
	{ "could not find expected ':'", "there is no ':' after a key" },
	{ "found unexpected end of stream", "the text ends within a quoted value" },
	{ "did not find expected <document start>", "text follows the end of the document" },
	{ "did not find expected '-' indicator",
	  "a '-' is expected here: correct the indentation of the list" },
	{ "block sequence entries are not allowed in this context",
	  "a list item ('-') is not allowed here" },
	{ "found a tab character where an indentation space is expected",
	  "a tab; YAML is indented by spaces only" },
	{ "found a tab character that violates indentation",
	  "a tab; YAML is indented by spaces only" },
	{ "did not find expected ',' or '}'", "',' or '}' is expected here" },
	{ "did not find expected ',' or ']'", "',' or ']' is expected here" },
};

static int wrong(struct reader *r, yaml_mark_t at, const char *what)
{
	diag_add(r->d, r->file, AT(at), NULL, "%s", what);
	r->bad = true;
	return -EINVAL;
}

static int parser_error(struct reader *r, const char *text)
{
	const yaml_parser_t *p = &r->parser;
	const char *what = p->problem ? p->problem : "not YAML";
	int line = (int)p->problem_mark.line + 1, column = (int)p->problem_mark.column + 1;

	if (p->error == YAML_READER_ERROR)
		utf8_place(text, p->problem_offset, &line, &column);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(words[i].says, what)) {
			what = words[i].means;
			break;
		}
	if (p->error == YAML_SCANNER_ERROR && text[utf8_offset(text, line, column)] == '\t')
		what = "a tab; YAML is indented by spaces only";
	if (p->context && p->context_mark.line + 1 < (size_t)line)
		diag_add(r->d, r->file, line, column, NULL, "%s (%s that began in line %d)", what,
			 str_starts(p->context, "while ") ? p->context + 6 : p->context,
			 (int)p->context_mark.line + 1);
	else
		diag_add(r->d, r->file, line, column, NULL, "%s", what);
	r->bad = true;
	return -EINVAL;
}

static void event_free(yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT && e->data.scalar.value)
		explicit_bzero(e->data.scalar.value, e->data.scalar.length);
	yaml_event_delete(e);
}
#define _event_ _cleanup_(event_free)

/* The text stands before the parser, which knows it only as a stream. */
static int next(struct reader *r, const char *text, yaml_event_t *e)
{
	return yaml_parser_parse(&r->parser, e) ? 0 : parser_error(r, text);
}

/* Anchors, aliases and tags let a short text stand for a huge tree, or for something else than it
 * shows. They spoil the result, not the reading on: the other mistakes are shown in the same run.
 */
static void check_decoration(struct reader *r, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	}
	if (anchor)
		wrong(r, e->start_mark,
		      "an anchor (&name) is not allowed: write the value out where it is needed");
	if (tag)
		wrong(r, e->start_mark, "a tag (!name) is not allowed");
	if (e->type == YAML_ALIAS_EVENT)
		wrong(r, e->start_mark,
		      "an alias (*name) is not allowed: write the value out, or quote it");
}

static struct yaml *scalar(struct reader *r, const yaml_event_t *e, struct yaml *y)
{
	if (e->type != YAML_SCALAR_EVENT) { /* an alias, reported */
		y->text = mem_strdup("");
		y->spoiled = true;
		return y;
	}
	if (e->data.scalar.length > YAML_SCALAR_MAX) {
		wrong(r, e->start_mark, "a value of more than 256 KiB");
		y->spoiled = true;
	}
	if (memchr(e->data.scalar.value, 0, e->data.scalar.length)) {
		wrong(r, e->start_mark, "a NUL character (\\0) in a value");
		y->spoiled = true;
	}
	y->text = mem_strndup((const char *)e->data.scalar.value, e->data.scalar.length);
	y->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return y;
}

/* True: KEY can stand in the tree. */
static bool check_key(struct reader *r, const struct yaml *map, const struct yaml *key, bool *again)
{
	if (key->spoiled) {
		return false;
	} else if (key->kind != YAML_SCALAR || !*key->text || strlen(key->text) > YAML_KEY_MAX) {
		diag_add(r->d, r->file, key->line, key->column, NULL,
			 "a key must be one word of at most %d characters", YAML_KEY_MAX);
		r->bad = true;
		return false;
	}
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->keys[i]->text, key->text)) {
			diag_add(r->d, r->file, key->line, key->column, NULL,
				 "the key '%s' is here twice; first in line %d", key->text,
				 map->keys[i]->line);
			r->bad = *again = true;
			break;
		}
	return true;
}

static void append(struct yaml *y, size_t *cap, struct yaml *key, struct yaml *value)
{
	if (y->n == *cap) {
		*cap = *cap ? *cap * 2 : 8;
		y->values = mem_resize(y->values, *cap * sizeof *y->values);
		if (y->kind == YAML_MAP)
			y->keys = mem_resize(y->keys, *cap * sizeof *y->keys);
	}
	if (y->kind == YAML_MAP)
		y->keys[y->n] = key;
	y->values[y->n++] = value;
}

static int read_node(struct reader *r, const char *text, const yaml_event_t *e, int level,
		     struct yaml **ret);

static int read_children(struct reader *r, const char *text, int level, struct yaml *y)
{
	yaml_event_type_t end =
		y->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	size_t cap = 0;

	for (;;) {
		_event_ yaml_event_t first = { 0 }, second = { 0 };
		_yaml_ struct yaml *key = NULL, *value = NULL;
		bool usable = true, again = false;

		if (next(r, text, &first) < 0)
			return -EINVAL;
		if (first.type == end)
			return 0;
		if (y->kind == YAML_MAP) {
			if (read_node(r, text, &first, level, &key) < 0)
				return -EINVAL;
			usable = check_key(r, y, key, &again);
			if (next(r, text, &second) < 0)
				return -EINVAL;
		}
		if (read_node(r, text, y->kind == YAML_MAP ? &second : &first, level, &value) < 0)
			return -EINVAL;
		value->spoiled |= again; /* the first counts, for everybody who looks */
		if (usable)
			append(y, &cap, TAKE_PTR(key), TAKE_PTR(value));
	}
}

/* Recursion ends at YAML_LEVELS_MAX, whatever the text does. */
static int read_node(struct reader *r, const char *text, const yaml_event_t *e, int level,
		     struct yaml **ret)
{
	_yaml_ struct yaml *y = NULL;

	if (++r->nodes > YAML_NODES_MAX)
		return wrong(r, e->start_mark, "more than 10000 values in one file");
	check_decoration(r, e);
	y = mem_alloc(sizeof *y);
	y->line = (int)e->start_mark.line + 1;
	y->column = (int)e->start_mark.column + 1;
	if (e->type != YAML_MAPPING_START_EVENT && e->type != YAML_SEQUENCE_START_EVENT) {
		scalar(r, e, y);
	} else {
		y->kind = e->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
		if (level > YAML_LEVELS_MAX)
			return wrong(r, e->start_mark, "more than 32 levels");
		if (read_children(r, text, level + 1, y) < 0)
			return -EINVAL;
	}
	*ret = TAKE_PTR(y);
	return 0;
}

static int read_stream(struct reader *r, const char *text, struct yaml **ret)
{
	_event_ yaml_event_t stream = { 0 }, document = { 0 }, root = { 0 }, end = { 0 },
			     after = { 0 };

	if (next(r, text, &stream) < 0 || next(r, text, &document) < 0)
		return -EINVAL;
	if (document.type != YAML_DOCUMENT_START_EVENT) {
		diag_add(r->d, r->file, 1, 1, NULL, "nothing in it");
		return -EINVAL;
	}
	if (next(r, text, &root) < 0 || read_node(r, text, &root, 1, ret) < 0)
		return -EINVAL;
	if (next(r, text, &end) < 0 || next(r, text, &after) < 0)
		return -EINVAL;
	if (after.type != YAML_STREAM_END_EVENT)
		return wrong(r, after.start_mark, "a second document begins here; one is allowed");
	return r->bad ? -EINVAL : 0;
}

/* What libyaml would report late, or by an offset, or not at all. */
static int check_text(const char *file, const char *text, size_t len, struct diags *d)
{
	int line, column;
	size_t bad;

	if (len > YAML_TEXT_MAX) {
		diag_add(d, file, 0, 0, NULL, "larger than 1 MiB");
		return -EINVAL;
	}
	bad = utf8_check(text, len);
	if (bad == len)
		return 0;
	utf8_place(text, bad, &line, &column);
	if (!text[bad])
		diag_add(d, file, line, column, NULL, "a NUL byte: this is no text");
	else
		diag_add(d, file, line, column, NULL, "the byte 0x%02x is not valid UTF-8",
			 (unsigned)(unsigned char)text[bad]);
	return -EINVAL;
}

/* The parser's two buffers hold what it read; secrets come this way too. */
static void parser_erase(yaml_parser_t *p)
{
	if (p->raw_buffer.start)
		explicit_bzero(p->raw_buffer.start,
			       (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	if (p->buffer.start)
		explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	yaml_parser_delete(p);
}

int yaml_parse(const char *file, const char *text, size_t len, struct yaml **ret, struct diags *d)
{
	struct reader r = { .file = file, .d = d };
	_yaml_ struct yaml *y = NULL;
	_free_ char *copy = NULL;
	int e;

	if (len >= 3 &&
	    memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* some editors put a byte order mark */
		text += 3;
		len -= 3;
	}
	e = check_text(file, text ? text : "", len, d);
	if (e < 0)
		return e;
	copy = mem_strndup(text ? text : "", len); /* places are looked up in it: it must end */
	if (!yaml_parser_initialize(&r.parser)) {
		diag_add(d, file, 0, 0, NULL, "not enough memory to read it");
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)copy, len);
	e = read_stream(&r, copy, &y);
	parser_erase(&r.parser);
	explicit_bzero(copy, len);
	*ret = TAKE_PTR(y);
	return e;
}

void yaml_freep(struct yaml **py)
{
	struct yaml *y = *py;

	if (!y)
		return;
	for (size_t i = 0; i < y->n; i++) {
		if (y->keys)
			yaml_freep(&y->keys[i]);
		yaml_freep(&y->values[i]);
	}
	free(y->keys);
	free(y->values);
	mem_erase_str(y->text);
	free(y);
	*py = NULL;
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->keys[i]->text, key))
			return map->values[i];
	return NULL;
}
