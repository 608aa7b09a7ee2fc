/* How far long work is: one line that is redrawn on a terminal, a line each tenth elsewhere (a log,
 * a serial console). On stderr. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct meter {
	const char *what; /* "writing" */
	bool redraw, shown;
	int64_t started, drawn; /* ms */
	int tenth;
};

/* Begins WHAT; ends what was shown before. */
void meter_begin(struct meter *m, const char *what);
/* DONE of TOTAL bytes: percent, rate, time left. May be called as often as it likes. */
void meter_show(struct meter *m, uint64_t done, uint64_t total);
/* Ends the line, so that what follows begins on its own. */
void meter_end(struct meter *m);
/* The text itself, for MS milliseconds since the beginning. */
void meter_text(const char *what, uint64_t done, uint64_t total, int64_t ms, char *out,
		unsigned size);
