/* See components.h. */
#include "firstboot/components_internal.h"
#include "firstboot/workload.h"
#include "lib/crypto.h"
#include "lib/stop.h"
#include "lib/timer.h"

#include <errno.h>

#define MANIFEST "phoenix/manifest"
#define INSTALLED "phoenix/installed"
#define BEGUN "phoenix/begun"
#define RENEW_MS (INSTALL_LEASE_MS / 4)

/* One way through a component's documents. */
struct walk {
	const struct install *in;
	int total, missing;
	int nodes;	    /* on how many pods can be */
	struct str unready; /* of the first workload that is not ready */
	int64_t renewed;
};

static void stamp_of(const struct kube_item *i, char out[65])
{
	crypto_sha256_hex(i->text, i->len, out);
}

static bool is_applied(const struct kube_item *i, const struct json *now)
{
	char hex[65];

	stamp_of(i, hex);
	return now && !json_get(now, "metadata", "deletionTimestamp", NULL) &&
	       str_eq(components_annotation(now, MANIFEST), hex);
}

static int look(void *user, const struct kube_item *i, const struct json *now, struct fault *f)
{
	struct walk *w = user;
	int r;

	w->total++;
	if (!is_applied(i, now)) {
		w->missing++;
		return 0;
	}
	if (w->unready.len || !workload_is(i->kind))
		return 0;
	r = workload_look(w->in->kube, now, w->nodes, &w->unready, f);
	return r < 0 ? r : 0;
}

/* Between two documents: still ours? Asked when a quarter of its time has passed. */
static int keep_lease(struct walk *w, struct fault *f)
{
	_str_ struct str who = { 0 };
	int r = 1;

	if (stop_asked())
		return fault_set(f, ECANCELED, "was told to end");
	if (timer_now() - w->renewed >= RENEW_MS || !lease_held(w->in->lease)) {
		r = lease_acquire(w->in->lease, w->in->kube, &who, f);
		if (r > 0)
			w->renewed = timer_now();
	}
	if (r == 0)
		return fault_set(f, ECANCELED, "%s has taken over", str_text(&who));
	if (!lease_held(w->in->lease))
		return fault_set(f, ECANCELED,
				 "Lease phoenix-install could not be renewed in time");
	return 0;
}

static int apply_wanted(void *user, const struct kube_item *i, const struct json *now,
			struct fault *f)
{
	int r;

	if (is_applied(i, now))
		return 0;
	r = keep_lease(user, f);
	return r < 0 ? r : 1;
}

static int applied(void *user, const struct kube_item *i, const struct json *now, struct fault *f)
{
	const struct walk *w = user;
	char hex[65];

	stamp_of(i, hex);
	return components_annotate(w->in->kube, i->path,
				   json_str(json_get(now, "metadata", NULL), "uid"), MANIFEST, hex,
				   f);
}

static struct kube_stream stream_of(const struct component *c, struct walk *w)
{
	return (struct kube_stream){ .name = c->file,
				     .manager = "phoenix",
				     .force = true,
				     .text = str_text(&c->text),
				     .len = c->text.len,
				     .user = w };
}

/* W is filled with how far component C is; its UNREADY is the caller's to free. */
static int survey(const struct install *in, const struct component *c, struct walk *w,
		  struct fault *f)
{
	struct kube_stream s = stream_of(c, w);
	int r;

	*w = (struct walk){ .in = in };
	while (in->nodes[w->nodes])
		w->nodes++;
	s.wanted = look;
	r = kube_apply_stream(in->kube, &s, NULL, f);
	if (r == -ENOENT) { /* a kind that a document before it will bring */
		w->missing++;
		w->total += w->total < w->missing;
		fault_clear(f);
		return 0;
	}
	return r < 0 ? components_outside(r, f) : 0;
}

static void add_sentence(struct str *why, const char *component, const char *text)
{
	str_addf(why, "%s%s: %s", why->len ? "; " : "", component, text);
}

/* What of all is missing, first of all; else what is not ready. With EVERY all components are looked
 * at; without, the first that is not what it should be ends it, since the next stand on it. 1 missing,
 * 2 not ready, 0 all is well. */
enum { WELL, MISSING, UNREADY };
static int survey_all(const struct install *in, bool every, struct str *why, struct fault *f)
{
	int found = WELL;

	for (size_t i = 0; i < in->all->n && (every || found == WELL); i++) {
		const struct component *c = &in->all->v[i];
		struct walk w;
		int r = survey(in, c, &w, f);

		if (r == 0 && w.missing) {
			_free_ char *text = mem_printf("%d of %d objects are to be applied",
						       w.missing, w.total);

			if (found != MISSING)
				str_reset(why);
			found = MISSING;
			add_sentence(why, c->name, text);
		} else if (r == 0 && w.unready.len && found != MISSING) {
			found = UNREADY;
			add_sentence(why, c->name, w.unready.p);
		}
		str_free(&w.unready);
		if (r < 0)
			return fault_wrap(f, "%s", c->name);
	}
	return found;
}

/* What the Lease says: digests, or NULL. */
struct told {
	char *installed; /* to its end */
	char *begun;	 /* when the cluster was whole */
};
#define _told_ _cleanup_(told_free)

static void told_free(struct told *t)
{
	free(t->installed);
	free(t->begun);
}

static int told_get(const struct install *in, struct told *t, struct fault *f)
{
	_json_ struct json *lease = NULL;
	int r = lease_look(in->lease, in->kube, &lease, f);

	if (r < 0)
		return components_outside(r, f);
	t->installed = mem_strdup(components_annotation(lease, INSTALLED));
	t->begun = mem_strdup(components_annotation(lease, BEGUN));
	return 0;
}

/* Something else is installed than we would: is it ours to replace? 0: not yet, WHY says so. */
static int may_replace(const struct install *in, struct str *why, struct fault *f)
{
	_json_ struct json *nodes = NULL;
	_str_ struct str others = { 0 };
	int r = components_nodes(in, &nodes, f);

	if (r < 0)
		return r;
	if (!components_published(in, nodes)) {
		str_add(why, "the other nodes are to be told what this one would install");
		return 1;
	}
	if (components_agreed(in, nodes, &others))
		return 1;
	str_addf(why, "what was installed before stays: %s", others.p);
	return 0;
}

int components_check(const struct install *in, struct str *why, struct fault *f)
{
	_told_ struct told told = { 0 };
	bool ours;
	int r = told_get(in, &told, f);

	if (r < 0)
		return r;
	ours = str_eq(told.installed, in->all->digest);
	if (told.installed && !ours) {
		r = may_replace(in, why, f);
		if (r <= 0 || why->len)
			return r;
	}
	r = survey_all(in, ours, why, f);
	if (r < 0)
		return r;
	if (ours)
		return r == MISSING;
	if (r == WELL)
		str_add(why, "that all components are there is to be written down");
	return 1;
}

static int apply_one(const struct install *in, const struct component *c, struct fault *f)
{
	struct walk w = { .in = in };
	struct kube_stream s = stream_of(c, &w);
	int r;

	s.wanted = apply_wanted;
	s.applied = applied;
	r = kube_apply_stream(in->kube, &s, NULL, f);
	if (r == -ECANCELED) {
		f->code = EAGAIN;
		return -EAGAIN;
	}
	return r < 0 ? components_outside(r, f) : 0;
}

/* One after the other: the next stand on what the one before has made ready. EVEN_UNREADY: they did
 * once, and what is missing is put back whatever else is wrong. */
static int apply_all(const struct install *in, bool even_unready, struct fault *f)
{
	for (size_t i = 0; i < in->all->n; i++) {
		const struct component *c = &in->all->v[i];
		struct walk w;
		int r = apply_one(in, c, f);

		if (r < 0)
			return fault_wrap(f, "%s", c->name);
		if (even_unready)
			continue;
		r = survey(in, c, &w, f);
		if (r == 0 && w.missing)
			r = fault_set(f, EAGAIN, "%d of %d objects were changed meanwhile",
				      w.missing, w.total);
		else if (r == 0 && w.unready.len)
			r = fault_set(f, EAGAIN, "%s", w.unready.p);
		str_free(&w.unready);
		if (r < 0) {
			fault_wrap(f, "%s", c->name);
			return r;
		}
	}
	return 0;
}

/* Takes or renews the Lease and has it say KEY: our digest. 1 done, 0 another has it. */
static int acquire_and_say(const struct install *in, const char *key, struct str *who,
			   struct fault *f)
{
	_json_ struct json *said = json_object();
	int r;

	json_set_str(said, key, in->all->digest);
	in->lease->annotations = said;
	r = lease_acquire(in->lease, in->kube, who, f);
	in->lease->annotations = NULL;
	return r < 0 ? components_outside(r, f) : r;
}

static int finish(const struct install *in, struct fault *f)
{
	int r = acquire_and_say(in, INSTALLED, NULL, f);

	if (r == 0)
		return fault_set(f, EAGAIN, "another node has taken over");
	if (r > 0)
		r = lease_release(in->lease, in->kube, f);
	return r < 0 ? components_outside(r, f) : 0;
}

/* Takes the Lease; while another has it: shows who, and how far that one is. */
static int take_turn(const struct install *in, bool ours, struct fault *f)
{
	_str_ struct str who = { 0 }, why = { 0 };
	int r = acquire_and_say(in, BEGUN, &who, f);

	if (r != 0)
		return r < 0 ? r : 0;
	r = survey_all(in, ours, &why, f);
	if (r < 0)
		return r;
	return fault_set(f, EAGAIN, "%.*s installs: %s", (int)strcspn(str_text(&who), "/"),
			 str_text(&who), why.len ? why.p : "writes down that all is there");
}

int components_apply(const struct install *in, struct fault *f)
{
	_json_ struct json *nodes = NULL, *again = NULL;
	_str_ struct str others = { 0 };
	_told_ struct told told = { 0 };
	bool ours, begun;
	int r = told_get(in, &told, f);

	if (r == 0)
		r = components_nodes(in, &nodes, f);
	if (r == 0)
		r = components_publish(in, nodes, f);
	if (r > 0)
		r = components_nodes(in, &again, f);
	if (r < 0)
		return r;
	ours = str_eq(told.installed, in->all->digest);
	begun = ours || str_eq(told.begun, in->all->digest);
	if (!ours && !components_agreed(in, again ? again : nodes, &others))
		return told.installed ? 0 : fault_set(f, EAGAIN, "waits: %s", others.p);
	r = begun ? 0 : components_may_begin(in, again ? again : nodes, f);
	if (r == 0)
		r = take_turn(in, ours, f);
	if (r == 0)
		r = apply_all(in, ours, f);
	return r < 0 ? r : finish(in, f);
}
