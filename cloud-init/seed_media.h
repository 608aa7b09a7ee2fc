/* Media labelled CIDATA, mounted for a moment where nobody else looks. */
#pragma once

#include "lib/fs.h"

struct seed_medium {
	struct fs fs; /* what is on it */
	char *folder;
};
#define _medium_ _cleanup_(seed_medium_close)
/* Devices of the running machine with the label CIDATA (or cidata, as cloud-init has it); none
 * below another root. On an error DEVICES holds those that were found nevertheless. */
int seed_media_list(const struct fs *root, struct strv *devices, struct fault *f);
int seed_medium_open(const char *device, bool writable, struct seed_medium *m, struct fault *f);
/* Could it be written at all? Found out without writing. */
bool seed_medium_writable(const char *device);
void seed_medium_close(struct seed_medium *m);
