/* Watching: a stream of JSON lines that may break at any byte, followed over several connections.
 */
#include "lib/kube_internal.h"
#include "lib/timer.h"

#include <errno.h>

#define STREAM_MS 20000	     /* of one connection: a dead server says nothing, like an idle one */
#define STREAM_SLACK_MS 1500 /* the server ends its stream by itself before this is used up */

static int watch_end(struct kube_watch *w, int result)
{
	w->ended = true;
	w->result = result;
	return -ECANCELED;
}

static void watch_version(struct kube_watch *w, const char *version)
{
	free(w->version);
	w->version = mem_strdup(version);
}

static int watch_error(struct kube_watch *w, const struct json *status)
{
	_str_ struct str text = { 0 };
	int64_t code = json_int(status, "code", 0);
	int r;

	json_print(status, 0, &text);
	if (code < 400 || code > 599)
		code = 500;
	r = kube_refused((int)code, text.p, text.len, "watch", &w->fault);
	if (code != 429 && code < 500)
		return watch_end(w, r);
	/* too busy, starting, without its etcd: a reason to ask the next one, not to give up */
	w->broken = true;
	return -ECANCELED;
}

/* One whole line. */
static int watch_line(struct kube_watch *w, const char *line, size_t len)
{
	_json_ struct json *j = NULL;
	const struct json *object;
	const char *type, *version;
	int r;

	if (!len)
		return 0;
	if (json_parse(line, len, &j, NULL) < 0)
		j = NULL;
	type = json_str(j, "type");
	object = json_get(j, "object", NULL);
	if (str_eq(type, "ERROR") && object)
		return watch_error(w, object);
	version = kube_meta(object, "resourceVersion");
	if (!type || !version) {
		fault_set(&w->fault, EPROTO, "watch: no event: %.*s", len < 200 ? (int)len : 200,
			  line);
		w->broken = true;
		return -ECANCELED;
	}
	if (str_eq(type, "ADDED") || str_eq(type, "MODIFIED") || str_eq(type, "DELETED")) {
		r = w->event(w->user, type, object);
		if (r < 0)
			return watch_end(w,
					 fault_set(&w->fault, -r, "watch: ended by %s of %s", type,
						   kube_meta(object, "name") ?: "an object"));
		watch_version(w, version);
		return r > 0 ? watch_end(w, 0) : 0;
	}
	/* BOOKMARK, and what the future brings */
	watch_version(w, version);
	return 0;
}

int kube_watch_feed(void *watch, const char *data, size_t n)
{
	struct kube_watch *w = watch;

	while (n && !w->ended && !w->broken) {
		const char *end = memchr(data, '\n', n);
		size_t take = end ? (size_t)(end - data) : n;
		int r = 0;

		if (w->line.len + take > KUBE_LINE_MAX)
			return watch_end(w, fault_set(&w->fault, EFBIG,
						      "watch: a line of more than %u bytes",
						      KUBE_LINE_MAX));
		str_add_n(&w->line, data, take);
		if (end) {
			r = watch_line(w, w->line.p, w->line.len);
			str_reset(&w->line);
			take++;
		}
		if (r < 0)
			return r;
		data += take;
		n -= take;
	}
	return w->ended || w->broken ? -ECANCELED : 0;
}

void kube_watch_restart(struct kube_watch *w)
{
	str_reset(&w->line);
	w->broken = false;
}

void kube_watch_free(struct kube_watch *w)
{
	str_free(&w->line);
	free(w->version);
	w->version = NULL;
}

/* "Now" is the version of a list: a watch without one would begin with everything there is. */
static int watch_from_now(struct kube *k, const char *path, struct kube_watch *w, struct fault *f)
{
	_free_ char *one = kube_with_query(path, "limit", "1");
	_json_ struct json *list = NULL;
	int r = kube_get(k, one, &list, f);

	if (r < 0)
		return r;
	watch_version(w, kube_meta(list, "resourceVersion"));
	if (!w->version)
		return fault_set(f, EPROTO, "watch %s: the list has no resourceVersion", path);
	return 0;
}

static char *watch_path(const char *path, const char *version, int seconds)
{
	_free_ char *at = kube_with_query(path, "watch", "true");
	_free_ char *from = kube_with_query(at, "resourceVersion", version);
	_free_ char *marks = kube_with_query(from, "allowWatchBookmarks", "true");
	_free_ char *limit = mem_printf("%d", seconds);

	return kube_with_query(marks, "timeoutSeconds", limit);
}

/* What a connection that broke, or never was, came to. Ends W when asking again would not help. */
static int watch_failed(struct kube_watch *w, const struct http_response *rs, const char *path,
			int r, struct fault *f)
{
	if (w->broken) {
		r = -w->fault.code;
	} else if (r < 0) {
		return r;
	} else {
		r = kube_refused(rs->status, rs->body.p, rs->body.len, path, &w->fault);
		if (rs->status != 429 && rs->status < 500)
			return watch_end(w, r);
	}
	if (f)
		*f = w->fault;
	return r;
}

/* One connection. 0: it was up and ended by itself or by time; -errno: it broke or never was.
 * W->ended says whether that is the end. */
static int watch_stream(struct kube *k, const char *path, struct kube_watch *w, int ms,
			struct fault *f)
{
	int seconds = (ms < STREAM_MS ? ms : STREAM_MS) / 1000;
	_free_ char *full = watch_path(path, w->version, seconds ? seconds : 1);
	struct kube_call c = { .path = full };
	_kube_request_ struct kube_request rq = { 0 };
	_http_ struct http_response rs = { 0 };
	int r = kube_request_init(k, k->c.servers.v[k->current], &c, &rq, f);

	if (r < 0)
		return r;
	kube_watch_restart(w);
	rq.rq.on_data = kube_watch_feed;
	rq.rq.user_data = w;
	rq.rq.max_bytes = 0; /* the line's length is the limit, and the time */
	rq.rq.connect_timeout_ms = k->c.timeout_ms;
	rq.rq.timeout_ms = ms < STREAM_MS ? ms : STREAM_MS + STREAM_SLACK_MS;
	r = http_do(&rq.rq, &rs, f);
	if (w->ended)
		return w->result;
	/* Our own limit on a stream that was up is its usual end. */
	if (rs.status == 200 && !w->broken && (r == 0 || r == -ETIMEDOUT))
		return 0;
	return watch_failed(w, &rs, path, r, f);
}

static int watch_loop(struct kube *k, const char *path, struct kube_watch *w, int64_t until,
		      struct fault *f)
{
	struct backoff pause = { 0 };
	int r = 0;

	for (;;) {
		int64_t began = timer_now(), left = until - began, wait;

		/* The end of time is no fault, but to have had nobody to listen to is. */
		if (left <= 0)
			return r;
		r = watch_stream(k, path, w, (int)left, f);
		if (w->ended) {
			if (f && w->result < 0)
				*f = w->fault;
			return w->result;
		}
		if (r < 0)
			kube_next_server(k);
		if (timer_now() - began >= 1000) {
			backoff_reset(&pause);
			continue;
		}
		/* One that ends its streams at once must not be asked in a tight loop. */
		wait = backoff_next(&pause, 50, 1000);
		left = until - timer_now();
		if (left > 0)
			timer_sleep(wait < left ? wait : left);
	}
}

int kube_watch(struct kube *k, const char *path, char **version, int ms,
	       int (*event)(void *user, const char *type, const struct json *object), void *user,
	       struct fault *f)
{
	_cleanup_(kube_watch_free) struct kube_watch w = { .event = event, .user = user };
	int64_t until = timer_now() + ms;
	int r = 0;

	if (version && *version)
		watch_version(&w, *version);
	else
		r = watch_from_now(k, path, &w, f);
	if (r < 0)
		return r;
	r = watch_loop(k, path, &w, until, f);
	if (version) {
		free(*version);
		*version = TAKE_PTR(w.version);
	}
	return r;
}
