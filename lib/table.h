/* Text tables for people: columns as wide as their content, cut to the terminal. */
#pragma once

#include "lib/str.h"

struct table {
	size_t columns;
	struct strv cells; /* row by row; the first row is the heading */
};
void table_row(struct table *t, ...)
	__attribute__((sentinel)); /* exactly `columns` strings, then NULL */
/* Renders into OUT; the last column is cut at WIDTH (0 = no limit). Cells count characters of
 * UTF-8, not bytes, and control characters in them are shown as '?'. */
void table_print(const struct table *t, size_t width, struct str *out);
void table_free(struct table *t);
#define _table_ _cleanup_(table_free)
