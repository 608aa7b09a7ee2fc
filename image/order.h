/* What a machine that was booted from the network is told, and where it asks: over TLS, by a key
 * whose hash stands on its kernel command line, with a token that is good for one boot.
 *
 *	POST /order  -> this file's struct, as JSON
 *	GET  /image  -> the image, as published
 *	POST /seed   -> the node's CIDATA image, once
 *	POST /tell   <- how far it is: {"step": TEXT, "percent": N}; at the end the step is "done",
 *			or {"error": TEXT, "leave": true when its disk is to be left as it is}
 */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ORDER_VERSION 1
/* `phoenix seed` makes images of 1 MiB. */
#define ORDER_SEED_MAX (64 << 20)

/* The kernel command line of such a machine. */
#define ORDER_SERVER "phoenix.install" /* https://ADDRESS:PORT */
#define ORDER_PIN "phoenix.pin"	       /* sha256//BASE64 */
#define ORDER_TOKEN "phoenix.token"

struct order {
	char *node, *cluster;
	char exchange_ca[65]; /* SHA-256: by it and both names a disk tells whose data it has */
	char *disk;	      /* path below /dev; NULL: the machine's only disk */
	char *data;	      /* its second disk, likewise; NULL: none. Never without `disk` */
	uint64_t image_size, seed_size;
	char image_sha256[65], seed_sha256[65];
	bool reinstall; /* a disk with this node's cluster data may be written; the data is kept */
	bool wipe;	/* …and is not kept */
};
#define _order_ _cleanup_(order_free)

void order_print(const struct order *o, struct str *out);
/* -EPROTO: not understood. */
int order_parse(const char *text, size_t len, struct order *ret, struct fault *f);
void order_free(struct order *o);
