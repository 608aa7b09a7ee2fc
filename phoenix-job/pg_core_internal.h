/* What the two files of the core share. */
#pragma once

#include "phoenix-job/pg_core.h"

/* Ends a holding whose time is over. */
void pg_core_expire(struct pg_core *c, int64_t now);
/* The highest term of which this pod knows. */
int64_t pg_core_highest(const struct pg_core *c);
/* A promise of this pod's to a primary is in force. */
bool pg_core_has_promised(const struct pg_core *c, int64_t now);
/* A pod is heard whose data is further, and could be promoted itself. */
bool pg_core_is_outdone(const struct pg_core *c, int64_t now);
bool pg_core_may_take(struct pg_core *c, int64_t now);
void pg_core_wish_ask(struct pg_core *c, int64_t now, struct pg_wish *w);
