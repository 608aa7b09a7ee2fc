/* See manifest.h. */
#include "firstboot/manifest.h"

#include "lib/crypto.h"

#include <errno.h>

#define FILE_MAX (8u << 20) /* a chart with its definitions */
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NEEDS "# needs:"

static bool wants_longhorn(const struct cluster_config *c)
{
	return str_eq(c->storage_provider, "longhorn");
}

static bool wants_local_path(const struct cluster_config *c)
{
	return str_eq(c->storage_provider, "local-path");
}

static bool wants_backup(const struct cluster_config *c)
{
	return c->s3_bucket;
}

static bool wants_monitoring(const struct cluster_config *c)
{
	return c->monitoring;
}

static const struct {
	const char *word;
	bool (*holds)(const struct cluster_config *c);
} needs[] = {
	{ "longhorn", wants_longhorn },
	{ "local-path", wants_local_path },
	{ "backup", wants_backup },
	{ "monitoring", wants_monitoring },
};

/* The head of a file is its first lines, as far as they are comments. */
int manifest_wanted(const char *file, const char *text, const struct cluster_config *c,
		    struct fault *f)
{
	bool wanted = true;

	for (int line = 1; *text == '#'; line++) {
		size_t n = strcspn(text, "\n"), i = 0;

		if (str_starts(text, NEEDS)) {
			_free_ char *copy = mem_strndup(text + strlen(NEEDS), n - strlen(NEEDS));
			const char *word = str_trim(copy);

			while (i < ARRAY_LEN(needs) && !str_eq(needs[i].word, word))
				i++;
			if (i == ARRAY_LEN(needs))
				return fault_set(f, EINVAL,
						 "%s:%d: needs: '%s' is none of longhorn, "
						 "local-path, backup and monitoring",
						 file, line, word);
			wanted = wanted && needs[i].holds(c);
		}
		text += n + (text[n] == '\n');
	}
	return wanted;
}

static const struct manifest_value *value_of(const char *name, size_t n)
{
	for (const struct manifest_value *v = manifest_values; v->name; v++)
		if (strlen(v->name) == n && strncmp(v->name, name, n) == 0)
			return v;
	return NULL;
}

/* False: this description or seed has none. */
static bool put_value(const struct manifest_value *v, const struct cluster_config *c,
		      const struct secrets *s, struct str *out)
{
	const char *base = v->from == VALUE_CONFIG ? (const char *)c : (const char *)s, *text;

	if (v->from == VALUE_COMPUTED) {
		v->put(c, out);
		return true;
	}
	text = *(const char *const *)(const void *)(base + v->offset);
	if (!text)
		return false;
	if (v->from == VALUE_SECRET)
		crypto_base64(text, strlen(text), out);
	else
		str_add(out, text);
	return true;
}

int manifest_render(const char *file, const char *text, const struct cluster_config *c,
		    const struct secrets *s, struct str *out, struct fault *f)
{
	int line = 1;

	while (*text) {
		size_t n = strcspn(text, "@\n"), len;
		const struct manifest_value *v;

		str_add_n(out, text, n);
		text += n;
		len = *text == '@' ? strspn(text + 1, UPPER "0123456789_") : 0;
		if (!len || !strchr(UPPER, text[1]) || text[len + 1] != '@') {
			line += *text == '\n';
			if (*text)
				str_add_n(out, text++, 1);
			continue;
		}
		v = value_of(text + 1, len);
		if (!v)
			return fault_set(f, EINVAL, "%s:%d: @%.*s@ stands for nothing", file, line,
					 (int)len, text + 1);
		if (!put_value(v, c, s, out))
			return fault_set(
				f, EINVAL,
				"%s:%d: there is no value for @%s@: the seed is of an older "
				"program; make seeds anew (phoenix init --secrets, then "
				"phoenix seed)",
				file, line, v->name);
		text += len + 2;
	}
	return 0;
}

/* "NN-NAME.yaml" → NAME, the caller's; NULL: it is not so called. */
static char *component_name(const char *file)
{
	static const char digits[] = "0123456789";
	size_t n = strlen(file);

	if (n < 9 || strspn(file, digits) != 2 || file[2] != '-' || !str_ends(file, ".yaml"))
		return NULL;
	return mem_strndup(file + 3, n - 8);
}

static int load_one(const struct fs *fs, const char *folder, const char *file,
		    const struct cluster_config *c, const struct secrets *s, struct components *all,
		    struct fault *f)
{
	_free_ char *name = component_name(file), *path = mem_printf("%s/%s", folder, file);
	_str_ struct str raw = { 0 };
	_secret_ struct str text = { 0 };
	int r;

	if (!name)
		return fault_set(f, EINVAL, "%s: is not called NN-NAME.yaml", path);
	r = fs_read(fs, path, FILE_MAX, &raw, f);
	if (r >= 0)
		r = manifest_wanted(path, str_text(&raw), c, f);
	if (r <= 0)
		return r;
	r = manifest_render(path, str_text(&raw), c, s, &text, f);
	if (r < 0)
		return r;
	all->v = mem_resize(all->v, (all->n + 1) * sizeof *all->v);
	all->v[all->n++] = (struct component){ TAKE_PTR(name), TAKE_PTR(path), text };
	text = (struct str){ 0 };
	return 0;
}

int components_load(const struct fs *fs, const char *folder, const struct cluster_config *c,
		    const struct secrets *s, struct components *ret, struct fault *f)
{
	_components_ struct components all = { 0 };
	_strv_ struct strv files = { 0 };
	struct crypto_hash *h;
	char hex[65];
	int r = fs_list(fs, folder, &files, f);

	strv_each (file, &files)
		if (r >= 0)
			r = load_one(fs, folder, file, c, s, &all, f);
	if (r < 0)
		return r;
	h = crypto_hash_new();
	for (size_t i = 0; i < all.n; i++) {
		crypto_hash_add(h, all.v[i].name, strlen(all.v[i].name) + 1);
		crypto_hash_add(h, str_text(&all.v[i].text), all.v[i].text.len);
	}
	crypto_hash_end(h, hex);
	snprintf(all.digest, sizeof all.digest, "%s", hex);
	*ret = all;
	all = (struct components){ 0 };
	return 0;
}

void components_free(struct components *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->v[i].name);
		free(all->v[i].file);
		str_erase(&all->v[i].text);
	}
	free(all->v);
	*all = (struct components){ 0 };
}
