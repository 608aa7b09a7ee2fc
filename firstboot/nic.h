/* Network interfaces as /sys shows them. */
#pragma once

#include "cloud-init/config.h"
#include "lib/fs.h"

/* Names of all interfaces that are a card of this machine or stand on one (not loopback, not the
 * pods' virtual ones), sorted. -ENOENT: no /sys here. */
int nic_list(const struct fs *fs, struct strv *names, struct fault *f);
/* Its MAC, lower case; NULL when it has none. Caller's. */
char *nic_mac(const struct fs *fs, const char *name);
/* The interface that bears MAC: of several (a bridge or bond takes its port's MAC) the one on top,
 * which is where the address belongs. NULL when there is none. Caller's. */
char *nic_by_mac(const struct fs *fs, const char *mac);
/* "eth0 52:54:00:00:00:0a, eth1 …" for messages. Caller's. */
char *nic_sentence(const struct fs *fs);
/* -EPERM when this machine has the MAC of another node of C than SELF. */
int nic_refuse_other(const struct fs *fs, const struct cluster_config *c, int self,
		     struct fault *f);
