/* The rules as text: a pure function of the description, so that tests can load them anywhere. */
#pragma once

#include "cloud-init/config.h"

/* A complete nft file that replaces table `inet phoenix` and touches no other. Its digest is in the
 * table's own comment: FIREWALL_MARK and 64 hex digits. */
void firewall_render(const struct cluster_config *c, struct str *out);
#define FIREWALL_TABLE "phoenix"
#define FIREWALL_MARK "phoenix rules "
