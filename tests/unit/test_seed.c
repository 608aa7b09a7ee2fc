/* Which seed counts: places in their order, corrected seeds, old sticks, broken ones; and what is
 * removed afterwards. */
#include "tests/unit/test.h"

#include "cloud-init/init_template.h"
#include "cloud-init/seed.h"
#include "cloud-init/seed_files.h"
#include "cloud-init/seed_places.h"

#include <errno.h>
#include <ftw.h>
#include <unistd.h>

#define NOCLOUD "/var/lib/cloud/seed/nocloud/" SEED_FILE
#define NOCLOUD_NET "/var/lib/cloud/seed/nocloud-net/" SEED_FILE
#define ETC "/etc/phoenix/" SEED_FILE

static struct secrets *secrets, *foreign;
static struct str description, other;
static struct cluster_config *config, *other_config;
static char *root;
static struct fs fs = { .fd = -1 };

static int issue(const char *name, struct str *text, struct cluster_config **c, struct secrets **s)
{
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };

	init_template(name, text);
	if (config_parse("f", text->p, text->len, c, &d) < 0)
		return -1;
	*s = mem_alloc(sizeof **s);
	return secrets_issue(*s, *c, &f);
}

static int setup_all(void **state)
{
	(void)state;
	return issue("railiance", &description, &config, &secrets) < 0 ||
	       issue("other", &other, &other_config, &foreign) < 0;
}

static int teardown_all(void **state)
{
	(void)state;
	secrets_freep(&secrets);
	secrets_freep(&foreign);
	config_freep(&config);
	config_freep(&other_config);
	str_free(&description);
	str_free(&other);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	root = mem_strdup("/tmp/phoenix-seed-XXXXXX");
	return !mkdtemp(root) || fs_open(&fs, root, NULL) < 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	fs_close(&fs);
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(root);
	return 0;
}

/* A seed whose description ends in a comment: the same cluster in another edition. */
static void put(const char *path, const char *edition, int node)
{
	_seed_files_ struct seed_files files = { 0 };
	_str_ struct str text = { 0 };

	str_addf(&text, "%s# %s\n", description.p, edition);
	seed_files_make(config, &text, secrets, node, false, &files);
	assert_true(fs_write(&fs, path, 0600, files.seed.p, files.seed.len, NULL) >= 0);
}

#define ANY SIZE_MAX
static struct seed *find(size_t mistakes)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };

	assert_int_equal(seed_find(&fs, &s, &d, &f), 0);
	if (mistakes != ANY) {
		if (d.lines.n != mistakes)
			diags_print(&d);
		assert_int_equal(d.lines.n, mistakes);
	}
	return s;
}

static void expect(const char *edition, size_t mistakes)
{
	_seed_ struct seed *s = find(mistakes);
	_free_ char *comment = mem_printf("# %s\n", edition);

	assert_true(str_ends(s->description, comment));
	assert_true(seed_import(&fs, s, NULL) >= 0);
	assert_true(seed_is_imported(&fs, s));
}

static void test_none(void **state)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(seed_find(&fs, &s, &d, &f), -ENOENT);
	assert_non_null(strstr(f.text, "/etc/phoenix: none"));
	assert_non_null(strstr(f.text, "kernel command line"));
	assert_non_null(strstr(f.text, "nocloud-net: none"));
}

static void test_order_and_import(void **state)
{
	_seed_ struct seed *s = NULL;
	struct stat st;

	(void)state;
	put(ETC, "etc", 1);
	put(NOCLOUD_NET, "net", 1);
	s = find(1); /* the other one is told */
	assert_string_equal(s->source, "/var/lib/cloud/seed/nocloud-net");
	assert_int_equal(s->self, 1);
	assert_false(s->wipe);
	assert_false(seed_is_imported(&fs, s));
	assert_int_equal(seed_import(&fs, s, NULL), 1);
	assert_int_equal(seed_import(&fs, s, NULL), 0);
	assert_int_equal(fs_stat(&fs, SEED_IMPORTED, &st, NULL), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fs_stat(&fs, SEED_FOLDER, &st, NULL), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* the place is empty now: the lower one was known and is no correction */
	assert_int_equal(fs_remove(&fs, NOCLOUD_NET, NULL), 1);
	expect("net", 1);
	assert_int_equal(fs_remove(&fs, ETC, NULL), 1);
	expect("net", 0);
}

static void test_corrected(void **state)
{
	(void)state;
	put(NOCLOUD, "one", 0);
	expect("one", 0);
	put(NOCLOUD, "two", 0);
	expect("two", 0);
	expect("two", 0);
	/* an old stick: told, not taken */
	put(NOCLOUD, "one", 0);
	expect("two", 1);
	put(NOCLOUD, "three", 0);
	expect("three", 0);
}

static void test_broken_does_not_harm(void **state)
{
	_seed_files_ struct seed_files files = { 0 };

	(void)state;
	put(NOCLOUD, "one", 0);
	expect("one", 0);
	assert_true(fs_write_text(&fs, NOCLOUD, 0600, "node: [", NULL) >= 0);
	expect("one", 2);
	/* another node's, another cluster's */
	put(NOCLOUD, "two", 1);
	expect("one", 1);
	seed_files_make(other_config, &other, foreign, 0, false, &files);
	assert_true(fs_write(&fs, NOCLOUD, 0600, files.seed.p, files.seed.len, NULL) >= 0);
	expect("one", 1);
	assert_int_equal(fs_remove(&fs, NOCLOUD, NULL), 1);
	assert_int_equal(fs_mkdirs(&fs, NOCLOUD, 0755, NULL), 1);
	expect("one", 1);
}

static void test_first_place_decides(void **state)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };

	(void)state;
	put(ETC, "good", 0);
	assert_true(fs_write_text(&fs, NOCLOUD, 0600, "node: phoenix-a\nwipe: maybe\n", NULL) >= 0);
	assert_int_equal(seed_find(&fs, &s, &d, &f), -EINVAL);
	assert_null(s);
	assert_int_equal(d.lines.n, 3);
	assert_non_null(strstr(f.text, "/var/lib/cloud/seed/nocloud"));
}

/* Of a seed's text, what follows the line of its node. */
static const char *behind_node(const struct seed_files *files)
{
	return strchr(strstr(files->seed.p, "\nnode: ") + 1, '\n');
}

/* Each mistake of the file at once: in the list, with file and line; the first, and how many more,
 * in the sentence. */
static void expect_mistakes(const char *text, size_t n, const char *const *expected)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };
	_free_ char *sentence = NULL;

	assert_true(fs_write_text(&fs, ETC, 0600, text, NULL) >= 0);
	assert_int_equal(seed_find(&fs, &s, &d, &f), -EINVAL);
	if (d.lines.n != n)
		diags_print(&d);
	assert_int_equal(d.lines.n, n);
	for (size_t i = 0; i < n && expected[i]; i++)
		if (!str_starts(d.lines.v[i], expected[i]))
			fail_msg("%s", d.lines.v[i]);
	sentence = n == 1 ? mem_printf("the seed is not whole: %s", d.lines.v[0])
			  : mem_printf("the seed is not whole: %s; and %zu more "
				       "(journalctl -u phoenix-firstboot)",
				       d.lines.v[0], n - 1);
	assert_string_equal(f.text, sentence);
}

static void test_all_mistakes_at_once(void **state)
{
	static const char *const tab[] = { ETC ":2:1: ", NULL };
	static const char *const one[] = { ETC ":1:7: node: 'phoenix-x' is no node", NULL };
	static const char *const outer[] = { ETC ":2:1: colour: no such key",
					     ETC ":1:7: node: 'phoenix-x' is no node", NULL };
	static const char *const inner[] = { ETC " (description):1:1: colour: no such key",
					     ETC ":1:7: node: 'phoenix-x' is no node", NULL };
	_seed_files_ struct seed_files files = { 0 };
	_str_ struct str text = { 0 }, wrong = { 0 };
	const char *rest;

	(void)state;
	seed_files_make(config, &description, secrets, 0, false, &files);
	rest = behind_node(&files);
	str_addf(&text, "node: phoenix-a\n\twipe: true%s", rest);
	expect_mistakes(text.p, 1, tab);
	str_reset(&text);
	str_addf(&text, "node: phoenix-x%s", rest);
	expect_mistakes(text.p, 1, one);
	str_reset(&text);
	str_addf(&text, "node: phoenix-x\ncolour: red%s", rest);
	expect_mistakes(text.p, 2, outer);
	/* in the description: the other mistakes are found all the same */
	str_addf(&wrong, "colour: red\n%s", description.p);
	seed_files_free(&files);
	seed_files_make(config, &wrong, secrets, 0, false, &files);
	str_reset(&text);
	str_addf(&text, "node: phoenix-x%s", behind_node(&files));
	expect_mistakes(text.p, 2, inner);
}

/* Whatever stands in it: a sentence of a bounded length, with its end. */
static void test_many_and_long_mistakes(void **state)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };
	_str_ struct str text = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++)
		str_addf(&text, "%*s%d: ö\n", 100, "k", i);
	str_add(&text, "node: phoenix-x\n");
	assert_true(fs_write_text(&fs, ETC, 0600, text.p, NULL) >= 0);
	assert_int_equal(seed_find(&fs, &s, &d, &f), -EINVAL);
	assert_true(d.lines.n >= 1);
	assert_true(strlen(f.text) < sizeof f.text - 1);
}

/* What was wrong with the imported copy is not the first mistake of the seed. */
static void test_mistakes_beside_a_broken_import(void **state)
{
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_true(fs_write_text(&fs, SEED_IMPORTED, 0600, "x", NULL) >= 0);
	assert_true(fs_write_text(&fs, ETC, 0600, "node: [", NULL) >= 0);
	assert_int_equal(seed_find(&fs, &s, &d, &f), -EINVAL);
	assert_int_equal(d.lines.n, 2);
	assert_true(str_starts(f.text, "the seed is not whole: " ETC ":"));
	assert_null(strstr(f.text, "more"));
}

static void test_broken_import(void **state)
{
	(void)state;
	put(NOCLOUD, "one", 0);
	expect("one", 0);
	assert_true(fs_write_text(&fs, SEED_IMPORTED, 0600, "x", NULL) >= 0);
	expect("one", 1); /* from its place again */
	expect("one", 0);
}

static void test_cmdline(void **state)
{
	static const char line[] = "quiet phoenix.seed=http://a/1 phoenix.seed=http://192.0.2.9/s "
				   "phoenix.seed-sha256=ab";
	static const char init[] = "/sbin/init\0phoenix.seed=http://b/";
	_free_ char *url = NULL, *hash = NULL, *url2 = NULL, *hash2 = NULL;
	_diags_ struct diags d = { 0 };
	struct seed *s = NULL;
	struct fault f = { 0 };

	(void)state;
	seed_cmdline(line, sizeof line - 1, &url, &hash);
	assert_string_equal(url, "http://192.0.2.9/s");
	assert_string_equal(hash, "ab");
	seed_cmdline(init, sizeof init - 1, &url2, &hash2);
	assert_string_equal(url2, "http://b/");
	assert_null(hash2);
	/* without its checksum nothing is fetched */
	assert_true(fs_write(&fs, "/proc/1/cmdline", 0644, init, sizeof init - 1, NULL) >= 0);
	assert_int_equal(seed_find(&fs, &s, &d, &f), -EINVAL);
	assert_non_null(strstr(f.text, "needs phoenix.seed-sha256"));
}

static void test_scrub(void **state)
{
	_diags_ struct diags left = { 0 };
	struct fault f = { 0 };

	(void)state;
	put(NOCLOUD, "one", 0);
	put(ETC, "two", 0);
	assert_true(fs_write_text(&fs, "/var/lib/cloud/seed/nocloud/meta-data", 0644,
				  "instance-id: x\n", NULL) >= 0);
	assert_int_equal(seed_scrub(&fs, true, &left, &f), -ENOENT); /* nothing imported */
	expect("one", 1);
	put(NOCLOUD_NET, "three", 0); /* never taken: stays */
	assert_int_equal(seed_scrub(&fs, true, &left, &f), 1);
	assert_true(fs_exists(&fs, NOCLOUD));
	assert_int_equal(seed_scrub(&fs, false, &left, &f), 1);
	assert_false(fs_exists(&fs, NOCLOUD));
	assert_true(fs_exists(&fs, ETC)); /* lay there, and another was taken */
	assert_true(fs_exists(&fs, NOCLOUD_NET));
	assert_true(fs_exists(&fs, "/var/lib/cloud/seed/nocloud/meta-data"));
	assert_true(fs_exists(&fs, SEED_IMPORTED));
	assert_int_equal(seed_scrub(&fs, true, &left, &f), 0);
	assert_int_equal(left.lines.n, 0);
	/* a URL is out of reach, and said so */
	assert_true(fs_write_text(&fs, "/proc/cmdline", 0644, "phoenix.seed=http://192.0.2.9/s\n",
				  NULL) >= 0);
	assert_int_equal(seed_scrub(&fs, true, &left, &f), 0);
	assert_int_equal(left.lines.n, 1);
}

static int steps_left;
static int cut(const char *step, const char *path)
{
	(void)step, (void)path;
	return steps_left-- > 0 ? 0 : -EIO;
}

/* Cut between overwriting and removing: what is left is no seed, and goes at the next run. What
 * cannot be removed is told, and not tried for ever. */
static void test_scrub_again(void **state)
{
	static const char gone[] = "/var/lib/cloud/seed/nocloud/.phoenix-seed.gone";
	_diags_ struct diags left = { 0 }, told = { 0 };
	struct fault f = { 0 };

	(void)state;
	put(NOCLOUD, "one", 0);
	expect("one", 0);
	steps_left = 1; /* the rename, and no more */
	fs_fault_hook = cut;
	assert_int_equal(seed_scrub(&fs, false, &left, &f), 0);
	fs_fault_hook = NULL;
	assert_false(fs_exists(&fs, NOCLOUD));
	assert_true(fs_exists(&fs, gone));
	assert_int_equal(left.lines.n, 1);
	assert_int_equal(seed_scrub(&fs, true, &told, &f), 0); /* by this process it is told… */
	assert_int_equal(told.lines.n, 1);
	put(NOCLOUD_NET, "two", 0); /* a correction, in another place: taken, and removed */
	expect("two", 0);
	assert_int_equal(seed_scrub(&fs, true, &told, &f), 1);
	assert_int_equal(seed_scrub(&fs, false, &told, &f), 2);
	assert_false(fs_exists(&fs, gone) || fs_exists(&fs, NOCLOUD_NET));
	put(NOCLOUD, "two", 0); /* what failed was another seed */
	assert_int_equal(seed_scrub(&fs, true, &told, &f), 1);
}

/* A power cut at each step of the import: the next search ends with a whole seed, the same or the
 * corrected one. */
static void test_power_cut(void **state)
{
	(void)state;
	put(NOCLOUD, "one", 0);
	put(ETC, "lower", 0);
	for (int steps = 0;; steps++) {
		_seed_ struct seed *s = find(ANY);
		int r;

		assert_string_equal(s->source, fs_exists(&fs, SEED_IMPORTED)
						       ? SEED_IMPORTED
						       : "/var/lib/cloud/seed/nocloud");
		steps_left = steps;
		fs_fault_hook = cut;
		r = seed_import(&fs, s, NULL);
		fs_fault_hook = NULL;
		if (r >= 0)
			break;
		assert_true(steps < 100);
	}
	put(NOCLOUD, "two", 0);
	for (int steps = 0;; steps++) {
		_seed_ struct seed *s = find(ANY);
		int r;

		assert_true(str_ends(s->description, "# two\n"));
		steps_left = steps;
		fs_fault_hook = cut;
		r = seed_import(&fs, s, NULL);
		fs_fault_hook = NULL;
		if (r >= 0)
			break;
		assert_true(steps < 100);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_order_and_import),
		TEST(test_corrected),
		TEST(test_broken_does_not_harm),
		TEST(test_first_place_decides),
		TEST(test_all_mistakes_at_once),
		TEST(test_many_and_long_mistakes),
		TEST(test_mistakes_beside_a_broken_import),
		TEST(test_broken_import),
		TEST(test_cmdline),
		TEST(test_scrub),
		TEST(test_scrub_again),
		TEST(test_power_cut),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
