/* systemd's units, by systemctl. */
#pragma once

#include "lib/fs.h"

bool service_exists(const struct fs *fs, const char *unit);
bool service_active(const char *unit);
/* systemctl VERB UNIT, within 30 s. */
int service_do(const char *verb, const char *unit, struct fault *f);
