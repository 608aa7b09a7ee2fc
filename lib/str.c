/* See str.h. */
#include "lib/str.h"

#include <errno.h>
#include <stdio.h>

static void out_of_memory(void)
{
	fputs("phoenix: out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_resize(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *mem_strndup(const char *s, size_t n)
{
	char *d = mem_alloc(n + 1);

	memcpy(d, s, n);
	return d;
}

char *mem_strdup(const char *s)
{
	return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
	struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	return str_take(&s);
}

void mem_freep(void *p)
{
	free(*(void **)p);
}

void mem_erase_str(char *s)
{
	if (!s)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}

/* Growing copies by hand instead of realloc, so that a secret leaves no copy in freed memory. */
static void reserve(struct str *s, size_t extra)
{
	size_t want = s->len + extra + 1, cap = s->cap ? s->cap : 64;
	char *p;

	if (s->p && want <= s->cap)
		return;
	while (cap < want)
		cap *= 2;
	p = mem_alloc(cap);
	if (s->p) {
		memcpy(p, s->p, s->len);
		explicit_bzero(s->p, s->cap);
		free(s->p);
	}
	s->p = p;
	s->cap = cap;
}

void str_add_n(struct str *s, const void *data, size_t n)
{
	reserve(s, n);
	if (n)
		memcpy(s->p + s->len, data, n);
	s->len += n;
	s->p[s->len] = 0;
}

void str_add(struct str *s, const char *text)
{
	str_add_n(s, text, strlen(text));
}

void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return;
	reserve(s, (size_t)n);
	vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

void str_reset(struct str *s)
{
	s->len = 0;
	if (s->p)
		s->p[0] = 0;
}

void str_free(struct str *s)
{
	free(s->p);
	*s = (struct str){ 0 };
}

void str_erase(struct str *s)
{
	if (s->p)
		explicit_bzero(s->p, s->cap);
	str_free(s);
}

char *str_take(struct str *s)
{
	char *p = s->p ? s->p : mem_strdup("");

	*s = (struct str){ 0 };
	return p;
}

const char *str_text(const struct str *s)
{
	return s->p ? s->p : "";
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a >= b && strcmp(s + a - b, suffix) == 0;
}

char *str_trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		s[--n] = 0;
	return s;
}

bool str_to_long(const char *text, long min, long max, long *ret)
{
	char *end;
	long v;

	if (!text || !*text || strspn(text, "-0123456789") != strlen(text))
		return false;
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

void strv_add(struct strv *l, const char *s)
{
	l->v = mem_resize(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = mem_strdup(s);
}

void strv_addf(struct strv *l, const char *fmt, ...)
{
	struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	strv_add(l, str_text(&s));
	str_free(&s);
}

bool strv_has(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, compare);
}

void strv_free(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){ 0 };
}

char *strv_sentence(const struct strv *l)
{
	struct str s = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			str_add(&s, i + 1 == l->n ? " and " : ", ");
		str_add(&s, l->v[i]);
	}
	return str_take(&s);
}
