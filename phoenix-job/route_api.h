/* What the Kubernetes API says of the database: Lease, pods, planned move, and once its identity.
 * Each is watched by a thread of its own, and looked at anew every two seconds, since a watch on a dead server says
 * as little as one on which nothing happens. While no server answers, what was seen stays. */
#pragma once

#include "lib/fault.h"
#include "lib/json.h"
#include "lib/str.h"
#include "phoenix-job/route_rules.h"

struct route_api_as {
	const struct strv *servers; /* in the order to try: own node's first */
	const char *account;	    /* KUBE_ACCOUNT */
	const char *ns, *pod;	    /* our own */
	int wake;		    /* an eventfd, written when something was seen */
};
struct route_api;
struct route_api *route_api_start(const struct route_api_as *as);
/* Takes as long as a request that is under way. */
void route_api_stop(struct route_api **api);
/* Lease, pods (without what their servers say), move and identity. */
void route_api_tell(struct route_api *api, struct route_world *w);
/* Our statements wait, for the move ID: to be written into its ConfigMap until that is done or ID is
 * another one ("" = none). */
void route_api_paused(struct route_api *api, const char *id);

/* The objects. What is not as it should be counts as not there. */
void route_read_lease(const struct json *object, struct route_lease *ret);
void route_read_move(const struct json *object, struct route_move *ret);
/* False: no address yet, or none that is one. */
bool route_read_pod(const struct json *object, struct route_pod *ret);
