/* See utf8.h. */
#include "lib/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character at P, 0 when it is none. */
static size_t sequence(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (!p[0] || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

size_t utf8_check(const char *text, size_t len)
{
	size_t i = 0, n;

	while (i < len && (n = sequence((const unsigned char *)text + i, len - i)))
		i += n;
	return i;
}

void utf8_place(const char *text, size_t offset, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			(*column)++;
		}
	}
}

size_t utf8_offset(const char *text, int line, int column)
{
	const char *p = text;

	for (; line > 1; line--) {
		const char *end = strchr(p, '\n');

		if (!end)
			return strlen(text);
		p = end + 1;
	}
	for (; column > 1 && *p && *p != '\n'; column--)
		do
			p++;
		while ((*p & 0xc0) == 0x80);
	return (size_t)(p - text);
}

size_t utf8_fit(const char *text, size_t max)
{
	size_t n = strnlen(text, max);

	if (text[n])
		while (n && (text[n] & 0xc0) == 0x80)
			n--;
	return n;
}
