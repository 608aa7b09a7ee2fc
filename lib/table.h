/* Text tables for people: columns as wide as their content, the last one wrapped to the
 * terminal. */
#pragma once

#include "lib/str.h"

struct table {
	size_t columns;
	struct strv cells;   /* row by row; the first row is the heading */
	const char **colors; /* of the first n_colors cells, NULL = none */
	size_t n_colors;
};
void table_row(struct table *t, ...)
	__attribute__((sentinel)); /* exactly `columns` strings, then NULL */
/* Colours a cell of the last row, in any column but the last. COLOR is the terminal's sequence for
 * it and is not copied. */
void table_color(struct table *t, size_t column, const char *color);
/* Renders into OUT. The last column is broken at spaces so that lines end at WIDTH (0 = no limit):
 * below its own beginning, or, when the others leave it no room, below the row. Nothing is left
 * out, no word is torn, and a command in backquotes stays on one line when it fits. Cells count
 * characters of UTF-8, not bytes, and control characters in them are shown as '?'. */
void table_print(const struct table *t, size_t width, struct str *out);
void table_free(struct table *t);
#define _table_ _cleanup_(table_free)
