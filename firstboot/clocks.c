/* See clocks.h. */
#include "firstboot/clocks.h"

#include <stdio.h>
#include <time.h>

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static void date(int64_t t, char out[32])
{
	time_t when = (time_t)t;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
		memcpy(out, "?", 2);
}

bool clocks_plausible(int64_t now, int64_t earliest, int64_t latest, char why[200])
{
	char is[32], limit[32];

	date(now, is);
	if (now < earliest) {
		date(earliest, limit);
		snprintf(why, 200, "the clock says %s, but it is later than %s", is, limit);
		return false;
	}
	if (now > latest) {
		date(latest, limit);
		snprintf(why, 200,
			 "the clock says %s, but this node's certificate ended on %s: is the clock "
			 "wrong, or the cluster folder to be renewed?",
			 is, limit);
		return false;
	}
	return true;
}

/* Coarse, so that the text is the same at the next look. */
static void span(int64_t s, char out[32])
{
	int64_t unit = s >= 2 * DAY ? DAY : s >= 2 * HOUR ? HOUR : MINUTE;

	snprintf(out, 32, "%lld %s%s", (long long)(s / unit),
		 unit == DAY	? "day"
		 : unit == HOUR ? "hour"
				: "minute",
		 s / unit == 1 ? "" : "s");
}

int clocks_blame(const struct agent *a, const struct round *round, struct fault *f)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		int64_t ahead = round->clock_ahead[i];
		size_t len = strlen(f->text);
		char apart[32];

		if (ahead < MINUTE && ahead > -MINUTE)
			continue;
		span(ahead < 0 ? -ahead : ahead, apart);
		snprintf(f->text + len, sizeof f->text - len,
			 "; this node's clock is %s %s that of %s, and certificates may be refused "
			 "for it: see network.ntp",
			 apart, ahead > 0 ? "ahead of" : "behind", agent_node(a, i)->name);
	}
	return -f->code;
}
