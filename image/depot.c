/* See depot.h. */
#include "image/depot.h"

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define SHORT_MS 30000
#define TELL_MS 10000
#define IMAGE_MS (6 * 3600 * 1000)
#define STALL_S 60

static int refusal(const char *url, struct http_response *rs, struct fault *f)
{
	int code = rs->status == 403   ? EPERM
		   : rs->status == 409 ? EAGAIN
		   : rs->status == 410 ? EEXIST
				       : EIO;

	if (!rs->body.len)
		return fault_set(f, code, "%s: refused (HTTP %d)", url, rs->status);
	return fault_set(f, code, "%s: %.200s", url, str_trim(rs->body.p));
}

static int ask_by(struct http_client *client, const struct depot *d, const char *path,
		  const struct str *body, struct str *out, struct fault *f)
{
	_free_ char *url = mem_printf("%s%s", d->url, path);
	const struct http_request rq = { .method = "POST",
					 .url = url,
					 .body = body ? body->p : NULL,
					 .body_len = body ? body->len : 0,
					 .pinned_key = d->pin,
					 .bearer = d->token,
					 .timeout_ms = body ? TELL_MS : SHORT_MS,
					 .max_bytes = ORDER_SEED_MAX };
	_http_ struct http_response rs = { 0 };
	int r = http_client_do(client, &rq, &rs, f);

	if (r < 0)
		return r;
	if (rs.status != 200)
		return refusal(url, &rs, f);
	str_add_n(out, str_text(&rs.body), rs.body.len);
	str_erase(&rs.body);
	return 0;
}

static int ask(const struct depot *d, const char *path, const struct str *body, struct str *out,
	       struct fault *f)
{
	_cleanup_(http_client_freep) struct http_client *client = http_client_new();

	return ask_by(client, d, path, body, out, f);
}

int depot_order(const struct depot *d, struct order *ret, struct fault *f)
{
	_str_ struct str text = { 0 };
	int r = ask(d, "/order", NULL, &text, f);

	return r < 0 ? r : order_parse(str_text(&text), text.len, ret, f);
}

int depot_seed(const struct depot *d, const char *sha256, struct str *out, struct fault *f)
{
	char sum[65];
	int r = ask(d, "/seed", NULL, out, f);

	if (r < 0)
		return r;
	crypto_sha256_hex(str_text(out), out->len, sum);
	return str_eq(sum, sha256) ? 0
				   : fault_set(f, EBADMSG, "the seed is not the one of the order");
}

void depot_tell(const struct depot *d, struct http_client *client, const char *step,
		unsigned percent)
{
	_json_ struct json *j = json_object();
	_str_ struct str body = { 0 }, answer = { 0 };

	json_set_str(j, "step", step);
	json_set_int(j, "percent", percent);
	json_print(j, 0, &body);
	ask_by(client, d, "/tell", &body, &answer, NULL);
}

int depot_end(const struct depot *d, const char *error, bool leave, int64_t patience_ms,
	      struct fault *f)
{
	_json_ struct json *j = json_object();
	_str_ struct str body = { 0 };
	int64_t until = timer_now() + patience_ms;
	struct backoff wait = { 0 };

	json_set_str(j, error ? "error" : "step", error ? error : "done");
	if (error)
		json_set_bool(j, "leave", leave);
	json_print(j, 0, &body);
	for (;;) {
		_str_ struct str answer = { 0 };
		int r = ask(d, "/tell", &body, &answer, f);

		if (r >= 0 || r == -EPERM || timer_now() >= until)
			return r;
		timer_sleep(backoff_next(&wait, 1000, 8000));
	}
}

/* A download that fills a pipe, so that it is read like a file. */
struct download {
	pthread_t thread;
	int to;
	char *url, *pin, *token;
	struct fault fault;
};

static int to_pipe(void *user, const char *data, size_t n)
{
	struct download *w = user;

	while (n) {
		ssize_t did = write(w->to, data, n);

		if (did < 0 && errno != EINTR)
			return -errno; /* nobody reads any more */
		if (did < 0)
			continue;
		data += did;
		n -= (size_t)did;
	}
	return 0;
}

static void *run(void *arg)
{
	struct download *w = arg;
	const struct http_request rq = { .url = w->url,
					 .pinned_key = w->pin,
					 .bearer = w->token,
					 .timeout_ms = IMAGE_MS,
					 .connect_timeout_ms = SHORT_MS,
					 .stall_s = STALL_S,
					 .on_data = to_pipe,
					 .user_data = w };
	_http_ struct http_response rs = { 0 };
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
	if (http_do(&rq, &rs, &w->fault) == 0 && rs.status != 200)
		fault_set(&w->fault, EPERM, "%s: HTTP %d", w->url, rs.status);
	fd_closep(&w->to);
	return NULL;
}

/* The pipe's end says nothing of why. */
static int download_end(void *user, struct fault *f)
{
	struct download *w = user;
	int r = 0;

	pthread_join(w->thread, NULL);
	if (w->fault.code)
		r = fault_set(f, w->fault.code, "%s", w->fault.text);
	free(w->url);
	free(w->pin);
	free(w->token);
	free(w);
	return r;
}

int depot_image(const struct depot *d, const struct order *o, struct source **ret, struct fault *f)
{
	struct download *w;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_errno(f, "a pipe for the image");
	w = mem_alloc(sizeof *w);
	w->to = ends[1];
	w->url = mem_printf("%s/image", d->url);
	w->pin = mem_strdup(d->pin);
	w->token = mem_strdup(d->token);
	if (pthread_create(&w->thread, NULL, run, w) != 0) {
		close(ends[0]);
		close(ends[1]);
		free(w->url);
		free(w->pin);
		free(w->token);
		free(w);
		return fault_set(f, EAGAIN, "no thread for the download");
	}
	return source_open_fd(ends[0], w->url, o->image_sha256, o->image_size, download_end, w, ret,
			      f);
}
