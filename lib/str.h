/* Strings that grow, lists of strings, ownership by cleanup attribute, and the calls that are
 * banned because they have cost other C projects their security record. Memory: allocation failure
 * ends the program (mem_* never return NULL): a node agent of a few megabytes has nothing better to
 * do, and half the error paths of C exist only for that case. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _free_ _cleanup_(mem_freep)
#define _str_ _cleanup_(str_free)
#define _secret_ _cleanup_(str_erase)
#define _strv_ _cleanup_(strv_free)

/* Gives a pointer away: the variable becomes NULL, so that its cleanup does nothing. */
#define TAKE_PTR(p)                           \
	({                                    \
		__typeof__(p) *take_ = &(p);  \
		__typeof__(p) gone_ = *take_; \
		*take_ = NULL;                \
		gone_;                        \
	})
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void *mem_alloc(size_t size) __attribute__((returns_nonnull)); /* zeroed */
void *mem_resize(void *p, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s); /* NULL stays NULL */
char *mem_strndup(const char *s, size_t n) __attribute__((returns_nonnull));
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
void mem_freep(void *p); /* for the cleanup attribute: takes the address of a pointer */
/* Overwrites before freeing; S may be NULL. For secrets held as plain C strings. */
void mem_erase_str(char *s);

/* A byte string that grows; always NUL-terminated once something was added. {0} is empty. */
struct str {
	char *p;
	size_t len, cap;
};
void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const void *data, size_t n);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void str_reset(struct str *s); /* empties, keeps the memory */
void str_free(struct str *s);  /* frees; the string is empty again */
void str_erase(struct str *s); /* overwrites and frees: for secrets */
char *str_take(struct str *s)
	__attribute__((returns_nonnull));  /* gives the text away; never NULL */
const char *str_text(const struct str *s); /* "" when empty */
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Cuts white space from both ends, in place; returns the new beginning. */
char *str_trim(char *s);
/* Whole decimal number in [MIN, MAX]; false when TEXT is anything else. */
bool str_to_long(const char *text, long min, long max, long *ret);

/* A list of owned strings. {0} is empty. */
struct strv {
	char **v;
	size_t n;
};
/* break and continue work: the inner loop, there to declare the item, tells the outer one how it
 * ended. */
#define strv_each(item, list)                                                       \
	for (size_t i_##item = 0, go_##item = 1; go_##item && i_##item < (list)->n; \
	     go_##item = !go_##item, i_##item++)                                    \
		for (const char *item = (list)->v[i_##item]; go_##item; go_##item = 0)
void strv_add(struct strv *l, const char *s);
void strv_addf(struct strv *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strv_has(const struct strv *l, const char *s);
void strv_sort(struct strv *l);
void strv_free(struct strv *l);
/* "a, b and c": for messages. Returned string is the caller's. */
char *strv_sentence(const struct strv *l);

/* As in git's banned.h: a call of one of these is a compile error that names it. */
#define BANNED(call) banned_call_##call
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strncpy
#undef strncat
#undef strtok
#define strcpy(...) BANNED(strcpy)
#define strcat(...) BANNED(strcat)
#define sprintf(...) BANNED(sprintf)
#define vsprintf(...) BANNED(vsprintf)
#define strncpy(...) BANNED(strncpy)
#define strncat(...) BANNED(strncat)
#define strtok(...) BANNED(strtok)
