/* keepalived's configuration as text. */
#pragma once

#include "cloud-init/config.h"

void vip_render(const struct cluster_config *c, int self, const char *interface, struct str *out);
/* The program by which keepalived asks whether this node's edge answers. */
void vip_render_check(const struct cluster_config *c, int self, struct str *out);
