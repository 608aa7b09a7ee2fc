/* What says until when this pod may write, and until when it may be read: a page of memory that the
 * supervisor keeps and that PostgreSQL's processes (phoenix-job/fence) and the supervisor's sibling
 * look at. A file, so that a PostgreSQL that is started later finds it.
 *
 * A permit is a point in time, not a yes or no: whoever keeps the page may be stopped, killed or
 * starved at any moment, and what it allowed has to end all the same. Times are those of
 * lib/timer.h (CLOCK_BOOTTIME, ms): they go on while the machine sleeps, and no clock that is set
 * changes them.
 *
 * The module of PostgreSQL includes this file and nothing else of ours. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PERMIT_MAGIC 0x31746d7265507850 /* "PxPermt1" */

struct permit_page {
	uint64_t magic;		     /* written last: what has it is whole */
	_Atomic int64_t write_until; /* 0: not at all */
	/* A reader's snapshot has to be younger than since: what a standby replayed while it held
	 * no permit may lack commits that the primary did not wait for it with. */
	_Atomic int64_t read_since, read_until;
};

static inline bool permit_page_may_write(const struct permit_page *page, int64_t now)
{
	return now < atomic_load(&page->write_until);
}

/* The end first: it is written last, so that what is looked at is never a new end with an older
 * beginning. */
static inline bool permit_page_may_read(const struct permit_page *page, int64_t snapshot,
					int64_t now)
{
	return now < atomic_load(&page->read_until) && snapshot >= atomic_load(&page->read_since);
}

struct fault;
struct permit;
#define _permit_ _cleanup_(permit_freep)

/* A new page at PATH that permits nothing, in the place of an old one, 0644 (PostgreSQL may be
 * another user). Whoever has the old one mapped keeps it: a new page is made only when no process
 * of PostgreSQL is left. */
int permit_create(const char *path, struct permit **ret, struct fault *f);
/* One that is there, to look at. -ENOENT; -EINVAL: not a page. */
int permit_open(const char *path, struct permit **ret, struct fault *f);
void permit_freep(struct permit **permit);

/* May this pod's PostgreSQL write, be read, NOW? */
bool permit_may_write(const struct permit *p, int64_t now);
bool permit_may_read(const struct permit *p, int64_t now);
int64_t permit_write_until(const struct permit *p);
/* Only by who created it. UNTIL may lie before what was said: 0 ends it at once. */
void permit_write(struct permit *p, int64_t until);
/* From SINCE on until UNTIL; to extend a permit say its SINCE again. */
void permit_read(struct permit *p, int64_t since, int64_t until);
