/* The status of a cluster from the workstation. */
#pragma once

#include "lib/json.h"

#define KNOWN_HOSTS_FILE "known_hosts"

/* Asks the nodes of the cluster in the folder DIR over SSH, in their order, until one answers. *RET
 * is its answer, with a member "ssh" in each node that was asked in vain: why. When none answers,
 * each node is one that did not, and its "trouble" is that reason. -EINVAL: DIR has mistakes. */
int status_ask(const char *dir, struct json **ret, struct fault *f);
