/* The list of members from etcd's files. The fixtures are files of a real etcd 3.6, ended by SIGKILL and cut
 * to their used length; cases that need a certain log get one made here, after the database's index. */
#include "tests/unit/test.h"
#include "tests/unit/wal_build.h"

#include "firstboot/etcd_disk.h"
#include "firstboot/etcd_members.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define FIXTURES "tests/unit/fixtures/etcd"
#define A_NAME "a-1a2b3c4d"
#define B_NAME "b-5e6f7a8b"
#define WAL "member/wal/0000000000000000-0000000000000000.wal"
#define DB "member/snap/db"

/* A writable copy of a fixture. */
struct copy {
	struct fs fs;
	char path[32];
	uint64_t index, a, b, cluster; /* of its database and log, as they were */
};

static void put(struct copy *c, const char *name, const struct str *data)
{
	struct fault f = { 0 };

	if (fs_write(&c->fs, name, 0600, str_text(data), data->len, &f) < 0)
		fail_msg("%s", f.text);
}

static void get(const struct fs *fs, const char *name, struct str *data)
{
	struct fault f = { 0 };

	if (fs_read(fs, name, 1 << 20, data, &f) < 0)
		fail_msg("%s", f.text);
}

static int look(struct copy *c, struct etcd_disk *d)
{
	struct fault f = { 0 };
	int r = etcd_disk_read(&c->fs, "/", d, &f);

	if (r == -EBADMSG)
		assert_true(f.text[0]);
	else if (r < 0)
		print_message("%s\n", f.text);
	return r;
}

static void copy_open(struct copy *c, const char *fixture)
{
	_free_ char *from = mem_printf(FIXTURES "/%s", fixture);
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str db = { 0 }, log = { 0 };
	_etcd_roll_ struct etcd_roll roll = { 0 };
	struct etcd_disk d;
	struct bbolt bolt;
	struct fault f = { 0 };

	*c = (struct copy){ .path = "/tmp/test-etcd-XXXXXX" };
	assert_non_null(mkdtemp(c->path));
	assert_int_equal(fs_open(&c->fs, c->path, &f), 0);
	assert_int_equal(fs_open(&fs, from, &f), 0);
	get(&fs, DB, &db);
	get(&fs, WAL, &log);
	put(c, DB, &db);
	put(c, WAL, &log);
	assert_int_equal(look(c, &d), 0);
	for (int i = 0; i < d.n; i++)
		*(str_eq(d.members[i].name, A_NAME) ? &c->a : &c->b) = d.members[i].id;
	c->cluster = d.cluster;
	_fd_ int fd = fs_openat(&c->fs, DB, O_RDONLY, 0, &f);
	assert_int_equal(bbolt_open(&bolt, fd, &f), 0);
	assert_int_equal(etcd_roll_read(&roll, &bolt, &f), 0);
	c->index = roll.index;
}

static void copy_close(struct copy *c)
{
	_free_ char *command = mem_printf("rm -rf %s", c->path);

	fs_close(&c->fs);
	assert_int_equal(system(command), 0);
}

/* Puts the log that was built in place of the real one and reads. */
static int look_with(struct copy *c, struct wal_build *w, struct etcd_disk *d)
{
	put(c, WAL, &w->out);
	str_free(&w->out);
	*w = (struct wal_build){ 0 };
	return look(c, d);
}

static const struct etcd_member *member(const struct etcd_disk *d, uint64_t id)
{
	for (int i = 0; i < d->n; i++)
		if (d->members[i].id == id)
			return &d->members[i];
	return NULL;
}

/* "voter", "learner", "" absent */
static const char *role(const struct etcd_disk *d, uint64_t id)
{
	const struct etcd_member *m = member(d, id);

	return !m ? "" : m->learner ? "learner" : "voter";
}

static void test_real_files(void **state)
{
	/* what each folder's owner says of A and of B */
	static const struct {
		const char *name, *self, *a, *b;
		bool removed;
	} cases[] = {
		{ "lone", A_NAME, "voter", "", false },
		{ "voter-and-learner", A_NAME, "voter", "learner", false },
		{ "two-voters", A_NAME, "voter", "voter", false },
		{ "two-voters-db-lags", A_NAME, "voter", "voter", false },
		{ "self-learner", B_NAME, "voter", "learner", false },
		{ "removed-self", NULL, "voter", "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct copy c;
		struct etcd_disk d;

		copy_open(&c, cases[i].name);
		assert_int_equal(look(&c, &d), 0);
		assert_true(d.has_wal);
		assert_int_equal(d.removed_self, cases[i].removed);
		assert_true(d.self && d.cluster);
		assert_string_equal(role(&d, c.a), cases[i].a);
		assert_string_equal(role(&d, c.b), cases[i].b);
		assert_string_equal(member(&d, c.a)->address, "127.0.0.2");
		if (cases[i].self)
			assert_string_equal(etcd_disk_self(&d)->name, cases[i].self);
		else
			assert_null(etcd_disk_self(&d));
		copy_close(&c);
	}
}

/* The fixture is what it claims: the promotion is in the log only. */
static void test_database_lags(void **state)
{
	_fs_ struct fs fs = { .fd = -1 };
	_etcd_roll_ struct etcd_roll roll = { 0 };
	struct fault f = { 0 };
	struct bbolt db;
	int learners = 0;

	(void)state;
	assert_int_equal(fs_open(&fs, FIXTURES "/two-voters-db-lags", &f), 0);
	_fd_ int fd = fs_openat(&fs, DB, O_RDONLY, 0, &f);
	assert_int_equal(bbolt_open(&db, fd, &f), 0);
	assert_int_equal(etcd_roll_read(&roll, &db, &f), 0);
	for (int i = 0; i < roll.n; i++)
		learners += roll.members[i].m.learner;
	assert_int_equal(learners, 1);
}

static void test_absent_and_tombstone(void **state)
{
	struct copy c;
	struct etcd_disk d;
	_str_ struct str none = { 0 };

	(void)state;
	copy_open(&c, "two-voters");
	put(&c, "tombstone", &none);
	assert_int_equal(look(&c, &d), 0);
	assert_true(d.removed_self && d.has_wal);
	assert_int_equal(fs_remove(&c.fs, "tombstone", NULL), 1);
	assert_int_equal(fs_remove(&c.fs, WAL, NULL), 1);
	assert_int_equal(look(&c, &d), 0);
	assert_true(!d.has_wal && !d.removed_self && !d.n && !d.self);
	assert_int_equal(etcd_disk_read(&c.fs, "/nowhere", &d, NULL), 0);
	assert_false(d.has_wal);
	put(&c, "member/wal/garbage.wal", &none);
	assert_int_equal(look(&c, &d), -EBADMSG);
	copy_close(&c);
}

/* A damaged file is unknown, never blank; a torn end of the log is what a power cut leaves. */
static void test_damage(void **state)
{
	struct copy c;
	struct etcd_disk d;
	_str_ struct str log = { 0 }, db = { 0 }, bad = { 0 };

	(void)state;
	copy_open(&c, "voter-and-learner");
	get(&c.fs, WAL, &log);
	get(&c.fs, DB, &db);
	str_add_n(&bad, log.p, log.len - 16); /* up to the last record */
	str_add_n(&bad, "\377\1\0\0\0\0\0\0torn", 12);
	put(&c, WAL, &bad);
	assert_int_equal(look(&c, &d), 0);
	assert_string_equal(role(&d, c.b), "learner");

	str_reset(&bad);
	str_add_n(&bad, log.p, log.len);
	bad.p[200] ^= 1;
	put(&c, WAL, &bad);
	assert_int_equal(look(&c, &d), -EBADMSG);
	str_reset(&bad);
	str_add(&bad, "this was never a log, nor will it be one");
	put(&c, WAL, &bad);
	assert_int_equal(look(&c, &d), -EBADMSG);
	put(&c, WAL, &log);

	put(&c, DB, &bad);
	assert_int_equal(look(&c, &d), -EBADMSG);
	for (size_t cut = 0; cut < db.len; cut += 1024) {
		str_reset(&bad);
		str_add_n(&bad, db.p, cut);
		put(&c, DB, &bad);
		assert_int_equal(look(&c, &d), -EBADMSG);
	}
	assert_int_equal(fs_remove(&c.fs, DB, NULL), 1);
	assert_int_equal(look(&c, &d), -EBADMSG);
	copy_close(&c);
}

/* bbolt writes its two meta pages in turn: one may be torn. */
static void test_meta_pages(void **state)
{
	struct copy c;
	struct etcd_disk d;
	_str_ struct str db = { 0 };

	(void)state;
	copy_open(&c, "two-voters");
	get(&c.fs, DB, &db);
	for (int page = 0; page < 2; page++) {
		_str_ struct str torn = { 0 };

		str_add_n(&torn, db.p, db.len);
		memset(torn.p + page * 4096 + 40, 0, 40);
		put(&c, DB, &torn);
		assert_int_equal(look(&c, &d), 0);
		assert_string_equal(role(&d, c.a), "voter");
	}
	copy_close(&c);
}

#define PROMOTE_B \
	"{\"id\":13112221321187878859,\"peerURLs\":[\"http://127.0.0.3:1\"],\"isPromote\":true}"

static void test_uncommitted(void **state)
{
	struct copy c;
	struct etcd_disk d;
	struct wal_build w = { 0 };

	(void)state;
	copy_open(&c, "voter-and-learner");
	for (int committed = 0; committed < 2; committed++) { /* still lone until it applied it */
		wal_begin(&w, c.a, c.cluster);
		wal_entry(&w, 0, 2, c.index, NULL);
		wal_change(&w, c.index + 1, 0, c.b, PROMOTE_B);
		wal_state(&w, c.index + (uint64_t)committed);
		assert_int_equal(look_with(&c, &w, &d), 0);
		assert_string_equal(role(&d, c.b), committed ? "voter" : "learner");
	}
	wal_begin(&w, c.a, c.cluster); /* another leader's entry took its place */
	wal_entry(&w, 0, 2, c.index, NULL);
	wal_change(&w, c.index + 1, 0, c.b, PROMOTE_B);
	wal_entry(&w, 0, 3, c.index + 1, NULL);
	wal_state(&w, c.index + 1);
	assert_int_equal(look_with(&c, &w, &d), 0);
	assert_string_equal(role(&d, c.b), "learner");
	for (int committed = 0; committed < 2; committed++) { /* own promotion and removal */
		wal_begin(&w, c.b, c.cluster);
		wal_entry(&w, 0, 2, c.index, NULL);
		wal_change(&w, c.index + 1, 0, c.b, PROMOTE_B);
		wal_change(&w, c.index + 2, 1, c.b, "");
		wal_state(&w, c.index + 2 * (uint64_t)committed);
		assert_int_equal(look_with(&c, &w, &d), 0);
		assert_string_equal(role(&d, c.b), committed ? "" : "voter");
		assert_int_equal(d.removed_self, committed);
	}
	copy_close(&c);
	copy_open(&c, "two-voters"); /* the database applied what the log does not call committed */
	wal_begin(&w, c.a, c.cluster);
	wal_entry(&w, 0, 2, c.index - 1, NULL);
	wal_change(&w, c.index, 0, c.b, PROMOTE_B);
	wal_state(&w, c.index - 1);
	assert_int_equal(look_with(&c, &w, &d), 0);
	assert_string_equal(role(&d, c.b), "learner");
	copy_close(&c);
}

/* Database and log that don't fit, and what etcd itself would not read. */
static void test_misfits(void **state)
{
	struct copy c;
	struct etcd_disk d;
	struct wal_build w = { 0 };

	(void)state;
	copy_open(&c, "two-voters");
	wal_begin(&w, c.a, c.cluster);
	wal_entry(&w, 0, 2, c.index - 1, NULL);
	assert_int_equal(look_with(&c, &w, &d), -EBADMSG); /* the log ends too early */
	wal_begin(&w, c.a, c.cluster);
	wal_entry(&w, 0, 2, c.index + 2, NULL);
	assert_int_equal(look_with(&c, &w, &d), -EBADMSG); /* an entry is missing */
	wal_begin(&w, c.a, c.cluster);
	wal_entry(&w, 0, 2, c.index, NULL);
	wal_state(&w, c.index + 1);
	assert_int_equal(look_with(&c, &w, &d), -EBADMSG); /* committed, but not there */
	wal_begin(&w, c.a, c.cluster);
	wal_entry(&w, 2, 2, c.index + 1, NULL);
	assert_int_equal(look_with(&c, &w, &d), -EBADMSG); /* ConfChangeV2 */
	wal_begin(&w, c.a, c.cluster);
	wal_begin(&w, c.b, c.cluster);
	assert_int_equal(look_with(&c, &w, &d), -EBADMSG); /* two owners */
	copy_close(&c);
}

/* Killed between receiving a snapshot and renaming its database. */
static void test_received_snapshot(void **state)
{
	struct copy newer, c;
	struct etcd_disk d;
	struct wal_build w = { 0 };
	_str_ struct str db = { 0 }, meta = { 0 }, snap = { 0 }, file = { 0 };
	_free_ char *name = NULL;

	(void)state;
	copy_open(&newer, "two-voters");
	copy_open(&c, "lone");
	get(&newer.fs, DB, &db);
	wire_number(&meta, 2, newer.index);
	wire_number(&meta, 3, 2);
	wire_string(&snap, 1, "{}", 2);
	wire_string(&snap, 2, meta.p, meta.len);
	wire_number(&file, 1, crc32c(0, snap.p, snap.len));
	wire_string(&file, 2, snap.p, snap.len);
	put(&c, "member/snap/0000000000000002-00000000000000ff.snap", &file);
	for (int committed = 0; committed < 2; committed++) {
		wal_begin(&w, c.a, c.cluster);
		wal_entry(&w, 0, 2, c.index, NULL);
		wal_snapshot_record(&w, 2, newer.index);
		wal_state(&w, committed ? newer.index : c.index);
		assert_int_equal(look_with(&c, &w, &d), committed ? -EBADMSG : 0);
	}
	name = mem_printf("member/snap/%016" PRIx64 ".snap.db", newer.index);
	put(&c, name, &db);
	assert_int_equal(look(&c, &d), 0);
	assert_string_equal(role(&d, newer.b), "voter");
	copy_close(&c);
	copy_close(&newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_files),
		cmocka_unit_test(test_database_lags),
		cmocka_unit_test(test_absent_and_tombstone),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_meta_pages),
		cmocka_unit_test(test_uncommitted),
		cmocka_unit_test(test_misfits),
		cmocka_unit_test(test_received_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
