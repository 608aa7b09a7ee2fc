/* Shared by the two halves of the decision: decide.c (what is this node to do?) and decide_grant.c
 * (what may it grant?). */
#pragma once

#include "firstboot/decide.h"

static inline bool has_data(const struct node_view *v)
{
	return v->state == NODE_MEMBER || v->state == NODE_JOINING;
}
