/* The list of members as etcd keeps it, and how a change from the log alters it: the same checks in
 * the same order as etcd 3.6, for a change that etcd rejects must not count here either. */
#pragma once

#include "firstboot/bbolt.h"
#include "firstboot/etcd_disk.h"
#include "firstboot/etcd_wal.h"

struct etcd_roll_member {
	struct etcd_member m;
	char urls[512]; /* peer URLs, each ended by a newline: no two members share one */
};

struct etcd_roll {
	struct etcd_roll_member members[ETCD_MEMBERS_MAX];
	int n;
	uint64_t *removed; /* ids that never come back */
	size_t n_removed;
	uint64_t index; /* of the last entry in it: the database's consistent index */
};
#define _etcd_roll_ _cleanup_(etcd_roll_free)
void etcd_roll_free(struct etcd_roll *r);

/* Reads the list from etcd's database. One that etcd never wrote to is an empty list of index 0. */
int etcd_roll_read(struct etcd_roll *r, struct bbolt *db, struct fault *f);
/* 1: C changed the list; 0: etcd rejects C, or it changes nothing; -EBADMSG: etcd would panic. */
int etcd_roll_apply(struct etcd_roll *r, const struct wal_change *c, struct fault *f);
bool etcd_roll_removed(const struct etcd_roll *r, uint64_t id);
/* ID is a voter, and the only one. */
bool etcd_roll_lone(const struct etcd_roll *r, uint64_t id);
