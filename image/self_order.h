/* What a node that renews itself leaves to the program that runs when nothing of it does any more:
 * which disk, what is kept there, and what was checked. It lies in memory beside the image and the
 * seed, and is compared with what is found before the first byte is written. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SELF_ORDER_VERSION 1

struct self_order {
	char *node, *disk; /* "phoenix-a", "/dev/sda" */
	uint64_t size;	   /* of the disk */
	char *table;	   /* uuid of its partition table */
	char sha256[65];   /* of the image as published */
	bool wipe;	   /* nothing is kept */
	bool no_data;	   /* the node's data is not for this disk */
	bool kept;	   /* a data partition is, from here to there: */
	uint64_t data_start, data_size;
};
#define _self_order_ _cleanup_(self_order_free)

void self_order_print(const struct self_order *o, struct str *out);
/* -EPROTO: not understood. */
int self_order_parse(const char *text, size_t len, struct self_order *ret, struct fault *f);
void self_order_free(struct self_order *o);
