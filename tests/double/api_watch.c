/* A watch: what happens from a version on, as its selector sees it, until its time is over. */
#include "tests/double/api.h"

#include "lib/timer.h"

#define FOREVER_MS 1800000
#define MARK_BEFORE_END_MS 2000

struct watch {
	struct store *s;
	struct place at;
	struct kind kind;
	char *labels, *fields;
	int64_t version; /* what happened later is still to be told */
	int64_t until, mark_at;
	unsigned epoch;
	bool marks, marked, ended;
	struct str first; /* what is to be told before anything happens */
};

static bool seen_by(const struct watch *w, const struct json *object)
{
	return object && labels_fit(w->labels, object) && fields_fit(w->fields, object);
}

/* One line. OBJECT's resourceVersion is VERSION there, unless 0. */
static void add_line(struct str *out, const char *type, const struct json *object, int64_t version)
{
	_json_ struct json *line = json_object();
	_free_ char *text = version ? mem_printf("%lld", (long long)version) : NULL;
	struct json *o = json_copy(object), *m = json_copy(json_get(object, "metadata", NULL));

	json_set_str(m, "resourceVersion", text);
	json_set(o, "metadata", m);
	json_set_str(line, "type", type);
	json_set(line, "object", o);
	json_print(line, 0, out);
	str_add(out, "\n");
}

static void add_event(const struct watch *w, const struct event *e, struct str *out)
{
	bool before = seen_by(w, e->before), after = seen_by(w, e->after);

	if (after)
		add_line(out, before ? "MODIFIED" : "ADDED", e->after, 0);
	else if (before)
		add_line(out, "DELETED", e->before, e->version);
}

static void add_bookmark(const struct watch *w, struct str *out)
{
	_json_ struct json *o = json_object();

	json_set_str(o, "kind", w->kind.name);
	json_set_str(o, "apiVersion", w->kind.gv);
	json_set(o, "metadata", json_object());
	add_line(out, "BOOKMARK", o, w->version);
}

static void add_expired(struct watch *w, struct str *out)
{
	_json_ struct json *status = NULL;
	struct refusal no = { 0 };

	refuse(&no, 410, "Expired", "too old resource version: %lld (%lld)", (long long)w->version,
	       (long long)w->s->floor);
	status = refusal_status(&no);
	add_line(out, "ERROR", status, 0);
	w->ended = true;
}

/* Without a version a watch begins with all there is. */
static void begin_with_all(struct watch *w)
{
	_entries_ struct entries all = { 0 };

	w->version = w->s->version;
	store_list(w->s, &w->at, w->version, &all);
	for (size_t i = 0; i < all.n; i++)
		if (seen_by(w, all.v[i].object))
			add_line(&w->first, "ADDED", all.v[i].object, 0);
}

struct watch *watch_new(struct store *s, const struct place *at, const struct kind *k,
			const struct request *rq, struct refusal *no)
{
	const char *from = rq->query(rq->user, "resourceVersion");
	const char *seconds = rq->query(rq->user, "timeoutSeconds");
	long version = 0, limit = FOREVER_MS / 1000;
	struct watch *w;

	if ((from && *from && !str_to_long(from, 0, INT64_MAX, &version)) ||
	    (seconds && !str_to_long(seconds, 0, FOREVER_MS / 1000, &limit))) {
		refuse(no, 400, "BadRequest", "resourceVersion or timeoutSeconds: is no number");
		return NULL;
	}
	w = mem_alloc(sizeof *w);
	*w = (struct watch){ .s = s, .at = *at, .kind = *k, .version = version };
	w->epoch = s->epoch;
	w->labels = mem_strdup(rq->query(rq->user, "labelSelector"));
	w->fields = mem_strdup(rq->query(rq->user, "fieldSelector"));
	w->marks = str_eq(rq->query(rq->user, "allowWatchBookmarks"), "true");
	w->until = timer_now() + (limit ? limit * 1000 : FOREVER_MS);
	w->mark_at = w->until - MARK_BEFORE_END_MS;
	w->marked = w->mark_at <= timer_now();
	if (!version)
		begin_with_all(w);
	return w;
}

/* Waits for a change, at most MS. */
static void wait_change(struct store *s, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* What there is to tell just now. */
static void collect(struct watch *w, struct str *out)
{
	const struct event *e;

	str_add_n(out, w->first.p, w->first.len);
	str_reset(&w->first);
	if (w->version < w->s->floor) {
		add_expired(w, out);
		return;
	}
	while ((e = store_event(w->s, &w->at, w->version))) {
		add_event(w, e, out);
		w->version = e->version;
	}
	/* all of them were looked at: what is not ours does not hold the version back, unless that
	 * is one of the future */
	if (w->version < w->s->version)
		w->version = w->s->version;
	if (w->marks && !w->marked && timer_now() >= w->mark_at) {
		add_bookmark(w, out);
		w->marked = true;
	}
}

bool watch_next(struct watch *w, int ms, struct str *out)
{
	int64_t until = timer_now() + ms;

	if (until > w->until)
		until = w->until;
	if (w->marks && !w->marked && until > w->mark_at)
		until = w->mark_at;
	pthread_mutex_lock(&w->s->lock);
	for (;;) {
		int64_t left = until - timer_now();

		if (w->epoch != w->s->epoch)
			w->ended = true;
		else
			collect(w, out);
		if (out->len || w->ended || left <= 0)
			break;
		wait_change(w->s, left);
	}
	pthread_mutex_unlock(&w->s->lock);
	return !w->ended && timer_now() < w->until;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	free(w->labels);
	free(w->fields);
	str_free(&w->first);
	free(w);
}
