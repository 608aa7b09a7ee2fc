/* Collected mistakes. A person corrects a file once when all its mistakes are shown at once; a
 * hostile file must not make that list endless. See diag.h. */
#include "lib/diag.h"

#include <stdint.h>

#define MAX_LINES 200
#define MAX_WORD 64

static const char overflow[] = "more mistakes follow; these come first";

static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

void diag_add(struct diags *d, const char *file, int line, int column, const char *key,
	      const char *fmt, ...)
{
	_str_ struct str s = { 0 };
	va_list ap;

	if (d->lines.n > MAX_LINES)
		return;
	if (d->lines.n == MAX_LINES) {
		strv_add(&d->lines, overflow);
		return;
	}
	str_add(&s, file);
	if (line > 0)
		str_addf(&s, ":%d:%d", line, column);
	str_add(&s, ": ");
	if (key && *key)
		str_addf(&s, "%s: ", key);
	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	flatten(s.p);
	if (!strv_has(&d->lines, s.p))
		strv_add(&d->lines, s.p);
}

void diags_print(const struct diags *d)
{
	strv_each (line, &d->lines)
		fprintf(stderr, "%s\n", line);
}

void diags_free(struct diags *d)
{
	strv_free(&d->lines);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edit distance in which two neighbours exchanged count as one mistake: that is how people mistype.
 */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t row[3][MAX_WORD + 1];

	if (n > MAX_WORD || m > MAX_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = least(least(last[j], now[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

const char *diag_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t best = strlen(word) / 3 + 2;
	const char *ret = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i]);

		if (d < best && d < strlen(candidates[i])) {
			best = d;
			ret = candidates[i];
		}
	}
	return ret;
}
