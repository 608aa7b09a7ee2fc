/* Server-side apply, of one object and of a stream of them. See kube.h. */
#include "lib/kube_internal.h"
#include "lib/timer.h"

#include <errno.h>

#define CRD_WAIT_MS \
	20000	/* until every server serves what a new CustomResourceDefinition brings \
			   */
#define TRIES 5 /* of one object whose outcome is unknown, or whose server is too busy */

int kube_apply(struct kube *k, const char *path, const char *manager, bool force, const char *text,
	       size_t len, struct json **ret, struct fault *f)
{
	_free_ char *by = kube_with_query(path, "fieldManager", manager);
	_free_ char *full = kube_with_query(by, "force", force ? "true" : "false");
	struct kube_call c = { .method = "PATCH",
			       .path = full,
			       .content_type = "application/apply-patch+yaml",
			       .body = text,
			       .len = len };

	return kube_ask(k, &c, ret, f);
}

static char *object_path(const struct kube_head *h, const struct kube_kind *kind)
{
	struct str s = { 0 };

	str_addf(&s, "/%s/%s/", strchr(h->api_version, '/') ? "apis" : "api", h->api_version);
	if (kind->namespaced) {
		str_add(&s, "namespaces/");
		kube_escape(&s, h->ns ?: "default");
		str_add(&s, "/");
	}
	kube_escape(&s, kind->plural);
	str_add(&s, "/");
	kube_escape(&s, h->name);
	return str_take(&s);
}

/* What becomes of a document that was looked at. */
enum outcome { LEFT, SAME, CHANGED };

static int apply_once(struct kube *k, const struct kube_stream *s, const struct kube_head *h,
		      const struct kube_document *d, struct fault *f)
{
	_json_ struct json *before = NULL, *after = NULL;
	const struct kube_kind *kind = NULL;
	_free_ char *path = NULL;
	struct kube_item item;
	int r = kube_kind_find(k, h->api_version, h->kind, &kind, f);

	if (r < 0)
		return r;
	path = object_path(h, kind);
	item = (struct kube_item){ h->kind, kind->namespaced ? h->ns ?: "default" : NULL,
				   h->name, path,
				   d->text, d->len };
	r = kube_get(k, path, &before, f);
	if (r < 0 && r != -ENOENT)
		return r;
	r = s->wanted ? s->wanted(s->user, &item, before, f) : 1;
	if (r <= 0)
		return r < 0 ? r : LEFT;
	r = kube_apply(k, path, s->manager, s->force, d->text, d->len, &after, f);
	if (r >= 0 && s->applied)
		r = s->applied(s->user, &item, after, f);
	if (r < 0)
		return r;
	return str_eq(kube_meta(before, "resourceVersion"), kube_meta(after, "resourceVersion"))
		       ? SAME
		       : CHANGED;
}

static int apply_document(struct kube *k, const struct kube_stream *s, const struct kube_head *h,
			  const struct kube_document *d, bool crds, struct fault *f)
{
	int64_t until = timer_now() + CRD_WAIT_MS;
	struct backoff pause = { 0 };
	int tries = 0;

	for (;;) {
		int r = apply_once(k, s, h, d, f);
		bool again;

		if (r == -ENOENT)
			again = crds && timer_now() < until;
		else
			again = (r == -ETIMEDOUT || r == -EAGAIN) && ++tries < TRIES;
		if (!again)
			return r;
		timer_sleep(backoff_next(&pause, 100, 1000));
	}
}

int kube_apply_stream(struct kube *k, const struct kube_stream *s, int *changed, struct fault *f)
{
	struct kube_documents docs = { .text = s->text, .len = s->len };
	struct kube_document d;
	bool crds = false;
	int n = 0, r;

	while ((r = kube_documents_next(&docs, &d, f)) > 0) {
		_kube_head_ struct kube_head h = { 0 };

		r = kube_head_read(&d, s->name, &h, f);
		if (r < 0) {
			fault_wrap(f, "document %d", d.number);
			break;
		}
		r = apply_document(k, s, &h, &d, crds, f);
		if (r < 0) {
			fault_wrap(f, "%s: document %d (%s %s)", s->name, d.number, h.kind, h.name);
			break;
		}
		n += r == CHANGED;
		crds |= r != LEFT && str_eq(h.kind, "CustomResourceDefinition");
	}
	if (changed)
		*changed = n;
	return r;
}
