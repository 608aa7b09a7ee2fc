/* See cron.h. */
#include "lib/cron.h"

#include "lib/str.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

#define DAY 86400
#define CYCLE (4 * 365 + 1)

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
					   "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekday_names[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};

struct field {
	const char *name;
	int min, max;
	const char *const *names; /* the first stands for MIN */
};
static const struct field fields[] = {
	{ "minute", 0, 59, NULL },
	{ "hour", 0, 23, NULL },
	{ "day of month", 1, 31, NULL },
	{ "month", 1, 12, month_names },
	{ "day of week", 0, 6, weekday_names },
};

/* A number or name at *P, which moves behind it. */
static bool value(const struct field *fd, const char **p, int *ret)
{
	int n = 0, digits = 0;

	for (int i = 0; fd->names && fd->names[i]; i++)
		if (strncasecmp(*p, fd->names[i], 3) == 0) {
			*ret = fd->min + i;
			*p += 3;
			return true;
		}
	for (; isdigit((unsigned char)**p) && digits < 4; (*p)++, digits++)
		n = n * 10 + (**p - '0');
	*ret = n;
	return digits > 0;
}

/* One piece of a list: *, A, A-B, each with /STEP. */
static bool piece(const struct field *fd, const char **p, uint64_t *bits)
{
	int from = fd->min, to = fd->max, step = 1;
	bool single = false;

	if (**p == '*') {
		(*p)++;
	} else {
		if (!value(fd, p, &from))
			return false;
		to = from;
		single = **p != '-';
		if (!single) {
			(*p)++;
			if (!value(fd, p, &to))
				return false;
		}
	}
	if (**p == '/') {
		(*p)++;
		if (!value(&(struct field){ .max = 59 }, p, &step) || step < 1)
			return false;
		if (single)
			to = fd->max;
	}
	if (from < fd->min || to > fd->max || from > to || step > fd->max)
		return false;
	for (int i = from; i <= to; i += step)
		*bits |= 1ULL << i;
	return true;
}

static int read_field(const struct field *fd, const char *text, uint64_t *bits, struct fault *f)
{
	const char *p = text;

	for (;;) {
		if (!piece(fd, &p, bits) || (*p && *p != ','))
			return fault_set(
				f, EINVAL,
				"'%s' is no %s: %d to %d, as *, N, N-M, */N or a list of these",
				text, fd->name, fd->min, fd->max);
		if (!*p)
			return 0;
		p++;
	}
}

static bool date_exists(const struct cron *c)
{
	static const int longest[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (!c->any_weekday) /* either of the two days is enough then */
		return true;
	for (int m = 1; m <= 12; m++)
		for (int d = 1; d <= longest[m - 1]; d++)
			if (c->months >> m & 1 && c->days >> d & 1)
				return true;
	return false;
}

int cron_parse(const char *text, struct cron *ret, struct fault *f)
{
	struct cron c = { 0 };
	uint64_t *bits[] = { &c.minutes, &c.hours, &c.days, &c.months, &c.weekdays };
	_free_ char *copy = mem_strdup(text);
	char *save = NULL, *word = strtok_r(copy, " \t", &save);
	size_t n = 0;

	for (; word; word = strtok_r(NULL, " \t", &save), n++) {
		if (n >= ARRAY_LEN(fields))
			return fault_set(f, EINVAL, "more than five fields");
		if (read_field(&fields[n], word, bits[n], f) < 0)
			return -EINVAL;
		if (n == 2)
			c.any_day = str_eq(word, "*");
		if (n == 4)
			c.any_weekday = str_eq(word, "*");
	}
	if (n != ARRAY_LEN(fields))
		return fault_set(f, EINVAL, "%zu fields instead of five", n);
	if (!date_exists(&c))
		return fault_set(f, EINVAL, "this date never comes");
	*ret = c;
	return 0;
}

bool cron_on_day(const struct cron *c, int64_t day)
{
	time_t t = (time_t)(day * DAY);
	struct tm tm;
	bool by_date, by_weekday;

	gmtime_r(&t, &tm);
	if (!(c->months >> (tm.tm_mon + 1) & 1))
		return false;
	by_date = c->days >> tm.tm_mday & 1;
	by_weekday = c->weekdays >> tm.tm_wday & 1;
	return c->any_day || c->any_weekday ? by_date && by_weekday : by_date || by_weekday;
}

/* Weekdays and leap years repeat together after 28 years; twice that also shows the gap across the
 * seam. */
int cron_longest_gap(const struct cron *c)
{
	int64_t last = -1;
	int longest = 0;

	for (int64_t day = 0; day < 2 * 7 * CYCLE; day++) {
		if (!cron_on_day(c, day))
			continue;
		if (last >= 0 && day - last > longest)
			longest = (int)(day - last);
		last = day;
	}
	return last < 0 ? 2 * 7 * CYCLE : longest;
}
