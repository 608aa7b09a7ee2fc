/* systemd's units, by systemctl. */
#pragma once

#include "lib/fs.h"

bool service_exists(const struct fs *fs, const char *unit);
bool service_active(const char *unit);
/* What systemd says of it: "active", "inactive", "failed", ...; "" when it cannot be asked. */
char *service_state(const char *unit);
/* systemctl VERB UNIT; a start or stop is asked for, not waited for: in the middle of a boot it
 * may be queued behind what waits for us. */
int service_do(const char *verb, const char *unit, struct fault *f);
