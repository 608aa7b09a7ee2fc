/* How etcd 3.6 starts from a disk, replayed without etcd:
 *
 * The database (member/snap/db) holds the list of members as of its consistent index. The log holds
 * entries after it, whose changes etcd applies in order. When the log names a committed snapshot
 * that is newer than the database, etcd was killed between receiving it from the leader and putting
 * it in place: it will rename the received member/snap/INDEX.snap.db over the database and go on
 * from there.
 *
 * Which of the log's entries are committed is not fully known: the commit index of the last
 * HardState is written without fsync and lags. All up to it is certain, and so is all up to the
 * database's consistent index. An entry after it may have been committed (the others may know), may
 * get committed at the next start (a lone voter alone commits all that it finds in its log), or may
 * be superseded by another leader's. etcd's consensus starts with the voters as of the commit
 * index, whatever the database knows. So the answer that is *safer for its reader* is given:
 * - If this member is the only voter in any of the states from the commit index on, that state is
 * given (the last such one): etcd would elect itself and only then apply the rest. The caller asks
 * the other nodes first.
 * - Otherwise all of the log counts, for most likely it is or will be committed: a learner whose
 *   promotion has only just arrived is a voter, and its data must not be moved aside. Only its own
 *   removal is not believed before it is certain: this too would move data aside. */
#include "firstboot/etcd_disk.h"

#include "firstboot/etcd_members.h"
#include "firstboot/etcd_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

/* What remains in etcd 3.6's own .snap files is the list of members once more. */
#define SNAP_MAX (4u << 20)

static int read_database(const struct fs *fs, const char *path, struct etcd_roll *roll,
			 struct fault *f)
{
	_fd_ int fd = fs_openat(fs, path, O_RDONLY | O_NONBLOCK, 0, f);
	struct bbolt db;
	int r;

	/* A log without its database: etcd makes the database first, so that this was no crash. */
	if (fd == -ENOENT)
		return fault_set(f, EBADMSG, "%s is missing although there is a log", path);
	if (fd < 0)
		return fd;
	r = bbolt_open(&db, fd, f);
	if (r >= 0)
		r = etcd_roll_read(roll, &db, f);
	return r < 0 ? fault_wrap(f, "%s", path) : 0;
}

/* Index and term of a .snap file; false when it is damaged, which etcd passes over. */
static bool read_snap(const struct str *file, struct wal_snapshot *ret)
{
	uint64_t crc = 0;
	struct wire_bytes data = { 0 }, metadata = { 0 };
	const struct wire_field outer[] = { { 1, .value = &crc }, { 2, .bytes = &data }, { 0 } };
	const struct wire_field inner[] = { { 2, .bytes = &metadata }, { 0 } };
	const struct wire_field meta[] = { { 2, .value = &ret->index },
					   { 3, .value = &ret->term },
					   { 0 } };

	*ret = (struct wal_snapshot){ 0 };
	return wire_read(file->p, file->len, outer) && data.n &&
	       crc32c(0, data.p, data.n) == (uint32_t)crc && wire_read(data.p, data.n, inner) &&
	       wire_read(metadata.p, metadata.n, meta);
}

/* A snapshot counts when the log has committed it. */
static bool in_log(const struct etcd_wal *wal, const struct wal_snapshot *s)
{
	for (size_t i = 0; i < wal->n_snapshots; i++)
		if (wal->snapshots[i].index == s->index && wal->snapshots[i].term == s->term)
			return s->index <= wal->commit;
	return false;
}

/* The newest snapshot that etcd would start from, when that is newer than the database; else index
 * 0. Names are "TERM-INDEX.snap" in hex and sort by age. */
static int newest_snapshot(const struct fs *fs, const char *dir, const struct etcd_wal *wal,
			   struct wal_snapshot *ret, struct fault *f)
{
	_strv_ struct strv names = { 0 };
	bool newer = false;
	int r;

	*ret = (struct wal_snapshot){ 0 };
	for (size_t i = 0; i < wal->n_snapshots; i++)
		newer |= wal->snapshots[i].index > wal->after &&
			 wal->snapshots[i].index <= wal->commit;
	if (!newer)
		return 0;
	r = fs_list(fs, dir, &names, f);
	for (size_t i = names.n; r >= 0 && i-- > 0;) {
		_free_ char *path = mem_printf("%s/%s", dir, names.v[i]);
		_str_ struct str file = { 0 };
		struct wal_snapshot s;

		if (!str_ends(path, ".snap"))
			continue;
		r = fs_read(fs, path, SNAP_MAX, &file, f);
		if (r < 0 || !read_snap(&file, &s) || !in_log(wal, &s))
			continue;
		if (s.index > wal->after)
			*ret = s;
		return 0;
	}
	return r < 0 ? r : fault_set(f, EBADMSG, "%s lacks a snapshot that the log names", dir);
}

/* Database and log must fit: no entry may be missing between the two, and the database may not know
 * more than was ever logged. Lost writes look like this, or files of two different times put
 * together. */
static int check_fit(const struct etcd_roll *roll, const struct etcd_wal *wal, struct fault *f)
{
	uint64_t end = wal->last;

	for (size_t i = 0; i < wal->n_snapshots; i++)
		if (wal->snapshots[i].index > end)
			end = wal->snapshots[i].index;
	if (roll->index > end || wal->commit > end)
		return fault_set(f, EBADMSG,
				 "the log ends at entry %" PRIu64
				 ", but the database is at %" PRIu64 " and %" PRIu64
				 " are committed",
				 end, roll->index, wal->commit);
	if (wal->last > roll->index && wal->first > roll->index + 1)
		return fault_set(f, EBADMSG,
				 "the database is at entry %" PRIu64 ", the log begins at %" PRIu64,
				 roll->index, wal->first);
	return 0;
}

static void publish(struct etcd_disk *d, const struct etcd_roll *roll)
{
	d->n = roll->n;
	for (int i = 0; i < roll->n; i++)
		d->members[i] = roll->members[i].m;
}

/* The database is ahead of the commit index: was this member the only voter in between? Going back,
 * who was added or promoted was no voter before. One who was removed need not be put back: with him
 * there were no fewer voters. */
static bool was_lone(const struct etcd_roll *roll, const struct etcd_wal *wal, struct etcd_disk *d)
{
	struct etcd_roll past = *roll; /* shares the removed ids, which stay as they are */

	for (size_t i = wal->n_changes; i-- > 0 && wal->changes[i].index > wal->commit;) {
		if (wal->changes[i].index > roll->index || wal->changes[i].kind != WAL_ADD)
			continue;
		for (int m = 0; m < past.n; m++)
			if (past.members[m].m.id == wal->changes[i].id)
				past.members[m].m.learner = true;
		if (!etcd_roll_lone(&past, d->self))
			continue;
		publish(d, &past);
		return true;
	}
	return false;
}

/* The rule at the top of this file. */
static int replay(struct etcd_roll *roll, const struct etcd_wal *wal, struct etcd_disk *d,
		  struct fault *f)
{
	uint64_t certain = wal->commit > roll->index ? wal->commit : roll->index;
	size_t i = 0;
	bool lone;
	int r;

	while (i < wal->n_changes && wal->changes[i].index <= roll->index)
		i++;
	for (; i < wal->n_changes && wal->changes[i].index <= certain; i++) {
		r = etcd_roll_apply(roll, &wal->changes[i], f);
		if (r < 0)
			return r;
	}
	d->removed_self |= etcd_roll_removed(roll, d->self);
	publish(d, roll);
	lone = etcd_roll_lone(roll, d->self) || was_lone(roll, wal, d);
	for (; i < wal->n_changes; i++) {
		if (wal->changes[i].kind == WAL_REMOVE && wal->changes[i].id == d->self)
			continue;
		r = etcd_roll_apply(roll, &wal->changes[i], f);
		if (r < 0)
			return r;
		if (lone && !etcd_roll_lone(roll, d->self))
			continue;
		lone = etcd_roll_lone(roll, d->self);
		publish(d, roll);
	}
	return 0;
}

static int read_data(const struct fs *fs, const char *path, struct etcd_disk *d, struct fault *f)
{
	_free_ char *snap = mem_printf("%s/member/snap", path);
	_free_ char *db = mem_printf("%s/db", snap);
	_free_ char *log = mem_printf("%s/member/wal", path);
	_etcd_roll_ struct etcd_roll roll = { 0 };
	_etcd_wal_ struct etcd_wal wal = { 0 };
	struct wal_snapshot newest;
	int r = read_database(fs, db, &roll, f);

	if (r >= 0)
		r = etcd_wal_read(&wal, fs, log, roll.index, f);
	if (r >= 0)
		r = newest_snapshot(fs, snap, &wal, &newest, f);
	if (r < 0)
		return r;
	if (newest.index) {
		_free_ char *received = mem_printf("%s/%016" PRIx64 ".snap.db", snap, newest.index);

		etcd_roll_free(&roll);
		r = read_database(fs, received, &roll, f);
		if (r < 0)
			return r;
		if (roll.index < newest.index)
			return fault_set(f, EBADMSG, "%s is older than its name says", received);
	}
	d->self = wal.self;
	d->cluster = wal.cluster;
	r = check_fit(&roll, &wal, f);
	if (r >= 0)
		r = replay(&roll, &wal, d, f);
	return r < 0 ? fault_wrap(f, "%s", path) : 0;
}

int etcd_disk_read(const struct fs *fs, const char *path, struct etcd_disk *ret, struct fault *f)
{
	_free_ char *log = mem_printf("%s/member/wal", path);
	_free_ char *tombstone = mem_printf("%s/tombstone", path);
	struct etcd_disk d = { 0 };
	struct fault unheard;
	struct stat st;
	int r;

	if (!f)
		f = &unheard; /* the code of an error is passed on in it */
	fault_clear(f);
	r = fs_stat(fs, tombstone, &st, f);
	if (r < 0 && r != -ENOENT)
		return r;
	d.removed_self = r >= 0;
	fault_clear(f);
	r = etcd_wal_exists(fs, log, f);
	if (r < 0)
		return r;
	d.has_wal = r > 0;
	if (d.has_wal) {
		r = read_data(fs, path, &d, f);
		if (r < 0)
			return r;
	}
	*ret = d;
	return 0;
}

const struct etcd_member *etcd_disk_self(const struct etcd_disk *d)
{
	for (int i = 0; i < d->n; i++)
		if (d->members[i].id == d->self)
			return &d->members[i];
	return NULL;
}
