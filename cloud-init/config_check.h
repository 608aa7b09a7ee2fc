/* What must fit together in a description, beyond each value for itself. */
#pragma once

#include "cloud-init/config.h"
#include "cloud-init/schema.h"

/* C may lack what was wrong or missing: that was reported, and is not judged again. */
void config_check(struct schema *s, const struct cluster_config *c);
