/* What etcd's files on this disk say about membership, read while etcd is down. INV-1 hangs on it:
 * whether this node is a voter, and whether by its own list it is the *only* voter, must come from
 * the data that etcd itself would start from (bbolt `members` bucket at its consistent index, then
 * the configuration changes in the WAL after it), not from a stamp file of ours that can be older
 * or newer than that data. Never writes. Formats: bbolt pages (magic 0xED0CDAED, version 2), etcd
 * v3.6 schema buckets `members`, `members_removed`, `meta`, `cluster`; WAL frames walpb.Record,
 * raftpb.Entry, raftpb.ConfChange(V2). */
#pragma once

#include "lib/fs.h"

#include <stdint.h>

#define ETCD_MEMBERS_MAX 9

struct etcd_member {
	uint64_t id;
	char name[80];	  /* K3s: "<node>-<8 hex>"; "" while it never started */
	char address[48]; /* host of its first peer URL */
	bool learner;
};

struct etcd_disk {
	bool has_wal; /* a *.wal file exists below PATH/member/wal: K3s would start from this data
		       */
	bool removed_self;	/* this member was removed from the cluster by its own log, or K3s's
				   tombstone is there */
	uint64_t cluster, self; /* etcd's cluster id and own member id (WAL metadata) */
	struct etcd_member members[ETCD_MEMBERS_MAX];
	int n;
};

/* Reads K3s's etcd folder PATH ("/var/lib/rancher/k3s/server/db/etcd") below FS. Absent folder or
 * no WAL: 0 with has_wal false. Data that cannot be understood is -EBADMSG and must count as
 * *unknown*, never as blank. */
int etcd_disk_read(const struct fs *fs, const char *path, struct etcd_disk *ret, struct fault *f);
/* Own entry, or NULL when the list does not name it. */
const struct etcd_member *etcd_disk_self(const struct etcd_disk *d);
