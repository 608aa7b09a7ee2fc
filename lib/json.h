/* JSON by jansson; its types stop here. A `struct json` is a reference: free what you own, never
 * what you looked up. Lookups accept NULL and wrong types and then answer NULL/default: data from
 * outside has no shape until proven. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdint.h>

/* jansson exports these four names itself, and a definition of ours would take the place of its own
 * inside the library: under the hood ours are called otherwise. */
#define json_object phoenix_json_object
#define json_array phoenix_json_array
#define json_string phoenix_json_string
#define json_copy phoenix_json_copy

struct json;
#define _json_ _cleanup_(json_freep)

/* Parses LEN bytes; rejects duplicate keys, NUL in keys, more than 64 levels. -EINVAL with
 * line:column. */
int json_parse(const char *text, size_t len, struct json **ret, struct fault *f);
/* The same, with every number read as a real: for a text whose integers do not fit in 64 bits with
 * sign, and whose integers nobody needs. */
int json_parse_reals(const char *text, size_t len, struct json **ret, struct fault *f);
void json_freep(struct json **j);
/* Value below a path of keys: json_get(j, "metadata", "name", NULL). Borrowed. */
const struct json *json_get(const struct json *j, ...) __attribute__((sentinel));
const char *json_string(const struct json *j);		     /* NULL when not a string */
const char *json_str(const struct json *j, const char *key); /* member as string, or NULL */
int64_t json_int(const struct json *j, const char *key, int64_t otherwise);
bool json_bool(const struct json *j, const char *key, bool otherwise);
size_t json_len(const struct json *j);			    /* of an array or object; else 0 */
const struct json *json_at(const struct json *j, size_t i); /* array element, borrowed */
/* Object iteration in key order of the text: json_key_at(j, 0..len-1). */
const char *json_key_at(const struct json *j, size_t i);

struct json *json_object(void);
struct json *json_array(void);
/* Setters: TEXT NULL leaves the key out. json_set and json_push take over VALUE. */
void json_set_str(struct json *j, const char *key, const char *text);
void json_set_int(struct json *j, const char *key, int64_t value);
void json_set_bool(struct json *j, const char *key, bool value);
void json_set(struct json *j, const char *key, struct json *value);
void json_push(struct json *j, struct json *value);
void json_push_str(struct json *j, const char *text);
struct json *json_copy(const struct json *j); /* deep; the caller's */
/* Appends the text to OUT; INDENT 0 = one line. Keys keep their order of insertion. */
void json_print(const struct json *j, int indent, struct str *out);
