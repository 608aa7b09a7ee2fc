/* What is to be known of the servers: a thread for each pod asks its server, at least once a second,
 * at once when told to, and at once when its connection ends: a server that dies is noticed by that.
 *
 * A look is one statement, so all that it says is of one moment. On a standby without a read permit
 * it is refused like anybody's. */
#pragma once

#include "phoenix-job/route_rules.h"

#include <stdint.h>

#define ROUTE_LOOK_MS 1000

struct route_look;
#define _looks_ _cleanup_(route_look_stop)
struct route_look_as {
	const char *password, *ca_file; /* of the role route */
	int wake;			/* an eventfd, written when something was seen */
};
/* The threads; for ROUTE_PODS pods. */
struct route_look *route_look_start(const struct route_look_as *as);
void route_look_stop(struct route_look **look);
/* Which pods there are. One that has another UID or address than before is a new one, of which
 * nothing is known. */
void route_look_pods(struct route_look *look, const struct route_pod *pods, int n);
/* All are looked at now; the holder (UID) is from now on looked at each MS. */
void route_look_hurry(struct route_look *look, const char *uid, int64_t ms);
/* What was said last, into the pods of the same UID and address. */
void route_look_tell(struct route_look *look, struct route_pod *pods, int n);
