/* Cron lines of five fields, exactly as Kubernetes' CronJob takes them: minute, hour, day of month,
 * month, day of week (0-6 or names; 7 is refused there). Lists, ranges, steps. UTC. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <stdint.h>

struct cron {
	uint64_t minutes, hours, days, months, weekdays; /* a bit each */
	bool any_day, any_weekday;			 /* the field is '*' */
};
/* -EINVAL with the field and what it may hold; also for a date that never comes, such as the 31st
 * of February. */
int cron_parse(const char *text, struct cron *ret, struct fault *f);
/* Does the line fire on this day? Days since 1970-01-01. */
bool cron_on_day(const struct cron *c, int64_t day);
/* The longest time between two firing days, in days, over a whole cycle of leap years. */
int cron_longest_gap(const struct cron *c);
