/* Writes the seeds of a cluster: what `phoenix seed` does, for whoever needs them on the way. */
#pragma once

#include "cloud-init/cluster_folder.h"

/* Each node's folder and image into OUT, replaced as a whole; ONLY empty: of all. WIPE: nodes whose
 * seed lets them erase their data disk. */
int seed_write_all(const struct cluster_folder *c, const char *out, const struct strv *only,
		   const struct strv *wipe, struct fault *f);
