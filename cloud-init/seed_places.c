/* See seed_places.h. */
#include "cloud-init/seed_places.h"

#include "cloud-init/seed_media.h"
#include "lib/crypto.h"
#include "lib/http.h"

#include <errno.h>

#define CMDLINE_MAX 65536
#define FETCH_TIMEOUT 30000

const char *const seed_folders[] = { "/var/lib/cloud/seed/nocloud",
				     "/var/lib/cloud/seed/nocloud-net", "/etc/phoenix", NULL };

static struct seed_candidate *add(struct seed_candidates *c, const char *source, const char *file)
{
	c->v = mem_resize(c->v, (c->n + 1) * sizeof *c->v);
	c->v[c->n] =
		(struct seed_candidate){ .source = mem_strdup(source), .file = mem_strdup(file) };
	return &c->v[c->n++];
}

static void drop_last(struct seed_candidates *c)
{
	struct seed_candidate *last = &c->v[--c->n];

	free(last->source);
	free(last->file);
	str_erase(&last->text);
}

void seed_candidates_free(struct seed_candidates *c)
{
	while (c->n)
		drop_last(c);
	free(c->v);
	c->v = NULL;
	strv_free(&c->looked);
}

/* Reads SEED_FILE of FOLDER below FS. Absent: no candidate. */
static void read_file(struct seed_candidates *c, const char *source, const struct fs *fs,
		      const char *folder)
{
	_free_ char *path = mem_printf("%s/" SEED_FILE, folder), *shown = NULL;
	_secret_ struct str text = { 0 };
	struct seed_candidate *x;
	struct fault f = { 0 };
	int r = fs_read(fs, path, SEED_MAX, &text, &f);

	if (r == -ENOENT || r == -ENOTDIR) {
		strv_addf(&c->looked, "%s: none", source);
		return;
	}
	shown = mem_printf("%s%s" SEED_FILE, source, *folder ? "/" : ", ");
	x = add(c, source, shown);
	x->fault = f;
	x->text = text;
	text = (struct str){ 0 };
	if (r < 0) {
		strv_addf(&c->looked, "%s: %s", source, f.text);
		return;
	}
	crypto_sha256_hex(str_text(&x->text), x->text.len, x->sha256);
	strv_addf(&c->looked, "%s: found", source);
}

static void look_at_medium(struct seed_candidates *c, const char *device)
{
	_medium_ struct seed_medium m = { .fs.fd = -1 };
	_free_ char *source = mem_printf("partition %s (CIDATA)", device);
	struct fault f = { 0 };

	if (seed_medium_open(device, false, &m, &f) < 0) {
		add(c, source, source)->fault = f;
		strv_addf(&c->looked, "%s: %s", source, f.text);
		return;
	}
	read_file(c, source, &m.fs, "");
}

/* Two media with one content are a medium and its copy; two that differ are a question that no rule
 * here can answer. One that cannot be read beside one that can is only told. Leaves one candidate.
 */
static void join_media(struct seed_candidates *c)
{
	_strv_ struct strv sources = { 0 };
	_free_ char *all = NULL;
	bool differ = false;
	size_t first = 0;

	while (first + 1 < c->n && c->v[first].fault.code)
		first++;
	for (size_t i = first; i < c->n; i++) {
		if (c->v[i].fault.code)
			continue;
		strv_add(&sources, c->v[i].source);
		differ = differ || !str_eq(c->v[i].sha256, c->v[first].sha256);
	}
	if (first) {
		struct seed_candidate good = c->v[first];

		c->v[first] = c->v[0];
		c->v[0] = good;
	}
	while (c->n > 1)
		drop_last(c);
	if (!differ)
		return;
	all = strv_sentence(&sources);
	str_erase(&c->v[0].text);
	fault_set(&c->v[0].fault, EINVAL, "%s carry different seeds; remove all but one", all);
}

static void look_at_media(const struct fs *fs, struct seed_candidates *c)
{
	_strv_ struct strv devices = { 0 };
	struct fault f = { 0 };

	/* a disk that cannot be read may be the medium, unless another one is */
	if (seed_media_list(fs, &devices, &f) < 0) {
		if (!devices.n)
			add(c, "partition CIDATA", "partition CIDATA")->fault = f;
		strv_addf(&c->looked, "partition CIDATA: %s", f.text);
	} else if (!devices.n) {
		strv_add(&c->looked, "partition CIDATA: none");
	}
	strv_each (device, &devices)
		look_at_medium(c, device);
	if (c->n > 1)
		join_media(c);
}

void seed_cmdline(const char *cmdline, size_t len, char **url, char **sha256)
{
	static const char url_key[] = "phoenix.seed=", hash_key[] = "phoenix.seed-sha256=";
	_free_ char *copy = mem_strndup(cmdline, len);
	char *save = NULL;

	for (size_t i = 0; i < len; i++)
		if (!copy[i])
			copy[i] = ' ';
	*url = *sha256 = NULL;
	for (char *word = strtok_r(copy, " \t\n", &save); word;
	     word = strtok_r(NULL, " \t\n", &save)) {
		char **to = str_starts(word, url_key)	 ? url
			    : str_starts(word, hash_key) ? sha256
							 : NULL;

		if (!to)
			continue;
		free(*to); /* the last one counts, as with all kernel parameters */
		*to = mem_strdup(strchr(word, '=') + 1);
	}
}

static int fetch(const char *url, const char *sha256, struct str *text, struct fault *f)
{
	_http_ struct http_response rs = { 0 };
	struct http_request rq = { .url = url, .timeout_ms = FETCH_TIMEOUT, .max_bytes = SEED_MAX };
	char found[65];
	int r = http_do(&rq, &rs, f);

	if (r < 0)
		return r;
	if (rs.status != 200)
		return fault_set(f, EIO, "%s: HTTP status %d", url, rs.status);
	crypto_sha256_hex(str_text(&rs.body), rs.body.len, found);
	if (!crypto_equal(found, sha256)) {
		str_erase(&rs.body);
		return fault_set(f, EINVAL, "%s: its SHA-256 is %s, phoenix.seed-sha256 says %s",
				 url, found, sha256);
	}
	*text = rs.body;
	rs.body = (struct str){ 0 };
	return 0;
}

static void look_at_cmdline(const struct fs *fs, bool (*known)(void *, const char *), void *user,
			    struct seed_candidates *c)
{
	/* in a container the kernel's line is the host's; there the arguments of init stand in for
	 * it, as cloud-init has it */
	static const char *const files[] = { "/proc/1/cmdline", "/proc/cmdline" };
	_free_ char *url = NULL, *sha256 = NULL;
	struct seed_candidate *x;

	for (size_t i = 0; i < ARRAY_LEN(files) && !url; i++) {
		_str_ struct str line = { 0 };

		free(sha256);
		sha256 = NULL;
		if (fs_read(fs, files[i], CMDLINE_MAX, &line, NULL) == 0)
			seed_cmdline(str_text(&line), line.len, &url, &sha256);
	}
	if (!url) {
		strv_add(&c->looked, "kernel command line: no phoenix.seed");
		return;
	}
	x = add(c, url, url);
	if (!crypto_is_sha256(sha256))
		fault_set(&x->fault, EINVAL,
			  "phoenix.seed on the kernel command line needs phoenix.seed-sha256 with "
			  "64 digits beside it");
	else if (known(user, sha256))
		snprintf(x->sha256, sizeof x->sha256, "%s", sha256);
	else if (fetch(url, sha256, &x->text, &x->fault) == 0)
		snprintf(x->sha256, sizeof x->sha256, "%s", sha256);
	strv_addf(&c->looked, "%s: %s", url, x->fault.code ? x->fault.text : "found");
}

void seed_places_look(const struct fs *fs, bool (*known)(void *user, const char *sha256),
		      void *user, struct seed_candidates *c)
{
	look_at_media(fs, c);
	for (const char *const *folder = seed_folders; *folder; folder++)
		read_file(c, *folder, fs, *folder);
	look_at_cmdline(fs, known, user, c);
}
