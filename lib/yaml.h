/* YAML by libyaml as a tree that knows its lines. Read strictly: one document, no alias, no anchor,
 * no tag, no duplicate key, at most 32 levels, 10,000 nodes, 1 MiB, 256 KiB a value. A description
 * needs none of it and a hostile file lives on it. */
#pragma once

#include "lib/diag.h"
#include "lib/fault.h"

#define YAML_TEXT_MAX (1024 * 1024)
#define YAML_SCALAR_MAX (256 * 1024)
#define YAML_KEY_MAX 128
#define YAML_NODES_MAX 10000
#define YAML_LEVELS_MAX 32

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml {
	enum yaml_kind kind;
	int line, column; /* from 1 */
	char *text;   /* scalar: UTF-8, no NUL; an absent value ("key:") is "" with plain = true */
	bool plain;   /* scalar without quotes: may be a number, boolean, null */
	bool spoiled; /* its mistake was reported: the value is not what the author meant */
	size_t n;     /* children */
	struct yaml **keys;   /* map: scalars */
	struct yaml **values; /* map and list */
};
#define _yaml_ _cleanup_(yaml_freep)

/* Parses TEXT; FILE is for messages. On a mistake adds to D and returns -EINVAL. *RET is then NULL,
 * or, when the mistakes left the structure whole (a key twice, an alias), the tree, so that the
 * other mistakes of the text can be found in the same run; of a key that is there twice the first
 * value counts. The caller frees *RET in any case. All memory is erased on free: secrets come this
 * way too. */
int yaml_parse(const char *file, const char *text, size_t len, struct yaml **ret, struct diags *d);
void yaml_freep(struct yaml **y);
/* The value of KEY; NULL when it is absent, or MAP is none. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);

/* Appends TEXT as the value of a key that stands at column INDENT: " \"…\"\n", or a block that
 * keeps every byte. */
void yaml_put(struct str *out, int indent, const char *text);
/* "…" with escapes, for any UTF-8. */
void yaml_quote(struct str *out, const char *text);
