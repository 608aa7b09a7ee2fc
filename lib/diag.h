/* All mistakes of an input at once, each with its place: "file:line:column: key: what is wrong,
 * what is allowed". */
#pragma once

#include "lib/str.h"

struct diags {
	struct strv lines; /* in the order found; a text that is already there is not added again */
};
#define _diags_ _cleanup_(diags_free)
/* LINE 0 = no place known. KEY may be NULL or a path such as "cluster.nodes[1].address". */
void diag_add(struct diags *d, const char *file, int line, int column, const char *key,
	      const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void diags_print(const struct diags *d); /* one a line on stderr */
void diags_free(struct diags *d);
/* The word of CANDIDATES (n of them) nearest to WORD by edit distance, or NULL when none is near.
 */
const char *diag_nearest(const char *word, const char *const *candidates, size_t n);
