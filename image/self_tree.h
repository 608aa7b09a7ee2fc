/* The root file system, in memory, in which a node goes on when everything else of it has ended:
 * systemd-shutdown changes into /run/initramfs and runs /shutdown there, if there is one, after all
 * programs have ended and all disks were released as far as they can be (bootup(7), "exitrd").
 *
 * It is a tmpfs of its own, because /run is mounted noexec by initramfs-tools and small; and it is
 * made of this very system's files, because where the initial RAM disk lies, and in which format,
 * is another thing on each distribution. */
#pragma once

#include "lib/fault.h"
#include "lib/fs.h"

#include <stdint.h>

#define SELF_ROOT "/run/initramfs"
/* Below the root, outside and inside of the exitrd. */
#define SELF_FOLDER "/phoenix"
#define SELF_IMAGE SELF_FOLDER "/image"
#define SELF_SEED SELF_FOLDER "/seed.img"
#define SELF_ORDER SELF_FOLDER "/order.json"
/* What the programs and their libraries take at most: 14 MiB, measured, with room. */
#define SELF_TREE_SIZE (64ULL << 20)

struct self_tree {
	struct fs fs; /* SELF_ROOT */
	int lock;
	bool mounted;
};
#define _self_tree_ _cleanup_(self_tree_close)
#define SELF_TREE_NONE                   \
	{                                \
		.fs.fd = -1, .lock = -1, \
	}

/* An empty tree with room for SIZE bytes beside the programs; 0: for as much as the machine can
 * spare. -ENOMEM: not enough memory; -EBUSY: another run is at work. What a killed run left goes. */
int self_tree_open(struct self_tree *t, uint64_t size, struct fault *f);
/* Puts the programs into it. */
int self_tree_fill(struct self_tree *t, struct fault *f);
/* From now on the machine's next shutdown runs it. */
int self_tree_arm(struct self_tree *t, struct fault *f);
/* It stays although this program ends. */
void self_tree_keep(struct self_tree *t);
/* It goes, and the memory with it, unless it was kept. */
void self_tree_close(struct self_tree *t);

/* The libraries that ldd(1) tells in TEXT, each once. -ENOENT: one is missing. */
int self_tree_libraries(const char *text, struct strv *libraries, struct fault *f);
