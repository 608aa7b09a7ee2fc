/* Shared by the parts of the decision: decide.c (what is this node to do?), decide_blank.c
 * (…without data?) and decide_grant.c (what may it grant?). */
#pragma once

#include "firstboot/decide.h"

static inline bool has_data(const struct node_view *v)
{
	return v->state == NODE_MEMBER || v->state == NODE_JOINING;
}

/* What one decision looks at, and what it says. */
struct scene {
	int self;
	const struct node_view *views, *me;
	const struct words *words;
	const char *formation;
	const char *const *names;
	struct decision *out;
};

void scene_say(struct scene *s, enum action a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A ready peer that this node may join or compare with: not of an older generation than this
 * disk saw (its own record, or the one it was retired for). */
bool scene_may_follow(const struct scene *s, int i);
/* The first node that may be followed, or -1. */
int scene_first_to_follow(const struct scene *s);
/* The word that I is destroyed was about the disk of that time: a machine that answers, or has
 * joined by our own data, is another one. */
bool scene_is_missing(const struct scene *s, int i);
/* What `abandon` is to be given: a disk may hold data without a record of the cluster it is of. */
const char *scene_incarnation(const struct node_view *v);
void decide_blank(struct scene *s);
