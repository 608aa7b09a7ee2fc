/* The Lease `postgres' as the API keeps it, and as the core thinks of it (phoenix-job/pg_core.h):
 * one place where the two meet, for the supervisors that write it and the poolers that read it. */
#pragma once

#include "phoenix-job/pg_core.h"

#include "lib/json.h"

#define PG_LEASE_PATH "/apis/coordination.k8s.io/v1/namespaces/%s/leases"

/* What no writer of ours wrote is read as far as it makes sense: a Lease may be edited. RET is
 * whole whatever stands there; OBJECT NULL: there is none. */
void pg_lease_read(const struct json *object, struct pg_lease *ret);
/* The pod that holds it, or "": name and UID (either may be NULL to the caller). */
void pg_lease_holder(const struct json *object, char pod[64], char uid[64]);
/* The object to create (version 0) or to put in the place of that version; the caller's. POD: of
 * the writer; NOW differs from write to write. */
struct json *pg_lease_object(const struct pg_lease *l, const char *ns, const char *pod,
			     const char *now);
