/* See table.h. */
#include "lib/table.h"

#include <stdarg.h>

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

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += !continues(*s);
	return n;
}

static void add_cell(struct str *out, const char *s, size_t max)
{
	size_t n = 0;

	for (; *s; s++) {
		if (!continues(*s) && n++ == max)
			break;
		str_add_n(out, (unsigned char)*s < 0x20 || *s == 0x7f ? "?" : s, 1);
	}
}

void table_print(const struct table *t, size_t width, struct str *out)
{
	_free_ size_t *wide = mem_alloc(t->columns * sizeof *wide);

	for (size_t i = 0; i < t->cells.n; i++) {
		size_t w = width_of(t->cells.v[i]);

		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->cells.n; i += t->columns) {
		size_t used = 0;

		for (size_t c = 0; c < t->columns; c++) {
			const char *cell = t->cells.v[i + c];
			bool last = c + 1 == t->columns;
			size_t left = width && width > used ? width - used : width ? 1 : (size_t)-1;

			add_cell(out, cell, last ? left : (size_t)-1);
			for (size_t n = width_of(cell); !last && n < wide[c] + 2; n++)
				str_add(out, " ");
			used += wide[c] + 2;
		}
		while (out->len && out->p[out->len - 1] == ' ')
			out->p[--out->len] = 0;
		str_add(out, "\n");
	}
}

void table_free(struct table *t)
{
	strv_free(&t->cells);
}
