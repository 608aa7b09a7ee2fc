/* The kernel's mount table, and whose disk it is. */
#include "tests/unit/boot_tree.h"

#include "firstboot/data_mount.h"
#include "firstboot/mounts.h"
#include "firstboot/paths.h"

#include <sys/sysmacros.h>

static const char table[] = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
			    "30 22 7:0 / /var/lib/phoenix rw,noatime shared:7 master:3 - ext4 "
			    "/dev/loop0 rw,errors=remount-ro\n"
			    "31 22 7:0 /rancher /var/lib/rancher rw,noatime - ext4 /dev/loop0 rw\n"
			    "32 22 7:0 /kubelet /var/lib/kubelet rw,noatime - ext4 /dev/loop0 rw\n"
			    "33 22 7:0 /node /etc/rancher/node rw,noatime - ext4 /dev/loop0 rw\n"
			    "40 22 0:5 / /mnt/with\\040space rw - tmpfs no\\134ne rw\n"
			    "nonsense\n";

static void put_table(struct tree *t, const char *text)
{
	static char path[128];

	tree_put(t, "/mountinfo", text);
	snprintf(path, sizeof path, "%s/mountinfo", t->path);
	mount_table = path;
}

static void end(struct tree *t)
{
	mount_table = NULL;
	tree_free(t);
}

static void a_mount_is_found_by_its_point(void **state)
{
	struct tree *t = tree_new(-1);
	_mount_ struct mount m = { 0 }, spaced = { 0 };
	_free_ char *point = NULL;
	struct fault f = { 0 };

	(void)state;
	put_table(t, table);
	assert_int_equal(mount_at("/var/lib/rancher", &m, &f), 1);
	assert_true(m.device == makedev(7, 0));
	assert_string_equal(m.root, "/rancher");
	assert_string_equal(m.type, "ext4");
	assert_false(m.read_only);
	assert_int_equal(mount_at("/mnt/with space", &spaced, &f), 1);
	assert_string_equal(spaced.source, "no\\ne");
	assert_int_equal(mount_at("/nowhere", &m, &f), 0);
	point = mount_of(makedev(7, 0));
	assert_string_equal(point, "/var/lib/phoenix");
	assert_null(mount_of(makedev(8, 1)));
	end(t);
}

/* In the order in which they are to be undone from the last on; a name that only begins like it is
 * another. */
static void what_is_below_is_listed(void **state)
{
	struct tree *t = tree_new(-1);
	_strv_ struct strv points = { 0 };
	struct fault f = { 0 };

	(void)state;
	put_table(t, "22 1 254:0 / /oldroot rw - ext4 /dev/vda rw\n"
		     "30 22 0:5 / /oldroot/run rw - tmpfs none rw\n"
		     "31 22 0:6 / /oldroot2 rw - tmpfs none rw\n"
		     "32 30 0:7 / /oldroot/run/lock rw - tmpfs none rw\n"
		     "33 22 0:8 / / rw - tmpfs none rw\n");
	assert_int_equal(mount_below("/oldroot", &points, &f), 0);
	assert_int_equal(points.n, 3);
	assert_string_equal(points.v[0], "/oldroot");
	assert_string_equal(points.v[1], "/oldroot/run");
	assert_string_equal(points.v[2], "/oldroot/run/lock");
	end(t);
}

static void the_last_mount_covers(void **state)
{
	struct tree *t = tree_new(-1);
	_mount_ struct mount m = { 0 };
	struct fault f = { 0 };

	(void)state;
	put_table(t, "30 22 7:0 / /var/lib/phoenix rw - ext4 /dev/loop0 rw\n"
		     "31 30 7:1 / /var/lib/phoenix rw - ext4 /dev/loop1 ro,relatime\n");
	assert_int_equal(mount_at("/var/lib/phoenix", &m, &f), 1);
	assert_true(m.device == makedev(7, 1));
	assert_true(m.read_only);
	assert_int_equal(data_mount_look(&m, &f), -EROFS);
	end(t);
}

static bool is_ours(struct tree *t, struct fault *f)
{
	bool ours;

	t->boot.live = true;
	assert_int_equal(data_state(&t->boot, &ours, f), 0);
	return ours;
}

static void only_positive_evidence_is_ours(void **state)
{
	struct tree *t = tree_new(0);
	_record_ struct data_record own = { 0 };
	struct fault f = { 0 };

	(void)state;
	put_table(t, table);
	/* mounted, and nothing said */
	assert_false(is_ours(t, &f));
	assert_int_equal(data_record_ours(t->boot.seed, &own, &f), 0);
	assert_true(data_record_write(&t->boot.fs, DATA_MOUNT, &own, &f) >= 0);
	assert_int_equal(tree_mode(t, DATA_RECORD), 0600);
	assert_true(is_ours(t, &f));
	/* not mounted: the record alone, on the system disk, proves nothing */
	put_table(t, "22 1 254:0 / / rw - ext4 /dev/vda rw\n");
	assert_false(is_ours(t, &f));
	/* one bind mount missing, or from elsewhere */
	put_table(t, "30 22 7:0 / /var/lib/phoenix rw - ext4 /dev/loop0 rw\n"
		     "31 22 7:0 /rancher /var/lib/rancher rw - ext4 /dev/loop0 rw\n");
	assert_false(is_ours(t, &f));
	put_table(t, "30 22 7:0 / /var/lib/phoenix rw - ext4 /dev/loop0 rw\n"
		     "31 22 7:1 /rancher /var/lib/rancher rw - ext4 /dev/loop1 rw\n");
	assert_false(is_ours(t, &f));
	end(t);
}

static void anothers_record_is_named(void **state)
{
	struct tree *t = tree_new(0), *b = tree_new(1);
	_record_ struct data_record theirs = { 0 }, own = { 0 };
	struct fault f = { 0 };

	(void)state;
	/* another cluster of the same name: other keys */
	assert_int_equal(data_record_ours(b->boot.seed, &theirs, &f), 0);
	assert_int_equal(data_record_is_ours(t->boot.seed, &theirs, "/dev/x", &f), -EPERM);
	assert_non_null(
		strstr(f.text, "/dev/x belongs to another cluster (node phoenix-b of 'railiance'"));
	assert_int_equal(data_record_ours(t->boot.seed, &own, &f), 0);
	free(own.node);
	own.node = mem_strdup("phoenix-c");
	assert_int_equal(data_record_is_ours(t->boot.seed, &own, "/dev/x", &f), -EPERM);
	assert_non_null(strstr(f.text, "data disk of phoenix-c, and this node is phoenix-a"));
	tree_free(b);
	tree_free(t);
}

static void a_record_is_read_back_or_refused(void **state)
{
	struct tree *t = tree_new(0);
	_record_ struct data_record own = { 0 }, back = { 0 };
	struct fault f = { 0 };

	(void)state;
	/* just formatted; then a crash while the record was written */
	assert_true(fs_mkdirs(&t->boot.fs, "/d/lost+found", 0700, &f) >= 0);
	assert_int_equal(data_record_read(&t->boot.fs, "/d", &back, &f), 0);
	tree_put(t, "/d/state/.phoenix-0123", "half");
	assert_int_equal(data_record_read(&t->boot.fs, "/d", &back, &f), 0);
	tree_put(t, "/d/state/record.json", "{}");
	assert_int_equal(data_record_read(&t->boot.fs, "/d", &back, &f), -ENODATA);
	assert_int_equal(data_record_ours(t->boot.seed, &own, &f), 0);
	memcpy(own.wiped_by, t->boot.seed->sha256, 65);
	assert_int_equal(data_record_write(&t->boot.fs, "/d", &own, &f), 1);
	assert_int_equal(data_record_write(&t->boot.fs, "/d", &own, &f), 0);
	assert_int_equal(data_record_read(&t->boot.fs, "/d", &back, &f), 1);
	assert_string_equal(back.node, "phoenix-a");
	assert_string_equal(back.wiped_by, t->boot.seed->sha256);
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = {
			"", "{", "{\"version\": 2}",
			"{\"version\":1,\"cluster\":\"x\",\"node\":\"y\",\"exchange_ca\":\"zz\","
			"\"wiped_by\":\"\"}"
		};

		data_record_free(&back);
		tree_put(t, "/d/state/data.json", bad[i]);
		assert_int_equal(data_record_read(&t->boot.fs, "/d", &back, &f), -EBADMSG);
	}
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_is_found_by_its_point),
		cmocka_unit_test(what_is_below_is_listed),
		cmocka_unit_test(the_last_mount_covers),
		cmocka_unit_test(only_positive_evidence_is_ours),
		cmocka_unit_test(anothers_record_is_named),
		cmocka_unit_test(a_record_is_read_back_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
