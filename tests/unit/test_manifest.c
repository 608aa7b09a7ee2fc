/* The manifests of this tree render, whole and readable; and what is wrong in one is told by line. */
#include "tests/unit/boot_tree.h"

#include "firstboot/manifest.h"
#include "lib/crypto.h"
#include "lib/kube_internal.h"
#include "lib/yaml.h"

#define OURS "firstboot/manifests"
#define FOLDER "/manifests"

static struct seed *seed;

static int setup(void **state)
{
	(void)state;
	seed = tree_seed(tree_description, 0, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	seed_freep(&seed);
	return 0;
}

static int load(const struct fs *fs, const char *folder, struct components *all, struct fault *f)
{
	return components_load(fs, folder, seed->config, seed->secrets, all, f);
}

/* The text of every manifest of this tree. */
static void all_text(struct str *out)
{
	_strv_ struct strv files = { 0 };
	_fs_ struct fs here = { .fd = -1 };

	assert_int_equal(fs_open(&here, ".", NULL), 0);
	assert_int_equal(fs_list(&here, OURS, &files, NULL), 0);
	strv_each (file, &files) {
		_free_ char *path = mem_printf(OURS "/%s", file);

		assert_int_equal(fs_read(&here, path, 1 << 20, out, NULL), 0);
	}
}

/* A tree of files with one manifest, TEXT. What loading it says, in F. */
static int load_text(const char *name, const char *text, struct components *all, struct fault *f)
{
	_free_ char *path = mem_printf(FOLDER "/%s", name);
	struct tree *t = tree_new(-1);
	int r;

	*f = (struct fault){ 0 };
	tree_put(t, path, text);
	r = load(&t->boot.fs, FOLDER, all, f);
	tree_free(t);
	return r;
}

static void check_document(const struct component *c, const struct kube_document *d)
{
	_kube_head_ struct kube_head h = { 0 };
	_diags_ struct diags mistakes = { 0 };
	_yaml_ struct yaml *y = NULL;
	struct fault f = { 0 };

	if (yaml_parse(c->file, d->text, d->len, &y, &mistakes) < 0) {
		diags_print(&mistakes);
		fail_msg("%s: document %d", c->file, d->number);
	}
	if (kube_head_read(d, c->file, &h, &f) < 0)
		fail_msg("%s", f.text);
	/* whoever applies it must not depend on a namespace that is in force somewhere */
	if (!h.ns && !str_eq(h.kind, "Namespace") && !str_eq(h.kind, "PriorityClass"))
		fail_msg("%s: %s %s: no namespace", c->file, h.kind, h.name);
}

static void ours_are_whole(void **state)
{
	_components_ struct components all = { 0 }, again = { 0 };
	_fs_ struct fs here = { .fd = -1 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(fs_open(&here, ".", NULL), 0);
	if (load(&here, OURS, &all, &f) < 0)
		fail_msg("%s", f.text);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.v[0].name, "base");
	assert_string_equal(all.v[1].name, "database");
	for (size_t i = 0; i < all.n; i++) {
		struct kube_documents docs = { .text = all.v[i].text.p, .len = all.v[i].text.len };
		struct kube_document d;

		while (kube_documents_next(&docs, &d, NULL) > 0)
			check_document(&all.v[i], &d);
		assert_null(strchr(all.v[i].text.p, '@'));
	}
	/* the same description, the same bytes */
	assert_int_equal(load(&here, OURS, &again, &f), 0);
	assert_string_equal(all.digest, again.digest);
}

/* A value that no manifest names any more is a leftover, and a secret that is read for nothing. */
static void every_value_is_used(void **state)
{
	_str_ struct str text = { 0 };

	(void)state;
	all_text(&text);
	for (const struct manifest_value *v = manifest_values; v->name; v++) {
		_free_ char *placeholder = mem_printf("@%s@", v->name);

		if (!strstr(text.p, placeholder))
			fail_msg("%s is used nowhere", placeholder);
	}
}

static void what_is_put_in(void **state)
{
	_components_ struct components all = { 0 };
	struct fault f;

	(void)state;
	assert_int_equal(load_text("07-x-y.yaml",
				   "a: @DATABASE_SIZE@ @API_SERVERS@\nb@c: @ @a@ @@ @X @_X@ @1@\n"
				   "c: @DATABASE_REPLICATION@@STORAGE_CLASS@",
				   &all, &f),
			 0);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].name, "x-y");
	assert_string_equal(all.v[0].text.p,
			    "a: 20Gi \"https://192.0.2.11:6443\",\"https://192.0.2.12:6443\","
			    "\"https://192.0.2.13:6443\"\nb@c: @ @a@ @@ @X @_X@ @1@\n"
			    "c: asynclonghorn");
}

static void a_secret_comes_as_base64(void **state)
{
	_components_ struct components all = { 0 };
	_str_ struct str plain = { 0 };
	struct fault f;

	(void)state;
	assert_int_equal(load_text("07-x.yaml", "@DATABASE_CA@", &all, &f), 0);
	assert_true(crypto_base64_decode(all.v[0].text.p, all.v[0].text.len, &plain));
	assert_string_equal(plain.p, seed->secrets->database_ca);
}

static void mistakes_are_told_by_line(void **state)
{
	static const struct {
		const char *name, *text, *says;
	} bad[] = {
		{ "07-x.yaml", "a: 1\nb: @DATABASE_SIZ@\n",
		  FOLDER "/07-x.yaml:2: @DATABASE_SIZ@ stands for nothing" },
		{ "07-x.yaml", "# one\n# needs: longhorn, backup\n",
		  FOLDER "/07-x.yaml:2: needs: 'longhorn, backup' is none of" },
		{ "7-x.yaml", "", FOLDER "/7-x.yaml: is not called NN-NAME.yaml" },
		{ "07-.yaml", "", "is not called" },
		{ "07-x.yml", "", "is not called" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_components_ struct components all = { 0 };
		struct fault f;

		assert_int_equal(load_text(bad[i].name, bad[i].text, &all, &f), -EINVAL);
		if (!strstr(f.text, bad[i].says))
			fail_msg("says: %s", f.text);
	}
}

/* A node lives on with a seed of an older program, until something of it is asked for. */
static void what_an_old_seed_lacks_is_told(void **state)
{
	char *ca = TAKE_PTR(seed->secrets->database_ca);
	_components_ struct components all = { 0 };
	struct fault f;

	(void)state;
	assert_int_equal(load_text("07-x.yaml", "\n@DATABASE_CA@", &all, &f), -EINVAL);
	assert_non_null(strstr(f.text, "07-x.yaml:2: there is no value for @DATABASE_CA@"));
	assert_non_null(strstr(f.text, "make seeds anew"));
	seed->secrets->database_ca = ca;
}

static void a_description_may_not_want_one(void **state)
{
	static const struct {
		const char *head;
		size_t n;
	} cases[] = {
		{ "# needs: longhorn\na: b\n", 1 },
		{ "# needs: local-path\n", 0 },
		{ "# x\n# needs: backup\n", 0 },
		{ "a: b\n# needs: backup\n", 1 },
		{ "# needs: longhorn\n# needs: backup", 0 },
		{ "# needs: monitoring\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_components_ struct components all = { 0 };
		struct fault f;

		assert_int_equal(load_text("07-x.yaml", cases[i].head, &all, &f), 0);
		assert_int_equal(all.n, cases[i].n);
	}
}

static void no_folder_is_no_empty_cluster(void **state)
{
	_components_ struct components all = { 0 };
	struct tree *t = tree_new(-1);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(load(&t->boot.fs, FOLDER, &all, &f), -ENOENT);
	assert_non_null(strstr(f.text, FOLDER));
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_are_whole),
		cmocka_unit_test(every_value_is_used),
		cmocka_unit_test(what_is_put_in),
		cmocka_unit_test(a_secret_comes_as_base64),
		cmocka_unit_test(mistakes_are_told_by_line),
		cmocka_unit_test(what_an_old_seed_lacks_is_told),
		cmocka_unit_test(a_description_may_not_want_one),
		cmocka_unit_test(no_folder_is_no_empty_cluster),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
