/* The installing machine's side of order.h: asks the server that booted it. */
#pragma once

#include "image/order.h"
#include "image/source.h"
#include "lib/http.h"

struct depot {
	const char *url, *pin, *token;
};

int depot_order(const struct depot *d, struct order *ret, struct fault *f);
/* The seed's bytes, appended to OUT (the caller's, to be erased), compared with SHA256. -EEXIST: it
 * was given out already. */
int depot_seed(const struct depot *d, const char *sha256, struct str *out, struct fault *f);
/* The image, compared at its end with the order's sum. */
int depot_image(const struct depot *d, const struct order *o, struct source **ret, struct fault *f);
/* Tells how far this machine is; that nobody listens is no error. */
void depot_tell(const struct depot *d, struct http_client *client, const char *step,
		unsigned percent);
/* The last word: "done", or what went wrong (ERROR; LEAVE: the disk is as it was and is to stay so).
 * Said again until the server took it, for PATIENCE_MS; -EPERM: it does not know this machine (any
 * more). */
int depot_end(const struct depot *d, const char *error, bool leave, int64_t patience_ms,
	      struct fault *f);
