/* The volume of a database pod: whatever is cut, at whatever point, what lies there afterwards is
 * the old data, whole, or the new. */
#include "tests/unit/pg_root.h"

#include "phoenix-job/pg_data.h"

static int steps, fail_at; /* of fs_fault_hook: which one fails, and all after it */

static int cut(const char *step, const char *path)
{
	(void)step, (void)path;
	return ++steps >= fail_at ? -EIO : 0;
}

static void cut_at(int step)
{
	if (step)
		steps = 0;
	fail_at = step;
	fs_fault_hook = step ? cut : NULL;
}

/* A data directory: what PostgreSQL looks for first, and what else is in it. */
static void directory(struct pg_root *p, const char *path, const char *word)
{
	_free_ char *version = mem_printf("%s/PG_VERSION", path);
	_free_ char *base = mem_printf("%s/base/1", path);

	root_write(p, version, "17\n");
	root_write(p, base, word);
}

static bool holds(struct pg_root *p, const char *path, const char *word)
{
	_free_ char *version = mem_printf("%s/PG_VERSION", path);
	_free_ char *base = mem_printf("%s/base/1", path);
	_str_ struct str text = { 0 };

	return fs_exists(&p->fs, version) && fs_read(&p->fs, base, 100, &text, NULL) == 0 &&
	       str_eq(str_text(&text), word);
}

static int open_once(struct pg_root *p, struct fault *f)
{
	int lock = -1, r = pg_data_open(&p->fs, &lock, f);

	if (lock >= 0)
		close(lock);
	return r;
}

/* rm that is killed after the first file of a directory: the one that says that it is whole, or
 * another. Returns the PATH before. */
static char *rm_is_killed(struct pg_root *p, const char *after)
{
	char *before = mem_strdup(getenv("PATH"));
	_free_ char *script = mem_printf("#!/bin/sh\nfor last; do :; done\n"
					 "PATH=/usr/bin:/bin rm -rf \"$last/%s\"\nkill -9 $$\n",
					 after);
	_free_ char *path = mem_printf("%s/bin:%s", p->dir, before);

	assert_true(fs_write_text(&p->fs, "/bin/rm", 0755, script, NULL) >= 0);
	assert_int_equal(setenv("PATH", path, 1), 0);
	return before;
}

static void rm_works(char *path)
{
	assert_int_equal(setenv("PATH", path, 1), 0);
	free(path);
}

/* --- the vote --- */

static void a_vote_is_kept(void **state)
{
	struct pg_root *p = *state;
	struct pg_vote v = { .term = 4, .holder = UID "/43be8ebf" }, back;
	struct stat st;

	assert_int_equal(pg_data_keep_vote(&p->fs, &v, NULL), 0);
	assert_int_equal(pg_data_vote(&p->fs, &back, NULL), 0);
	assert_int_equal(back.term, 4);
	assert_string_equal(back.holder, v.holder);
	assert_int_equal(fs_stat(&p->fs, PG_VOTE_FILE, &st, NULL), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	v.term = 5;
	assert_int_equal(pg_data_keep_vote(&p->fs, &v, NULL), 0);
	assert_int_equal(pg_data_vote(&p->fs, &back, NULL), 0);
	assert_int_equal(back.term, 5);
}

static void none_was_given(void **state)
{
	struct pg_root *p = *state;
	struct pg_vote v = { .term = 77 };
	struct fault f = { 0 };

	assert_int_equal(pg_data_vote(&p->fs, &v, &f), 0);
	assert_int_equal(f.code, 0);
	assert_int_equal(v.term, 0);
	assert_string_equal(v.holder, "");
}

/* Taken for none, it would be given again to another. */
static void a_vote_that_cannot_be_read_is_no_missing_one(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{}",
		"{\"term\":4}",
		"{\"holder\":\"h\"}",
		"{\"term\":-1,\"holder\":\"h\"}",
		"{\"term\":4,\"holder\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123"
		"0123456789012345678901234567890123456789012345678901234567890123\"}",
	};
	struct pg_root *p = *state;
	struct pg_vote v;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fault f = { 0 };

		root_write(p, PG_VOTE_FILE, texts[i]);
		assert_int_equal(pg_data_vote(&p->fs, &v, &f), -EIO);
		assert_string_equal(f.text, PG_VOTE_FILE ": holds no vote");
	}
	assert_int_equal(fs_remove(&p->fs, PG_VOTE_FILE, NULL), 1);
	assert_true(fs_symlink(&p->fs, PG_VOTE_FILE, "vote", NULL) >= 0);
	assert_int_equal(pg_data_vote(&p->fs, &v, &(struct fault){ 0 }), -ELOOP);
}

/* It was heard of only if it could be kept: then it is there, and before that the one before. */
static void a_vote_is_whole_wherever_it_is_cut(void **state)
{
	struct pg_root *p = *state;
	struct pg_vote before = { 4, "a/1" }, after = { 5, "b/2" }, v;
	int r = -1;

	for (int step = 1; r < 0; step++) {
		struct fault f = { 0 };

		cut_at(0);
		assert_int_equal(pg_data_keep_vote(&p->fs, &before, NULL), 0);
		cut_at(step);
		r = pg_data_keep_vote(&p->fs, &after, &f);
		assert_true(r == 0 || r == -EIO);
		cut_at(0);
		assert_int_equal(pg_data_vote(&p->fs, &v, NULL), 0);
		assert_true((v.term == 4 && str_eq(v.holder, "a/1") && r < 0) ||
			    (v.term == 5 && str_eq(v.holder, "b/2")));
	}
	assert_true(steps > 3);
}

/* --- start --- */

static void one_pod_a_volume(void **state)
{
	struct pg_root *p = *state;
	struct fault f = { 0 };
	int first = -1, second = -1;

	assert_int_equal(pg_data_open(&p->fs, &first, NULL), 0);
	assert_int_equal(pg_data_open(&p->fs, &second, &f), -EBUSY);
	assert_int_equal(second, -1);
	assert_string_equal(f.text, "/var/lib/phoenix/lock: another pod uses this volume");
	close(first);
	assert_int_equal(pg_data_open(&p->fs, &second, NULL), 0);
	close(second);
}

static void an_empty_volume_stays_empty(void **state)
{
	struct pg_root *p = *state;
	_strv_ struct strv names = { 0 };

	assert_int_equal(open_once(p, NULL), 0);
	assert_false(pg_data_is_there(&p->fs));
	assert_int_equal(fs_list(&p->fs, PG_VOLUME, &names, NULL), 0);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "lock");
}

static void what_was_half_made_is_thrown_away(void **state)
{
	struct pg_root *p = *state;

	directory(p, PG_DATA, "data");
	directory(p, PG_NEW, "half");
	directory(p, PG_VOLUME "/gone", "half");
	assert_int_equal(open_once(p, NULL), 0);
	assert_false(fs_exists(&p->fs, PG_NEW));
	assert_false(fs_exists(&p->fs, PG_VOLUME "/gone"));
	assert_true(holds(p, PG_DATA, "data"));
	assert_true(pg_data_is_there(&p->fs));
}

static void an_emptied_directory_is_no_data(void **state)
{
	struct pg_root *p = *state;

	root_write(p, PG_DATA "/postgresql.auto.conf", "");
	directory(p, PG_OLD, "old");
	assert_int_equal(open_once(p, NULL), 0);
	assert_true(holds(p, PG_DATA, "old"));
	assert_false(fs_exists(&p->fs, PG_OLD));
}

static void what_is_ready_goes_before_what_was(void **state)
{
	struct pg_root *p = *state;

	directory(p, PG_READY, "new");
	directory(p, PG_OLD, "old");
	assert_int_equal(open_once(p, NULL), 0);
	assert_false(fs_exists(&p->fs, PG_DATA));
	assert_true(holds(p, PG_READY, "new"));
	assert_true(holds(p, PG_OLD, "old"));
	assert_int_equal(pg_data_take(&p->fs, NULL), 0);
	assert_true(holds(p, PG_DATA, "new"));
	assert_true(holds(p, PG_OLD, "old"));
}

/* A disk that answers nothing about the data has not said that there is none: here, a loop. */
static void data_that_cannot_be_looked_at_is_not_removed(void **state)
{
	struct pg_root *p = *state;
	struct stat st;

	assert_true(fs_symlink(&p->fs, PG_DATA, "data", NULL) >= 0);
	directory(p, PG_OLD, "old");
	assert_true(pg_data_is_there(&p->fs));
	assert_int_equal(open_once(p, NULL), 0);
	assert_int_equal(fs_stat(&p->fs, PG_DATA, &st, NULL), 0);
	assert_true(holds(p, PG_OLD, "old"));
}

static void what_is_not_there_is_removed(void **state)
{
	struct pg_root *p = *state;

	directory(p, PG_NEW, "half");
	assert_int_equal(pg_data_remove(&p->fs, PG_NEW, NULL), 0);
	assert_false(fs_exists(&p->fs, PG_NEW));
	assert_int_equal(pg_data_remove(&p->fs, PG_NEW, NULL), 0); /* there is none */
}

/* --- made, taken --- */

static void made_then_taken(void **state)
{
	struct pg_root *p = *state;

	directory(p, PG_DATA, "old");
	directory(p, PG_OLD, "older");
	directory(p, PG_READY, "forgotten");
	directory(p, PG_NEW, "new");
	root_write(p, PG_PROMOTING, "");
	assert_int_equal(pg_data_made(&p->fs, NULL), 0);
	assert_true(holds(p, PG_READY, "new"));
	assert_true(holds(p, PG_DATA, "old"));
	assert_false(fs_exists(&p->fs, PG_NEW));
	assert_int_equal(pg_data_take(&p->fs, NULL), 0);
	assert_true(holds(p, PG_DATA, "new"));
	assert_true(holds(p, PG_OLD, "old"));
	assert_false(fs_exists(&p->fs, PG_READY));
	assert_false(fs_exists(&p->fs, PG_PROMOTING));
}

/* After a cut, a restart: what stands in the way is gone, what is there can be gone on with. */
static void assert_gone_on(struct pg_root *p)
{
	assert_int_equal(open_once(p, NULL), 0);
	assert_false(fs_exists(&p->fs, PG_VOLUME "/gone"));
	if (!pg_data_is_there(&p->fs)) {
		assert_true(holds(p, PG_READY, "new"));
		assert_true(holds(p, PG_OLD, "old"));
		assert_int_equal(pg_data_take(&p->fs, NULL), 0);
	}
	assert_true(holds(p, PG_DATA, "old") || holds(p, PG_DATA, "new"));
	/* the old data is given up only when something took its place */
	assert_true(holds(p, PG_DATA, "old") || holds(p, PG_OLD, "old"));
}

static void empty(struct pg_root *p)
{
	cut_at(0);
	assert_int_equal(proc_do(NULL, "rm", "-rf", p->dir, NULL), 0);
	assert_int_equal(mkdir(p->dir, 0700), 0);
	fs_close(&p->fs);
	assert_int_equal(fs_open(&p->fs, p->dir, NULL), 0);
}

static void again(struct pg_root *p)
{
	empty(p);
	directory(p, PG_DATA, "old");
	directory(p, PG_OLD, "older");
	directory(p, PG_READY, "new");
	root_write(p, PG_PROMOTING, "");
}

static void taking_is_cut_at_each_step(void **state)
{
	struct pg_root *p = *state;
	int r = -1;

	for (int step = 1; r < 0; step++) {
		struct fault f = { 0 };

		again(p);
		cut_at(step);
		r = pg_data_take(&p->fs, &f);
		assert_true(r == 0 || r == -EIO);
		/* what it wrote that nobody may have seen is told from what took its place */
		assert_true(fs_exists(&p->fs, PG_PROMOTING) || holds(p, PG_DATA, "new"));
		cut_at(0);
		assert_gone_on(p);
		if (r == 0)
			assert_true(holds(p, PG_DATA, "new"));
	}
	assert_true(steps >= 6); /* three renames, two of them with a sync, and the mark */
}

/* And the start after it, at each step again. */
static void the_start_is_cut_at_each_step(void **state)
{
	struct pg_root *p = *state;

	for (int first = 1, taken = -1; taken < 0; first++) {
		for (int second = 1, opened = -1; opened < 0; second++) {
			struct fault f = { 0 };

			again(p);
			directory(p, PG_NEW, "half");
			cut_at(first);
			taken = pg_data_take(&p->fs, &f);
			cut_at(second);
			opened = open_once(p, &f);
			assert_true(opened == 0 || opened == -EIO);
			cut_at(0);
			assert_gone_on(p);
			assert_false(fs_exists(&p->fs, PG_NEW));
		}
	}
}

static void putting_back_is_cut_at_each_step(void **state)
{
	struct pg_root *p = *state;

	for (int step = 1, r = -1; r < 0; step++) {
		empty(p);
		directory(p, PG_OLD, "old");
		cut_at(step);
		r = open_once(p, &(struct fault){ 0 });
		cut_at(0);
		assert_int_equal(open_once(p, NULL), 0);
		assert_true(holds(p, PG_DATA, "old"));
		assert_false(fs_exists(&p->fs, PG_OLD));
	}
}

static void making_is_cut_at_each_step(void **state)
{
	struct pg_root *p = *state;

	for (int step = 1, r = -1; r < 0; step++) {
		again(p);
		directory(p, PG_NEW, "newest");
		cut_at(step);
		r = pg_data_made(&p->fs, &(struct fault){ 0 });
		cut_at(0);
		assert_true(holds(p, PG_DATA, "old"));
		assert_int_equal(open_once(p, NULL), 0);
		assert_true(!fs_exists(&p->fs, PG_READY) || holds(p, PG_READY, "new") ||
			    holds(p, PG_READY, "newest"));
		assert_true(r < 0 || holds(p, PG_READY, "newest"));
	}
}

/* Half-rewound data is kept for nobody, and what took its place is not taken for it. */
static void after_a_rewind_that_failed(void **state)
{
	struct pg_root *p = *state;

	for (int step = 1, r = -1; r < 0; step++) {
		empty(p);
		directory(p, PG_DATA, "half");
		directory(p, PG_READY, "new");
		root_write(p, PG_REWINDING, "");
		cut_at(step);
		r = pg_data_take(&p->fs, &(struct fault){ 0 });
		cut_at(0);
		assert_int_equal(open_once(p, NULL), 0);
		assert_true(holds(p, fs_exists(&p->fs, PG_DATA) ? PG_DATA : PG_READY, "new"));
		assert_false(fs_exists(&p->fs, PG_OLD));
		assert_false(fs_exists(&p->fs, PG_REWINDING));
	}
}

static void a_rewind_that_was_cut(void **state)
{
	struct pg_root *p = *state;

	for (int step = 1, r = -1; r < 0; step++) {
		empty(p);
		directory(p, PG_DATA, "half");
		directory(p, PG_OLD, "old");
		root_write(p, PG_REWINDING, "");
		cut_at(step);
		r = open_once(p, &(struct fault){ 0 });
		cut_at(0);
		assert_int_equal(open_once(p, NULL), 0);
		assert_true(holds(p, PG_DATA, "old"));
		assert_false(fs_exists(&p->fs, PG_REWINDING));
	}
}

/* What is half removed is never found under a name that means something. */
static void removing_is_killed(void **state)
{
	static const char *const first[] = { "PG_VERSION", "base" };
	static const char *const names[] = { PG_OLD, PG_READY, PG_DATA };
	struct pg_root *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			char *path;

			again(p);
			path = rm_is_killed(p, first[i]);
			assert_true(pg_data_remove(&p->fs, names[k], &(struct fault){ 0 }) < 0);
			rm_works(path);
			assert_false(fs_exists(&p->fs, names[k]));
			assert_int_equal(open_once(p, NULL), 0);
			assert_false(fs_exists(&p->fs, PG_VOLUME "/gone"));
			assert_true(holds(p, PG_DATA, "old") || str_eq(names[k], PG_DATA));
		}
}

/* --- before PostgreSQL starts --- */

static void of_a_clone_nothing_is_brought_along(void **state)
{
	struct pg_root *p = *state;
	static const char *const away[] = { "postmaster.pid", "postmaster.opts",
					    "recovery.signal" };

	for (int standby = 1; standby >= 0; standby--) {
		directory(p, PG_DATA, "data");
		root_write(p, PG_DATA "/postgresql.auto.conf", "synchronous_standby_names = 'x'\n");
		for (size_t i = 0; i < ARRAY_LEN(away); i++) {
			_free_ char *path = mem_printf(PG_DATA "/%s", away[i]);

			root_write(p, path, "1\n");
		}
		assert_int_equal(pg_data_prepare(&p->fs, standby, NULL), 0);
		assert_file(&p->fs, PG_DATA "/postgresql.auto.conf", "");
		for (size_t i = 0; i < ARRAY_LEN(away); i++) {
			_free_ char *path = mem_printf(PG_DATA "/%s", away[i]);

			assert_false(fs_exists(&p->fs, path));
		}
		assert_int_equal(fs_exists(&p->fs, PG_DATA "/standby.signal"), standby);
		assert_true(holds(p, PG_DATA, "data"));
	}
}

/* Cut between: as a standby, or not at all. A start that failed is begun anew. */
static void preparing_is_cut_at_each_step(void **state)
{
	struct pg_root *p = *state;

	for (int step = 1, r = -1; r < 0; step++) {
		again(p);
		root_write(p, PG_DATA "/postmaster.pid", "1\n");
		cut_at(step);
		r = pg_data_prepare(&p->fs, true, &(struct fault){ 0 });
		cut_at(0);
		assert_true(r < 0 || fs_exists(&p->fs, PG_DATA "/standby.signal"));
		assert_true(holds(p, PG_DATA, "old"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		root_test(a_vote_is_kept),
		root_test(none_was_given),
		root_test(a_vote_that_cannot_be_read_is_no_missing_one),
		root_test(a_vote_is_whole_wherever_it_is_cut),
		root_test(one_pod_a_volume),
		root_test(an_empty_volume_stays_empty),
		root_test(what_was_half_made_is_thrown_away),
		root_test(an_emptied_directory_is_no_data),
		root_test(what_is_ready_goes_before_what_was),
		root_test(data_that_cannot_be_looked_at_is_not_removed),
		root_test(what_is_not_there_is_removed),
		root_test(made_then_taken),
		root_test(taking_is_cut_at_each_step),
		root_test(the_start_is_cut_at_each_step),
		root_test(putting_back_is_cut_at_each_step),
		root_test(making_is_cut_at_each_step),
		root_test(after_a_rewind_that_failed),
		root_test(a_rewind_that_was_cut),
		root_test(removing_is_killed),
		root_test(of_a_clone_nothing_is_brought_along),
		root_test(preparing_is_cut_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
