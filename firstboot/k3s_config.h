/* K3s's settings as text: pure functions of the description, so that a test can compare the three
 * nodes'. What starts or joins a cluster (cluster-init, server) is never in them: that is decided
 * anew at each boot. */
#pragma once

#include "cloud-init/config.h"

/* config.yaml of node SELF. Only node-name and node-ip differ between nodes: K3s compares some of
 * the others among servers and stops, and does not compare `disable`, which would be worse. */
void k3s_config_render(const struct cluster_config *c, int self, struct str *out);
/* A drop-in for the kubelet: what has no command line flag. */
extern const char k3s_kubelet_text[];
