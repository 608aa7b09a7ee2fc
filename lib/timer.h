/* Monotonic time and waiting. Wall clock time decides nothing in this program: machines' clocks
 * jump at first boot. All durations are milliseconds. */
#pragma once

#include <stdint.h>

int64_t timer_now(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */
void timer_sleep(int64_t ms);

/* Exponential backoff with jitter: first BASE, doubling up to CAP. {0} is ready for use. */
struct backoff {
	int64_t next;
};
int64_t backoff_next(struct backoff *b, int64_t base, int64_t cap);
void backoff_reset(struct backoff *b);
