/* UTF-8 as far as messages need it: is it valid, and which line and column is this byte. */
#pragma once

#include <stddef.h>

/* Offset of the first byte that is NUL or not valid UTF-8 (overlong, surrogate, cut off); LEN when
 * all is well. */
size_t utf8_check(const char *text, size_t len);
/* Line and column, counted in characters from 1, of the byte at OFFSET. */
void utf8_place(const char *text, size_t offset, int *line, int *column);
/* The reverse, for a NUL-terminated text; the offset of its end when there is no such place. */
size_t utf8_offset(const char *text, int line, int column);
/* Bytes of the longest beginning of TEXT that has at most MAX of them and ends with a character. */
size_t utf8_fit(const char *text, size_t max);
