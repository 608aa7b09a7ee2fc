/* Reads etcd's write-ahead log as etcd itself would at its start, keeping only what bears on
 * membership. Nothing is repaired or written. */
#pragma once

#include "lib/fs.h"

#include <stdint.h>

enum wal_kind {
	WAL_ADD, /* voter added, or a learner promoted */
	WAL_REMOVE,
	WAL_UPDATE,  /* new peer URLs */
	WAL_LEARNER, /* learner added */
	WAL_NAME,    /* a member tells its name */
	WAL_UNKNOWN, /* an entry that etcd 3.6 cannot apply either */
};

/* A log entry that changes the list of members. */
struct wal_change {
	uint64_t index;
	enum wal_kind kind;
	uint64_t id;  /* member */
	char *detail; /* JSON of the member; the name for WAL_NAME */
	size_t len;
};

struct wal_snapshot {
	uint64_t term, index;
};

struct etcd_wal {
	bool metadata; /* the log names its owner */
	uint64_t self, cluster;
	uint64_t commit;      /* of the last HardState: all up to here is committed; more may be */
	uint64_t first, last; /* the last unbroken run of entries; 0 = no entries */
	struct wal_snapshot *snapshots; /* with index >= after, in order */
	size_t n_snapshots;
	struct wal_change *changes; /* superseded ones are gone; names only with index > after */
	size_t n_changes;

	uint64_t after;
	uint32_t crc; /* running, over all records */
	size_t detail_bytes;
};
#define _etcd_wal_ _cleanup_(etcd_wal_free)
void etcd_wal_free(struct etcd_wal *w);

/* 1: a *.wal file exists in DIR, the sign by which etcd starts from data; 0: none, or no DIR. */
int etcd_wal_exists(const struct fs *fs, const char *dir, struct fault *f);

/* Reads the segments of DIR that can hold entries after index AFTER, and one more before them:
 * entries up to AFTER that the log does not yet call committed are in these. -EBADMSG: etcd would
 * refuse it too. */
int etcd_wal_read(struct etcd_wal *w, const struct fs *fs, const char *dir, uint64_t after,
		  struct fault *f);

/* Reads one segment of W from FD, in order. LAST: a torn end is accepted, as etcd cuts it off. For
 * tests; etcd_wal_read does all. */
int etcd_wal_segment(struct etcd_wal *w, int fd, bool last, struct fault *f);
