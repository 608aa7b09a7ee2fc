/* The steps' functions; the table that orders them is in steps.c, each step in its own step_*.c. */
#pragma once

#include "firstboot/step.h"

#define STEP_DECLARE(name)                                        \
	int step_##name##_check(struct boot *b, struct fault *f); \
	int step_##name##_apply(struct boot *b, struct fault *f)

STEP_DECLARE(seed);
/* What D says of the seeds that were found, each mistake a line in the journal and, by the daemon,
 * on the console. */
void step_seed_tell(const struct boot *b, const struct diags *d);
STEP_DECLARE(identity);
STEP_DECLARE(clock);
STEP_DECLARE(kernel);
STEP_DECLARE(disk);
STEP_DECLARE(network);
STEP_DECLARE(firewall);
STEP_DECLARE(storage);
STEP_DECLARE(k3s_config);
STEP_DECLARE(images);
STEP_DECLARE(vip);
STEP_DECLARE(scrub);
STEP_DECLARE(components);
STEP_DECLARE(exchange);
STEP_DECLARE(cluster);
STEP_DECLARE(k3s);
