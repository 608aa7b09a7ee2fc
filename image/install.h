/* Which disks of this machine an order means, and whether they may be written. */
#pragma once

#include "image/order.h"
#include "image/target.h"

/* The machine's only disk that is neither removable nor read-only: its path, the caller's. Waits until
 * no disk has been added for a while. -EAGAIN: there is none; -ENOTUNIQ names all that it could be. */
int install_only_disk(char **ret, struct fault *f);
/* The same, of what `lsblk --json --bytes --nodeps` printed. */
int install_choose(const char *lsblk, size_t len, char **ret, struct fault *f);
/* Waits for the disk PATH, which may be found late while the machine boots. */
void install_wait_for(const char *path);
/* The second disk of an order (`data`), beside the one that is to be written: 1: it has the node's
 * data, 0: it has nothing (or whatever it has is to go). -ENOTUNIQ: it is the same disk; -ENODEV: it is
 * not there; otherwise as flash_data_disk_fits. */
int install_data_disk(const struct order *o, const struct target *t, struct fault *f);
