/* Process 1 of a database pod, the supervisor's sibling: it reaps, and it is there when the
 * supervisor is not. A supervisor that stands still past its permit: PostgreSQL is killed. One that
 * is gone: so is everything else, and the pod begins anew. Should this process be killed, the kernel
 * ends the pod with it. */
#pragma once

#include "lib/fault.h"

/* Returns the exit code of the pod. */
int pg_keep(struct fault *f);
