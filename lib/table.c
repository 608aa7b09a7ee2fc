/* See table.h. */
#include "lib/table.h"

#include <stdarg.h>

#define NARROW 24 /* characters: a sentence in less is a column of single words */
#define INDENT 4

void table_row(struct table *t, ...)
{
	const char *cell;
	va_list ap;
	size_t n = 0;

	va_start(ap, t);
	while ((cell = va_arg(ap, const char *)) && n++ < t->columns)
		strv_add(&t->cells, cell);
	va_end(ap);
	while (n++ < t->columns)
		strv_add(&t->cells, "");
}

void table_color(struct table *t, size_t column, const char *color)
{
	t->colors = mem_resize(t->colors, t->cells.n * sizeof *t->colors);
	while (t->n_colors < t->cells.n)
		t->colors[t->n_colors++] = NULL;
	t->colors[t->cells.n - t->columns + column] = color;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Characters in the first N bytes of S. */
static size_t width_of(const char *s, size_t n)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++)
		w += !continues(s[i]);
	return w;
}

/* No spaces at the end of a line. */
static void trim(struct str *out)
{
	while (out->len && out->p[out->len - 1] == ' ')
		out->p[--out->len] = 0;
}

static void add_text(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_add_n(out, (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? "?" : s + i, 1);
}

static void add_spaces(struct str *out, size_t n)
{
	while (n--)
		str_add(out, " ");
}

/* Bytes of the next piece of S that stays on one line: a word, or a command in backquotes, which a
 * person copies as a whole, when it fits into ROOM. */
static size_t piece(const char *s, size_t room)
{
	size_t word = strcspn(s, " "), quote = strcspn(s, "`"), end;

	if (quote >= word)
		return word;
	end = quote + 1 + strcspn(s + quote + 1, "`");
	end += strcspn(s + end, " ");
	return end > word && width_of(s, end) <= room ? end : word;
}

/* Breaks S at spaces so that no line is wider than ROOM, each but the first below INDENT. A word
 * that is wider is left to the terminal: cut or torn it could not be copied. */
static void add_wrapped(struct str *out, const char *s, size_t indent, size_t room)
{
	size_t used = 0;

	for (;;) {
		size_t n, wide;

		s += strspn(s, " ");
		if (!*s)
			return;
		n = piece(s, room);
		wide = width_of(s, n);
		if (used && used + 1 + wide > room) {
			str_add(out, "\n");
			add_spaces(out, indent);
			used = 0;
		} else if (used) {
			str_add(out, " ");
			used++;
		}
		add_text(out, s, n);
		used += wide;
		s += n;
	}
}

static void add_cell(const struct table *t, size_t i, struct str *out)
{
	const char *color = i < t->n_colors ? t->colors[i] : NULL;

	if (color)
		str_add(out, color);
	add_text(out, t->cells.v[i], strlen(t->cells.v[i]));
	if (color)
		str_add(out, "\033[0m");
}

/* The last column takes what the others leave of WIDTH. Where that is next to nothing, what does
 * not fit into it gets lines of its own below the row. */
static void add_last(struct str *out, const char *cell, size_t start, size_t width)
{
	size_t left = width > start ? width - start : 0, wide = width_of(cell, strlen(cell));

	if (!width || wide <= left) {
		add_text(out, cell, strlen(cell));
	} else if (left >= NARROW) {
		add_wrapped(out, cell, start, left);
	} else {
		trim(out);
		str_add(out, "\n");
		add_spaces(out, INDENT);
		add_wrapped(out, cell, INDENT, width > INDENT ? width - INDENT : 1);
	}
}

void table_print(const struct table *t, size_t width, struct str *out)
{
	_free_ size_t *wide = mem_alloc(t->columns * sizeof *wide);

	for (size_t i = 0; i < t->cells.n; i++) {
		size_t w = width_of(t->cells.v[i], strlen(t->cells.v[i]));

		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->cells.n; i += t->columns) {
		size_t start = 0, last = t->columns - 1;

		for (size_t c = 0; c < last; c++) {
			const char *cell = t->cells.v[i + c];

			add_cell(t, i + c, out);
			add_spaces(out, wide[c] + 2 - width_of(cell, strlen(cell)));
			start += wide[c] + 2;
		}
		add_last(out, t->cells.v[i + last], start, width);
		trim(out);
		str_add(out, "\n");
	}
}

void table_free(struct table *t)
{
	strv_free(&t->cells);
	free(t->colors);
	t->colors = NULL;
	t->n_colors = 0;
}
