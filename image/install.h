/* Which disk of this machine is meant, when nobody names one. */
#pragma once

#include "lib/fault.h"

#include <stddef.h>

/* The machine's only disk that is neither removable nor read-only: its path, the caller's. -EAGAIN:
 * none is there yet; -ENOTUNIQ names all that it could be. */
int install_only_disk(char **ret, struct fault *f);
/* The same, of what `lsblk --json --bytes --nodeps` printed. */
int install_choose(const char *lsblk, size_t len, char **ret, struct fault *f);
