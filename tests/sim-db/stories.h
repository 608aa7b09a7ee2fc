/* Told schedules: each leads to the one place where a rule of phoenix-job/pg_rules.h is all that is
 * left, which chance would not find in a day. Nothing else goes wrong meanwhile.
 *
 * It begins when all is well (is_steady): cast[0] is the primary, cast[1] and cast[2] the others in
 * either order. A scene that waits for something looks at each step; what it waits for in vain does
 * no harm. */
#pragma once

#include "tests/sim-db/sim.h"

#define AWAY 40000 /* for the rest of the story */

/* One pod is the primary and may write; the others stream from it, and lack next to nothing. The
 * cast is chosen then. */
bool is_steady(struct world *w);
void next_scene(struct world *w, int64_t ms);
void set_link(struct world *w, int i, int k, bool yes);
void cut_off(struct world *w, int i);
void turn_off(struct world *w, int i, int64_t ms);
/* What the API has now is what restore() brings back. */
void keep_state(struct world *w);
/* The first message of this kind that is on its way, or NULL. */
struct message *travelling(struct world *w, enum kind kind, int to);

/* stories_votes.c: who may write when */
void late_renewal(struct world *w);
void late_promise(struct world *w);
void late_answer(struct world *w);
void unseen_renewals(struct world *w);
void old_release(struct world *w);
void two_candidates(struct world *w);
void forgotten_vote(struct world *w);
void promised_after_vote(struct world *w);
void forgotten_promise(struct world *w);
/* stories_record.c: what it has */
void named_late(struct world *w);
void not_marked(struct world *w);
void old_record(struct world *w);
void no_record(struct world *w);
void not_known(struct world *w);
