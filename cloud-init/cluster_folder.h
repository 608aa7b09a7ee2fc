/* A cluster's folder on the workstation: phoenix.yaml and secrets.yaml. */
#pragma once

#include "cloud-init/secrets.h"
#include "lib/fs.h"

#define DESCRIPTION_FILE "phoenix.yaml"
#define SECRETS_FILE "secrets.yaml"

struct cluster_folder {
	struct str description; /* phoenix.yaml, byte for byte */
	struct cluster_config *config;
	struct secrets *secrets;
};
#define _folder_ _cleanup_(cluster_folder_free)
void cluster_folder_free(struct cluster_folder *c);
/* Reads and checks both files of DIR; all mistakes of both go to D, and then -EINVAL with a fault
 * that counts them. SECRETS_PARTIAL accepts a secrets.yaml that is absent or lacks certificates of
 * nodes. */
int cluster_folder_read(const char *dir, enum secrets_scope scope, struct cluster_folder *c,
			struct diags *d, struct fault *f);
/* Prints D and sets the fault that says how many mistakes there are. Returns -EINVAL. */
int cluster_folder_mistakes(const char *dir, const struct diags *d, struct fault *f);
