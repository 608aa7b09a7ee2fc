/* The three machines as network boot sees them: who was booted, who was given what, how far each
 * is. One lock, because several connections ask at a time. The rules of it: a token is good for one
 * boot; a seed is given out once for a token, unless an error was reported since, and to the address
 * only that the order went to; a machine that is being written is not booted again; one that is done
 * boots from its disk; what is to erase data is not offered twice when its end is not known. Of a
 * running cluster one node is renewed at a time, and only while it can do without. */
#pragma once

#include "cloud-init/config.h"
#include "image/order.h"

#include <pthread.h>

enum pxe_state { PXE_WAITED_FOR, PXE_BOOTED, PXE_ORDERED, PXE_WRITING, PXE_DONE, PXE_FAILED };

/* Nothing heard of a machine that was writing for this long: it may be booted again. */
#define PXE_SILENCE_MS 120000
/* That the cluster can do without a machine holds for so long, from its boot to the seed. */
#define PXE_TURN_MS 600000
/* ...and from the answer to the boot. */
#define PXE_VERDICT_MS 60000

struct pxe_node {
	const struct node_config *config;
	bool wanted;	      /* is to be installed */
	bool renew;	      /* of a running cluster, which is asked first */
	bool reinstall, wipe; /* as in the order */
	bool asked;	      /* the cluster is to be asked */
	bool can_spare;	      /* what it answered, at `judged` (ms; 0: never) */
	int64_t judged;
	struct str seed; /* CIDATA image; erased on free */
	char seed_sha256[65];
	enum pxe_state state;
	char token[65], peer[46];
	bool seed_given;
	bool leave; /* it has data that nobody said may be touched: boots from its disk */
	int boots;
	int64_t began, heard; /* ms, of timer_now(): its boot, its last word */
	char step[64], error[400];
	unsigned percent;
};

struct pxe_nodes {
	pthread_mutex_t lock;
	struct pxe_node v[NODE_COUNT];
	const char *cluster; /* name */
	char exchange_ca[65];
	uint64_t image_size;
	char image_sha256[65];
	bool fixed; /* our own DHCP gave each its address of the description: others are refused */
	struct strv
		reports; /* what a person should know, once each, in order; bounded: strangers can
				make it say things */
};

void pxe_nodes_init(struct pxe_nodes *p);
void pxe_nodes_free(struct pxe_nodes *p);

/* MAC asks from PEER what to boot. 1: install, with a new token in TOKEN; 0: from its disk; -EBUSY:
 * it is being written; -EAGAIN: ask again, the cluster is asked first; -ENOENT: unknown machine;
 * -EPERM: from an address that is not its own. */
int pxe_boot(struct pxe_nodes *p, const char *mac, const char *peer, char token[65]);
/* With TOKEN, from PEER. -EPERM: no such token (any more), or from another address than the order;
 * -EEXIST: the seed was given out; -EAGAIN: it took too long, or another machine is being renewed. */
int pxe_order(struct pxe_nodes *p, const char *token, const char *peer, struct order *ret);
int pxe_seed(struct pxe_nodes *p, const char *token, const char *peer, struct str *ret);
int pxe_image(struct pxe_nodes *p, const char *token, const char *peer);
int pxe_tell(struct pxe_nodes *p, const char *token, const char *peer, const char *text,
	     size_t len);

/* Which node the cluster is to be asked about; -1: none. */
int pxe_asked(struct pxe_nodes *p);
/* The answer: can it do without node I? WHY NULL: it can. */
void pxe_judge(struct pxe_nodes *p, int i, const char *why);

/* A machine that is none of ours was heard of: said once. */
void pxe_stranger(struct pxe_nodes *p, const char *mac);
/* Every wanted machine is done. */
bool pxe_all_done(struct pxe_nodes *p);
const char *pxe_state_name(enum pxe_state s);
