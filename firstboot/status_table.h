/* What `phoenix status` prints of its JSON for a person. */
#pragma once

#include "lib/json.h"

struct status_look {
	size_t width; /* of the terminal; 0 = no limit */
	bool colors;
	bool redraw; /* in the place of what was printed before, not below it */
};

/* How FD is to be written to; WATCH: again and again. */
struct status_look status_look(int fd, bool watch);
/* J is of version 1. */
void status_render(const struct json *j, struct status_look look, struct str *out);
/* A voter among three that is in its described state, by its own word. */
bool status_node_is_well(const struct json *node);
