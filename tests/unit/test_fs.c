/* Files below a root: nothing leads out of it, and no power cut leaves half of anything. */
#include "tests/unit/test.h"

#include "lib/fs.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

struct place {
	char dir[64], outside[64];
	struct fs fs;
};

static struct strv steps; /* what the hook saw */
static int fail_at = -1;  /* the step that fails, by number */
static bool broken_readdir;

static int watch(const char *step, const char *path)
{
	(void)path;
	strv_add(&steps, step);
	return (int)steps.n - 1 == fail_at ? -EIO : 0;
}

/* Stands before libc's: a folder on a dying disk. */
struct dirent *readdir(DIR *d)
{
	struct dirent *(*real)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");

	if (!broken_readdir)
		return real(d);
	errno = EIO;
	return NULL;
}

static void watch_from(int step)
{
	strv_free(&steps);
	fail_at = step;
	fs_fault_hook = watch;
}

static int setup(void **state)
{
	struct place *p = mem_alloc(sizeof *p);
	struct fault f = { 0 };

	umask(022);
	snprintf(p->dir, sizeof p->dir, "/tmp/phoenix-fs-XXXXXX");
	snprintf(p->outside, sizeof p->outside, "/tmp/phoenix-out-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_non_null(mkdtemp(p->outside));
	assert_int_equal(fs_open(&p->fs, p->dir, &f), 0);
	*state = p;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}

static int teardown(void **state)
{
	struct place *p = *state;

	fs_fault_hook = NULL;
	strv_free(&steps);
	fs_close(&p->fs);
	nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	nftw(p->outside, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

static void assert_content(const struct fs *fs, const char *path, const char *text)
{
	_str_ struct str s = { 0 };

	assert_int_equal(fs_read(fs, path, 1000, &s, NULL), 0);
	assert_string_equal(s.p, text);
}

static mode_t mode_of(const struct fs *fs, const char *path)
{
	struct stat st;

	assert_int_equal(fs_stat(fs, path, &st, NULL), 0);
	return st.st_mode & 07777;
}

static void assert_steps(const char *const *want)
{
	size_t n = 0;

	for (; want[n]; n++) {
		assert_true(n < steps.n);
		assert_string_equal(steps.v[n], want[n]);
	}
	assert_int_equal(steps.n, n);
}
#define STEPS(...) assert_steps((const char *const[]){ __VA_ARGS__, NULL })

static void writes_and_reads(void **state)
{
	struct place *p = *state;
	struct fault f = { 0 };

	assert_int_equal(fs_write_text(&p->fs, "/etc/a/b.conf", 0600, "one", &f), 1);
	assert_content(&p->fs, "/etc/a/b.conf", "one");
	assert_int_equal(mode_of(&p->fs, "/etc/a/b.conf"), 0600);
	assert_int_equal(fs_write_text(&p->fs, "/etc/a/b.conf", 0600, "one", &f), 0);
	assert_int_equal(fs_write_text(&p->fs, "/etc/a/b.conf", 0644, "one", &f), 1);
	assert_int_equal(mode_of(&p->fs, "/etc/a/b.conf"), 0644);
	assert_int_equal(fs_write_text(&p->fs, "/etc/a/b.conf", 0644, "", &f), 1);
	assert_int_equal(fs_write_text(&p->fs, "/etc/a/b.conf", 0644, "", &f), 0);
	assert_content(&p->fs, "/etc/a/b.conf", "");
	assert_int_equal(fs_write_text(&p->fs, "/", 0644, "", &f), -EINVAL);
	assert_int_equal(fs_write_text(&p->fs, "/etc/a", 0644, "", &f), -EISDIR);
	assert_int_equal(fs_write_text(&p->fs, "relative", 0644, "x", &f), 1);
	assert_content(&p->fs, "/relative", "x");
}

static void umask_does_not_count(void **state)
{
	struct place *p = *state;
	struct fault f = { 0 };

	umask(077);
	assert_int_equal(fs_write_text(&p->fs, "/a/b/c", 0644, "x", &f), 1);
	assert_int_equal(fs_mkdirs(&p->fs, "/d/e", 0750, &f), 1);
	assert_int_equal(mode_of(&p->fs, "/a/b/c"), 0644);
	assert_int_equal(mode_of(&p->fs, "/a/b"), 0755);
	assert_int_equal(mode_of(&p->fs, "/a"), 0755);
	assert_int_equal(mode_of(&p->fs, "/d"), 0755);
	assert_int_equal(mode_of(&p->fs, "/d/e"), 0750);
}

static void refuses_what_is_no_file(void **state)
{
	struct place *p = *state;
	_free_ char *fifo = mem_printf("%s/fifo", p->dir);
	_str_ struct str s = { 0 };
	struct fault f = { 0 };

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(fs_read(&p->fs, "/fifo", 10, &s, &f), -EINVAL);
	assert_int_equal(fs_read(&p->fs, "/", 10, &s, &f), -EINVAL);
	assert_int_equal(fs_read(&p->fs, "/absent", 10, &s, &f), -ENOENT);
	assert_non_null(strstr(f.text, p->dir));
	assert_true(fs_shred(&p->fs, "/fifo", &f) < 0); /* and does not wait for a reader */
}

static void limits_reading(void **state)
{
	struct place *p = *state;
	_free_ char *big = mem_alloc(20001);
	_str_ struct str s = { 0 };
	struct fault f = { 0 };

	memset(big, 'x', 20000);
	fs_write_text(&p->fs, "/big", 0600, big, &f);
	str_add(&s, "before");
	assert_int_equal(fs_read(&p->fs, "/big", 19999, &s, &f), -EFBIG);
	assert_string_equal(s.p, "before");
	assert_int_equal(fs_read(&p->fs, "/big", 20000, &s, &f), 0);
	assert_int_equal(s.len, 20006);
}

/* A foreign tree (a mounted disk, an image) with links that point out of it. */
static void links_do_not_lead_out(void **state)
{
	struct place *p = *state;
	_free_ char *secret = mem_printf("%s/secret", p->outside),
		    *abs = mem_printf("%s/abs", p->dir), *up = mem_printf("%s/up", p->dir),
		    *file = mem_printf("%s/file", p->dir);
	_str_ struct str s = { 0 };
	struct fault f = { 0 };
	FILE *out = fopen(secret, "w");

	assert_non_null(out);
	fputs("secret", out);
	fclose(out);
	assert_int_equal(symlink(p->outside, abs), 0);
	assert_int_equal(symlink("../../../../../../..", up), 0);
	assert_int_equal(symlink(secret, file), 0);
	assert_int_equal(fs_read(&p->fs, "/abs/secret", 100, &s, &f), -ENOENT);
	assert_int_equal(fs_read(&p->fs, "/file", 100, &s, &f), -ENOENT);
	assert_int_equal(fs_read(&p->fs, "/../../../../../../../../etc/passwd", 1 << 20, &s, &f),
			 -ENOENT);
	assert_int_equal(fs_read(&p->fs, "/up/etc/passwd", 1 << 20, &s, &f), -ENOENT);
	assert_true(fs_write_text(&p->fs, "/abs/new", 0644, "x", &f) < 0);
	assert_true(fs_remove(&p->fs, "/abs/secret", &f) <= 0);
	assert_true(fs_shred(&p->fs, "/file", &f) <= 0);
	assert_int_equal(access(secret, F_OK), 0);
	/* a link in the place of the file is replaced, not followed */
	assert_int_equal(fs_write_text(&p->fs, "/file", 0644, "mine", &f), 1);
	assert_content(&p->fs, "/file", "mine");
	/* ".." at the top is the top */
	assert_int_equal(fs_write_text(&p->fs, "/up/inside", 0644, "x", &f), 1);
	assert_content(&p->fs, "/inside", "x");
}

static void order_survives_a_power_cut(void **state)
{
	struct place *p = *state;

	watch_from(-1);
	assert_int_equal(fs_write_text(&p->fs, "/a", 0600, "one", NULL), 1);
	STEPS("create", "write", "fsync", "rename", "fsync-dir");
	watch_from(-1);
	assert_int_equal(fs_write_text(&p->fs, "/d/a", 0600, "one", NULL), 1);
	STEPS("mkdir", "fsync-dir", "create", "write", "fsync", "rename", "fsync-dir");
	watch_from(-1);
	assert_int_equal(fs_remove(&p->fs, "/a", NULL), 1);
	STEPS("unlink", "fsync-dir");
	watch_from(-1);
	assert_int_equal(fs_rename(&p->fs, "/d/a", "/b", NULL), 0);
	STEPS("rename", "fsync-dir", "fsync-dir");
	watch_from(-1);
	assert_int_equal(fs_symlink(&p->fs, "/l", "b", NULL), 1);
	STEPS("create", "rename", "fsync-dir");
	watch_from(-1);
	assert_int_equal(fs_shred(&p->fs, "/b", NULL), 1);
	STEPS("write", "fsync", "unlink", "fsync-dir");
}

/* Each step fails in turn: the old content stays until the rename, nothing is left lying about. */
static void failure_leaves_the_old(void **state)
{
	struct place *p = *state;
	int last = 4;

	fs_write_text(&p->fs, "/a", 0600, "old", NULL);
	for (int step = 0; step <= last; step++) {
		_strv_ struct strv names = { 0 };
		struct fault f = { 0 };

		watch_from(step);
		assert_int_equal(fs_write_text(&p->fs, "/a", 0600, "new", &f), -EIO);
		assert_non_null(strstr(f.text, "/a"));
		fs_fault_hook = NULL;
		assert_content(&p->fs, "/a", step < last ? "old" : "new");
		assert_int_equal(fs_list(&p->fs, "/", &names, NULL), 0);
		assert_int_equal(names.n, 1);
	}
}

/* After a rename whose fsync failed, "already so" must not be said before the disk has it. */
static void unchanged_is_durable_too(void **state)
{
	struct place *p = *state;

	watch_from(4);
	assert_int_equal(fs_write_text(&p->fs, "/promise", 0600, "A", NULL), -EIO);
	watch_from(-1);
	assert_int_equal(fs_write_text(&p->fs, "/promise", 0600, "A", NULL), 0);
	STEPS("fsync", "fsync-dir");
	watch_from(1);
	assert_int_equal(fs_write_text(&p->fs, "/promise", 0600, "A", NULL), -EIO);
}

static void failed_links_and_moves(void **state)
{
	struct place *p = *state;
	_strv_ struct strv names = { 0 };

	fs_write_text(&p->fs, "/a", 0600, "a", NULL);
	fs_write_text(&p->fs, "/b", 0600, "b", NULL);
	fs_symlink(&p->fs, "/l", "a", NULL);
	for (int step = 0; step < 2; step++) {
		watch_from(step);
		assert_int_equal(fs_symlink(&p->fs, "/l", "b", NULL), -EIO);
	}
	watch_from(0);
	assert_int_equal(fs_rename(&p->fs, "/a", "/c", NULL), -EIO);
	watch_from(0);
	assert_int_equal(fs_remove(&p->fs, "/a", NULL), -EIO);
	fs_fault_hook = NULL;
	assert_content(&p->fs, "/l", "a");
	assert_int_equal(fs_list(&p->fs, "/", &names, NULL), 0);
	assert_int_equal(names.n, 3);
	assert_int_equal(fs_symlink(&p->fs, "/l", "a", NULL), 0);
	assert_int_equal(fs_rename(&p->fs, "/a", "/b", NULL), -EEXIST);
	assert_content(&p->fs, "/b", "b");
	assert_int_equal(fs_rename(&p->fs, "/none", "/c", NULL), -ENOENT);
}

/* A writer's temporary file may hold a secret: what a dead one left goes with the next that is done
 * to the file, and nothing else. */
static void left_over_is_removed(void **state)
{
	static const char dead[] = "/.phoenix-a-0123456789abcdef",
			  live[] = "/.phoenix-a-1111111111111111";
	static const char *const others[] = { "/.phoenix-a-0123456789abcde",
					      "/.phoenix-ab-0123456789abcdef",
					      "/.phoenix-a-b-0123456789abcdef",
					      "/.phoenix-a-holiday photos 1",
					      "/.phoenix-seed.gone",
					      live };
	struct place *p = *state;
	_fd_ int lock = -1;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fs_write_text(&p->fs, others[i], 0600, "x", NULL);
	lock = fs_openat(&p->fs, live, O_RDONLY, 0, NULL);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	for (int i = 0; i < 3; i++) {
		_strv_ struct strv names = { 0 };

		fs_write_text(&p->fs, dead, 0600, "secret", NULL);
		if (i < 2) /* changed, then as it was */
			assert_int_equal(fs_write_text(&p->fs, "/a", 0600, "new", NULL), !i);
		else
			assert_int_equal(fs_remove(&p->fs, "/a", NULL), 1);
		assert_false(fs_exists(&p->fs, dead));
		assert_int_equal(fs_list(&p->fs, "/", &names, NULL), 0);
		assert_int_equal(names.n, ARRAY_LEN(others) + (i < 2));
	}
}

static void *write_often(void *arg)
{
	struct fs *fs = arg;
	size_t failed = 0;

	for (int i = 0; i < 2000; i++) {
		_free_ char *text = mem_printf("%d", i);

		failed += fs_write_text(fs, "/a", 0600, text, NULL) < 0;
	}
	return (void *)failed;
}

/* In memory, where they meet most often. */
static void two_writers_do_not_hinder_each_other(void **state)
{
	char dir[] = "/dev/shm/phoenix-fs-XXXXXX";
	_fs_ struct fs fs = { .fd = -1 };
	_strv_ struct strv names = { 0 };
	pthread_t other;
	void *failed;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(fs_open(&fs, dir, NULL), 0);
	assert_int_equal(pthread_create(&other, NULL, write_often, &fs), 0);
	assert_null(write_often(&fs));
	assert_int_equal(pthread_join(other, &failed), 0);
	assert_null(failed);
	assert_int_equal(fs_list(&fs, "/", &names, NULL), 0);
	assert_int_equal(names.n, 1);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void makes_directories(void **state)
{
	struct place *p = *state;
	struct fault f = { 0 };

	assert_int_equal(fs_mkdirs(&p->fs, "/a//b/c/", 0700, &f), 1);
	assert_int_equal(mode_of(&p->fs, "/a/b"), 0755);
	assert_int_equal(mode_of(&p->fs, "/a/b/c"), 0700);
	assert_int_equal(fs_mkdirs(&p->fs, "/a/b/c", 0700, &f), 0);
	assert_int_equal(fs_mkdirs(&p->fs, "/a/b/c", 0755, &f), 1);
	fs_write_text(&p->fs, "/file", 0600, "", &f);
	assert_int_equal(fs_mkdirs(&p->fs, "/file/x", 0755, &f), -ENOTDIR);
	assert_int_equal(fs_mkdirs(&p->fs, "/file", 0755, &f), -ENOTDIR);
	fs_symlink(&p->fs, "/link", "a", &f);
	assert_int_equal(fs_mkdirs(&p->fs, "/link/z", 0755, &f), 1);
	assert_true(fs_is_dir(&p->fs, "/a/z"));
	fs_symlink(&p->fs, "/dangling", "nowhere", &f);
	assert_true(fs_mkdirs(&p->fs, "/dangling/z", 0755, &f) < 0);
}

static void lists_and_looks(void **state)
{
	struct place *p = *state;
	_strv_ struct strv names = { 0 };
	_free_ char *target = NULL;
	struct fault f = { 0 };
	struct stat st;

	fs_write_text(&p->fs, "/d/b", 0600, "", &f);
	fs_write_text(&p->fs, "/d/a", 0600, "", &f);
	assert_int_equal(fs_list(&p->fs, "/d", &names, &f), 0);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], "a");
	assert_int_equal(fs_list(&p->fs, "/none", &names, &f), -ENOENT);
	assert_true(fs_exists(&p->fs, "/d/a"));
	assert_false(fs_exists(&p->fs, "/d/c"));
	assert_false(fs_is_dir(&p->fs, "/d/a"));
	assert_int_equal(fs_stat(&p->fs, "/d/c", &st, &f), -ENOENT);
	fs_symlink(&p->fs, "/l", "/nowhere", &f);
	assert_true(fs_exists(&p->fs, "/l")); /* lstat */
	assert_int_equal(fs_readlink(&p->fs, "/l", &target, &f), 0);
	assert_string_equal(target, "/nowhere");
	assert_int_equal(fs_readlink(&p->fs, "/d/a", &target, &f), -EINVAL);
	assert_int_equal(fs_readlink(&p->fs, "/none", &target, &f), -ENOENT);
	broken_readdir = true;
	assert_int_equal(fs_list(&p->fs, "/d", &names, &f), -EIO);
	broken_readdir = false;
}

static void removes(void **state)
{
	struct place *p = *state;
	struct fault f = { 0 };

	assert_int_equal(fs_remove(&p->fs, "/none", &f), 0);
	assert_int_equal(fs_remove(&p->fs, "/none/none", &f), 0);
	assert_int_equal(fs_shred(&p->fs, "/none", &f), 0);
	assert_int_equal(f.code, 0);
	fs_mkdirs(&p->fs, "/d", 0755, &f);
	assert_int_equal(fs_remove(&p->fs, "/d", &f), -EISDIR);
	fs_symlink(&p->fs, "/l", "d", &f);
	assert_int_equal(fs_remove(&p->fs, "/l", &f), 1);
	assert_true(fs_is_dir(&p->fs, "/d"));
}

/* A second name of the same file shows what shredding left. */
static void shreds(void **state)
{
	struct place *p = *state;
	_free_ char *a = mem_printf("%s/a", p->dir), *b = mem_printf("%s/b", p->dir),
		    *big = mem_alloc(10001);
	_str_ struct str s = { 0 };
	struct fault f = { 0 };

	memset(big, 's', 10000);
	fs_write_text(&p->fs, "/a", 0400, big, &f);
	assert_int_equal(link(a, b), 0);
	assert_int_equal(fs_shred(&p->fs, "/a", &f), 1);
	assert_false(fs_exists(&p->fs, "/a"));
	assert_int_equal(fs_read(&p->fs, "/b", 10000, &s, &f), 0);
	assert_int_equal(s.len, 10000);
	for (size_t i = 0; i < s.len; i++)
		assert_int_equal(s.p[i], 0);
}

#define WITH_PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(writes_and_reads),
		WITH_PLACE(umask_does_not_count),
		WITH_PLACE(refuses_what_is_no_file),
		WITH_PLACE(limits_reading),
		WITH_PLACE(links_do_not_lead_out),
		WITH_PLACE(order_survives_a_power_cut),
		WITH_PLACE(left_over_is_removed),
		cmocka_unit_test(two_writers_do_not_hinder_each_other),
		WITH_PLACE(failure_leaves_the_old),
		WITH_PLACE(unchanged_is_durable_too),
		WITH_PLACE(failed_links_and_moves),
		WITH_PLACE(makes_directories),
		WITH_PLACE(lists_and_looks),
		WITH_PLACE(removes),
		WITH_PLACE(shreds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
