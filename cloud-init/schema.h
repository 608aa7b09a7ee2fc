/* Reads a YAML tree into a struct by a table: one row a key, with its type, default and what it may
 * hold. The same rows check the file, name the allowed keys, fill in defaults and make the
 * canonical form, so that none of these can disagree. */
#pragma once

#include "lib/yaml.h"

enum schema_type {
	SCHEMA_TEXT,   /* char * */
	SCHEMA_SECRET, /* char *, never shown in a message; may have many lines */
	SCHEMA_NUMBER, /* long */
	SCHEMA_FLAG,   /* bool */
	SCHEMA_LIST,   /* struct strv */
	SCHEMA_OTHER,  /* read by `other`; by the caller when that is NULL */
};

struct schema;
struct schema_field {
	const char *path; /* "cluster.network.dns" */
	enum schema_type type;
	size_t offset;
	const char *what;	      /* what is allowed, for messages; with `words` NULL */
	const char *const *words;     /* the only words allowed, NULL-terminated */
	const char *(*check)(char *); /* NULL: fine (may put the text into its normal form); else
					 what it is not */
	long min, max;		      /* of a number */
	bool required;
	const char *otherwise; /* value of an absent key; NULL: nothing */
	void (*other)(struct schema *s, const char *path, const struct yaml *y, void *base);
};

struct schema {
	const char *file;
	struct diags *d;
	const struct yaml *root;
	struct strv canonical; /* "path=value" of everything that the file says */
	bool bad;
};

/* Reads MAP by FIELDS (ended by a row without a path) into the struct at BASE. PREFIX goes before
 * the paths in messages ("cluster.nodes[1]"), or "". Mistakes go to s->d and set s->bad. */
void schema_read(struct schema *s, const struct schema_field *fields, const char *prefix,
		 const struct yaml *map, void *base);
/* One more mistake, at the place of PATH below the root or of the nearest place above it that
 * exists. */
void schema_wrong(struct schema *s, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a place that is known. */
void schema_wrong_at(struct schema *s, const struct yaml *y, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The value at PATH ("cluster.nodes[1].name") below the root, or NULL. */
const struct yaml *schema_find(const struct schema *s, const char *path);
/* Nothing was written for this key: "key:", "key: ~" or "key: null". */
bool schema_is_null(const struct yaml *y);
/* Frees what FIELDS describe at BASE; secrets are erased. */
void schema_free(const struct schema_field *fields, void *base);
/* SHA-256 of the canonical form: sorted, so that neither comments nor the order of keys count. */
void schema_digest(struct schema *s, char out[65]);
