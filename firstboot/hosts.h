/* A block of lines between two markers in a text that belongs to others as well: /etc/hosts. */
#pragma once

#include "lib/str.h"

/* TEXT with phoenix's block replaced by, or else appended, BLOCK (whole lines). A beginning whose
 * end was lost takes nothing but its own line away. */
void hosts_merge(const char *text, const char *block, struct str *out);
