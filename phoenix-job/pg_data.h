/* The volume: what lies on it, and that nothing half-made is ever taken for data.
 *
 *   data        PostgreSQL's directory
 *   new         being made (initdb, a clone): thrown away when found at start
 *   ready       made, whole and on disk; takes data's place next
 *   old         what data was before: kept until its follower streams
 *   rewinding   stands while data is rewound: what was begun and not ended is no data any more
 *   vote        the last one that was given
 *   gone        being removed: half of it may be left
 *   promoting   stands while a promotion is under way: what it wrote nobody may have seen
 *
 * A name changes by one durable rename, so a cut at any point leaves one of the states above. */
#pragma once

#include "lib/fs.h"

#include <stdint.h>

#define PG_DATA "/var/lib/phoenix/data"
#define PG_NEW "/var/lib/phoenix/new"
#define PG_READY "/var/lib/phoenix/ready"
#define PG_OLD "/var/lib/phoenix/old"
#define PG_REWINDING "/var/lib/phoenix/rewinding"
#define PG_VOTE_FILE "/var/lib/phoenix/vote"
#define PG_PROMOTING "/var/lib/phoenix/promoting"

/* Locks the volume (a twin of this pod on the same volume: -EBUSY) and puts in order what a cut
 * left. LOCK gets the descriptor that holds it. */
int pg_data_open(const struct fs *fs, int *lock, struct fault *f);
/* A data directory is there, that was whole once; or it cannot be told. */
bool pg_data_is_there(const struct fs *fs);
/* new becomes ready: all of it is on disk. */
int pg_data_made(const struct fs *fs, struct fault *f);
/* ready becomes data; what was data becomes old. */
int pg_data_take(const struct fs *fs, struct fault *f);
/* Away with a whole directory, at once as far as its name goes. */
int pg_data_remove(const struct fs *fs, const char *path, struct fault *f);
/* The system identifier of the data directory PATH and the state it was left in; by
 * pg_controldata. */
int pg_data_system(const char *path, char ret[24], struct fault *f);
struct pg_vote;
/* What was kept; none: {0}. One that cannot be read is a fault: it may have been given. */
int pg_data_vote(const struct fs *fs, struct pg_vote *ret, struct fault *f);
int pg_data_keep_vote(const struct fs *fs, const struct pg_vote *vote, struct fault *f);
/* Starts as a standby (or as the primary that it was); without what it brought along. */
int pg_data_prepare(const struct fs *fs, bool standby, struct fault *f);
