/* The installing machine's side of order.h: asks the server that booted it. */
#pragma once

#include "image/order.h"
#include "image/source.h"

struct depot {
	const char *url, *pin, *token;
};

int depot_order(const struct depot *d, struct order *ret, struct fault *f);
/* The seed's bytes, appended to OUT (the caller's, to be erased), compared with SHA256. -EEXIST: it
 * was given out already. */
int depot_seed(const struct depot *d, const char *sha256, struct str *out, struct fault *f);
/* The image, compared at its end with the order's sum. */
int depot_image(const struct depot *d, const struct order *o, struct source **ret, struct fault *f);
/* Tells how far this machine is; that nobody listens is no error. ERROR NULL: STEP and PERCENT. */
void depot_tell(const struct depot *d, const char *step, unsigned percent, const char *error);
