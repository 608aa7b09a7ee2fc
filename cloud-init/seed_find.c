/* Which of the seeds that lie around is this node's: see seed_find in seed.h for the rule. */
#include "cloud-init/seed_places.h"

#include "lib/crypto.h"
#include "lib/utf8.h"

#include <errno.h>

#define SEEN_MAX 65536
#define SENTENCE_MAX 800 /* of a mistake in a fault, which says more than that */

/* What the last import left. */
struct memory {
	struct seed *seed;   /* NULL: nothing imported, or broken */
	struct strv seen;    /* SHA-256 of every seed that lay anywhere at an import */
	struct diags broken; /* why the copy cannot be used */
};

static void memory_free(struct memory *m)
{
	seed_freep(&m->seed);
	strv_free(&m->seen);
	diags_free(&m->broken);
}

static void recall(const struct fs *fs, struct memory *m)
{
	_secret_ struct str text = { 0 };
	_str_ struct str seen = { 0 };
	struct fault f = { 0 };
	char *save = NULL;
	int r = fs_read(fs, SEED_IMPORTED, SEED_MAX, &text, &f);

	if (r == 0)
		seed_parse(SEED_IMPORTED, str_text(&text), text.len, &m->seed, &m->broken);
	else if (r != -ENOENT)
		diag_add(&m->broken, SEED_IMPORTED, 0, 0, NULL, "%s", f.text);
	if (!m->seed || fs_read(fs, SEED_SEEN, SEEN_MAX, &seen, NULL) < 0 || !seen.len)
		return;
	for (char *line = strtok_r(seen.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		strv_add(&m->seen, line);
}

/* What SEED_SEEN says of a seed that lay there and was not taken: it is known, and not ours to
 * remove. */
#define UNUSED " unused"

static bool was_unused(const struct memory *m, const char *sha256)
{
	_free_ char *line = mem_printf("%s" UNUSED, sha256);

	return strv_has(&m->seen, line);
}

static bool remembers(const struct memory *m, const char *sha256)
{
	return m->seed && (str_eq(m->seed->sha256, sha256) || strv_has(&m->seen, sha256) ||
			   was_unused(m, sha256));
}

static bool is_known(void *user, const char *sha256)
{
	return remembers(user, sha256);
}

static void warn(struct diags *d, const char *source, const char *what)
{
	diag_add(d, source, 0, 0, NULL, "%s; the imported seed stays in force", what);
}

static int read_candidate(const struct seed_candidate *x, struct seed **ret, struct diags *d)
{
	int r = seed_parse(x->file, str_text(&x->text), x->text.len, ret, d);

	if (r < 0)
		return r;
	free((*ret)->source);
	(*ret)->source = mem_strdup(x->source);
	return 0;
}

/* A corrected seed for this node, or NULL: then D says why what was found is none. */
static struct seed *corrected(const struct memory *m, const struct seed_candidate *x,
			      struct diags *d)
{
	_seed_ struct seed *seed = NULL;

	if (x->fault.code) {
		warn(d, x->source, x->fault.text);
		return NULL;
	}
	if (str_eq(x->sha256, m->seed->sha256))
		return NULL;
	/* an old stick from a drawer must not undo a correction */
	if (strv_has(&m->seen, x->sha256)) {
		warn(d, x->source,
		     "a seed that was replaced (to go back to it, change a comment in "
		     "phoenix.yaml)");
		return NULL;
	}
	if (was_unused(m, x->sha256)) {
		warn(d, x->source,
		     "a seed that lay there when another was taken (to have it taken now, change a "
		     "comment in phoenix.yaml and write the seeds anew)");
		return NULL;
	}
	if (read_candidate(x, &seed, d) < 0) {
		warn(d, x->source, "not a whole seed");
		return NULL;
	}
	if (!str_eq(seed->config->name, m->seed->config->name) ||
	    !str_eq(seed->secrets->exchange_ca, m->seed->secrets->exchange_ca)) {
		warn(d, x->source, "a seed of another cluster");
		return NULL;
	}
	if (!str_eq(seed->config->nodes[seed->self].name,
		    m->seed->config->nodes[m->seed->self].name)) {
		warn(d, x->source, "the seed of another node");
		return NULL;
	}
	return TAKE_PTR(seed);
}

/* The first mistake, and how many more D has from line FROM on: those are in the journal. */
static int not_whole(const struct diags *d, size_t from, struct fault *f)
{
	size_t n = d->lines.n - from, fit;
	const char *first = n ? d->lines.v[from] : "";
	_str_ struct str more = { 0 };

	fit = utf8_fit(first, SENTENCE_MAX);
	if (n > 1)
		str_addf(&more, "; and %zu more (journalctl -u phoenix-firstboot)", n - 1);
	return fault_set(f, EINVAL, "the seed is not whole: %.*s%s%s", (int)fit, first,
			 first[fit] ? "…" : "", str_text(&more));
}

/* Nothing imported: the first place decides, whatever it says. */
static int take_first(const struct seed_candidates *c, const struct memory *m, struct seed **ret,
		      struct diags *d, struct fault *f)
{
	const struct seed_candidate *x = c->v;
	_free_ char *looked = strv_sentence(&c->looked);
	size_t from;

	strv_each (line, &m->broken.lines)
		strv_add(&d->lines, line);
	if (!c->n)
		return fault_set(f, ENOENT, "no seed%s; looked at %s",
				 m->broken.lines.n ? " (the imported one is broken)" : "", looked);
	if (x->fault.code) {
		diag_add(d, x->source, 0, 0, NULL, "%s", x->fault.text);
		*f = x->fault;
		return fault_wrap(f, "seed at %s", x->source);
	}
	from = d->lines.n;
	if (read_candidate(x, ret, d) < 0)
		return not_whole(d, from, f);
	for (size_t i = 1; i < c->n; i++)
		if (!str_eq(c->v[i].sha256, x->sha256))
			diag_add(d, c->v[i].source, 0, 0, NULL,
				 "another seed than that at %s; it is not used", x->source);
	return 0;
}

static void remember(const struct seed_candidates *c, const struct memory *m, struct seed *s)
{
	strv_each (sha256, &m->seen)
		strv_add(&s->seen, sha256);
	for (size_t i = 0; i < c->n; i++) {
		const char *sha256 = c->v[i].sha256;
		bool unused = !m->seed && !str_eq(sha256, s->sha256);
		_free_ char *line = mem_printf("%s%s", sha256, unused ? UNUSED : "");

		if (*sha256 && !remembers(m, sha256) && !strv_has(&s->seen, line))
			strv_add(&s->seen, line);
	}
	if (!strv_has(&s->seen, s->sha256))
		strv_add(&s->seen, s->sha256);
	strv_sort(&s->seen);
}

int seed_find(const struct fs *fs, struct seed **ret, struct diags *d, struct fault *f)
{
	_candidates_ struct seed_candidates c = { 0 };
	_cleanup_(memory_free) struct memory m = { 0 };
	_seed_ struct seed *found = NULL;
	int r = 0;

	recall(fs, &m);
	seed_places_look(fs, is_known, &m, &c);
	if (!m.seed)
		r = take_first(&c, &m, &found, d, f);
	if (r < 0)
		return r;
	for (size_t i = 0; m.seed && !found && i < c.n; i++)
		found = corrected(&m, &c.v[i], d);
	if (!found)
		found = TAKE_PTR(m.seed);
	remember(&c, &m, found);
	*ret = TAKE_PTR(found);
	return 0;
}

bool seed_is_imported(const struct fs *fs, const struct seed *s)
{
	_secret_ struct str text = { 0 };

	return fs_read(fs, SEED_IMPORTED, SEED_MAX, &text, NULL) == 0 &&
	       str_eq(str_text(&text), s->text);
}

/* The first time what was seen is written first: a power cut must not leave a copy beside which
 * another seed looks new. Later the copy is written first: else the correction would be known and
 * never taken. */
int seed_import(const struct fs *fs, const struct seed *s, struct fault *f)
{
	bool again = fs_exists(fs, SEED_IMPORTED);
	_str_ struct str seen = { 0 };
	int a = 0, b, r = fs_mkdirs(fs, SEED_FOLDER, 0700, f);

	if (r < 0)
		return r;
	strv_each (line, &s->seen)
		str_addf(&seen, "%s\n", line);
	if (!again)
		a = fs_write_text(fs, SEED_SEEN, 0600, str_text(&seen), f);
	b = a < 0 ? a : fs_write_text(fs, SEED_IMPORTED, 0600, s->text, f);
	if (again && b >= 0)
		a = fs_write_text(fs, SEED_SEEN, 0600, str_text(&seen), f);
	return a < 0 ? a : b < 0 ? b : r || a || b;
}
