/* See meter.h. */
#include "lib/meter.h"

#include "lib/timer.h"
#include "lib/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_MS 200
/* A rate of less is noise. */
#define RATE_AFTER_MS 1000

void meter_begin(struct meter *m, const char *what)
{
	const char *term = getenv("TERM");

	meter_end(m);
	*m = (struct meter){ .what = what,
			     .redraw = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
			     .started = timer_now(),
			     .tenth = -1 };
}

void meter_text(const char *what, uint64_t done, uint64_t total, int64_t ms, char *out,
		unsigned size)
{
	char have[32], all[32], rate[32];
	int n;

	units_bytes(done, have, sizeof have);
	units_bytes(total, all, sizeof all);
	n = snprintf(out, size, "%s %3u %%  %s of %s", what,
		     total ? (unsigned)(done * 100 / total) : 100, have, all);
	if (ms < RATE_AFTER_MS || !done || n < 0 || (unsigned)n >= size)
		return;
	units_bytes(done * 1000 / (uint64_t)ms, rate, sizeof rate);
	if (done < total) {
		uint64_t left = (total - done) * (uint64_t)ms / done / 1000 + 1;

		snprintf(out + n, size - (unsigned)n, ", %s/s, %llu:%02llu left", rate,
			 (unsigned long long)(left / 60), (unsigned long long)(left % 60));
	} else {
		snprintf(out + n, size - (unsigned)n, ", %s/s, took %lld:%02lld", rate,
			 (long long)(ms / 60000), (long long)(ms / 1000 % 60));
	}
}

void meter_show(struct meter *m, uint64_t done, uint64_t total)
{
	int tenth = total ? (int)(done * 10 / total) : 10;
	int64_t now = timer_now();
	char text[160];

	if (m->redraw ? done < total && now - m->drawn < REDRAW_MS : tenth <= m->tenth)
		return;
	meter_text(m->what, done, total, now - m->started, text, sizeof text);
	if (m->redraw)
		fprintf(stderr, "\r%s\033[K", text);
	else
		fprintf(stderr, "%s\n", text);
	m->drawn = now;
	m->tenth = tenth;
	m->shown = true;
}

void meter_end(struct meter *m)
{
	if (m->redraw && m->shown)
		fputc('\n', stderr);
	m->shown = false;
}
