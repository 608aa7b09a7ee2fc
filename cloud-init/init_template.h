/* The phoenix.yaml that `phoenix init` begins with. */
#pragma once

#include "lib/str.h"

/* Appends it, for the cluster NAME (a DNS label). It passes `phoenix check`: names and addresses
 * are those that are reserved for documentation. */
void init_template(const char *name, struct str *out);
