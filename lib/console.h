/* The screen (or serial line) of the machine, for whoever stands before it and cannot log in. */
#pragma once

#include <stdbool.h>

#define CONSOLE_LINE_MAX 1200 /* more than a step says with a whole fault (lib/fault.h) */

/* Puts LINE among the boot's own lines. Beyond CONSOLE_LINE_MAX bytes it is cut, with "…". A
 * console that does not take it (a container's, a full serial line) is not waited for: false. */
bool console_say(const char *line);
/* For tests: another than /dev/console. */
extern const char *console_path;
