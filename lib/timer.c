/* See timer.h. */
#include "lib/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

int64_t timer_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void timer_sleep(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

int64_t backoff_next(struct backoff *b, int64_t base, int64_t cap)
{
	int64_t wait = b->next ? b->next : base;
	uint16_t r = 0;

	b->next = wait * 2 > cap ? cap : wait * 2;
	/* +-12 %: three machines powered on together must not ask in step for ever */
	if (getrandom(&r, sizeof r, GRND_NONBLOCK) < 0)
		r = 0;
	return wait - wait / 8 + wait / 4 * r / UINT16_MAX;
}

void backoff_reset(struct backoff *b)
{
	b->next = 0;
}
