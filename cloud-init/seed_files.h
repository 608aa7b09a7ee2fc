/* The four files of a node's seed as texts: cloud-init's NoCloud ones and phoenix's own. */
#pragma once

#include "cloud-init/secrets.h"

struct seed_files {
	struct str meta_data, user_data, network_config, seed; /* erased on free */
};
#define _seed_files_ _cleanup_(seed_files_free)
/* DESCRIPTION is phoenix.yaml byte for byte. */
void seed_files_make(const struct cluster_config *c, const struct str *description,
		     const struct secrets *s, int node, bool wipe, struct seed_files *out);
void seed_files_free(struct seed_files *files);
