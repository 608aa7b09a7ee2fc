/* The Kubernetes API: which server is asked, and what is repeated. See kube.h. */
#include "lib/kube_internal.h"
#include "lib/fs.h"
#include "lib/timer.h"

#include <errno.h>

#define HOME_AGAIN_MS 10000
#define TOKEN_AGAIN_MS 60000
#define TOKEN_MAX 65536

void kube_escape(struct str *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~:", c))
			str_add_n(out, text, 1);
		else
			str_addf(out, "%%%02X", c);
	}
}

char *kube_with_query(const char *path, const char *key, const char *value)
{
	struct str s = { 0 };

	str_addf(&s, "%s%c%s=", path, strchr(path, '?') ? '&' : '?', key);
	kube_escape(&s, value);
	return str_take(&s);
}

const char *kube_meta(const struct json *object, const char *key)
{
	return json_str(json_get(object, "metadata", NULL), key);
}

static int server_check(const char *url, struct fault *f)
{
	const char *rest = strstr(url, "://");

	if ((!str_starts(url, "https://") && !str_starts(url, "http://")) || !rest[3] ||
	    strpbrk(rest + 3, "/?#@ \t\r\n"))
		return fault_set(f, EINVAL, "API server \"%s\": must be https://ADDRESS:PORT", url);
	return 0;
}

int kube_new(const struct kube_config *c, struct kube **ret, struct fault *f)
{
	_kube_ struct kube *k = mem_alloc(sizeof *k);
	int r;

	if (!c->servers.n)
		return fault_set(f, EINVAL, "no API server given");
	strv_each (url, &c->servers) {
		r = server_check(url, f);
		if (r < 0)
			return r;
		strv_add(&k->c.servers, url);
	}
	k->c.ca_pem = mem_strdup(c->ca_pem);
	k->c.cert_pem = mem_strdup(c->cert_pem);
	k->c.key_pem = mem_strdup(c->key_pem);
	k->c.token = mem_strdup(c->token);
	k->c.token_file = mem_strdup(c->token_file);
	k->c.timeout_ms = c->timeout_ms > 0 ? c->timeout_ms : 1000;
	k->clients = mem_alloc(c->servers.n * sizeof *k->clients);
	*ret = TAKE_PTR(k);
	return 0;
}

void kube_freep(struct kube **p)
{
	struct kube *k = *p;

	if (!k)
		return;
	for (size_t i = 0; k->clients && i < k->c.servers.n; i++)
		http_client_freep(&k->clients[i]);
	free(k->clients);
	kube_kinds_forget(k, NULL);
	strv_free(&k->c.servers);
	free(k->c.ca_pem);
	free(k->c.cert_pem);
	mem_erase_str(k->c.key_pem);
	mem_erase_str(k->c.token);
	free(k->c.token_file);
	free(k);
	*p = NULL;
}

int kube_in_cluster(const char *dir, const struct strv *servers, struct kube **ret, struct fault *f)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	_free_ char *token_file = mem_printf("%s/token", dir);
	_strv_ struct strv service = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str ca = { 0 };
	struct kube_config c = { .token_file = token_file };
	int r = fs_open(&fs, dir, f);

	if (r >= 0)
		r = fs_read(&fs, "ca.crt", 1 << 20, &ca, f);
	if (r < 0) {
		fault_wrap(f, "ServiceAccount");
		return r;
	}
	if (servers && servers->n)
		c.servers = *servers;
	else if (host && port)
		strv_addf(&service, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host,
			  port);
	else
		return fault_set(f, EINVAL,
				 "no API server given, and KUBERNETES_SERVICE_HOST is unset");
	if (service.n)
		c.servers = service;
	c.ca_pem = ca.p;
	return kube_new(&c, ret, f);
}

/* A pod's token is replaced under its feet before it ends: read it again now and then. One that
 * cannot be read just now is no reason to throw a good one away. */
static int token_refresh(struct kube *k, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_secret_ struct str text = { 0 };
	int r;

	if (!k->c.token_file)
		return 0;
	if (k->c.token && timer_now() - k->token_read < TOKEN_AGAIN_MS)
		return 0;
	r = fs_open(&fs, "/", f);
	if (r >= 0)
		r = fs_read(&fs, k->c.token_file, TOKEN_MAX, &text, f);
	if (r < 0) {
		fault_wrap(f, "API token");
		return k->c.token ? 0 : r;
	}
	str_add(&text, "");
	mem_erase_str(k->c.token);
	k->c.token = mem_strdup(str_trim(text.p));
	k->token_read = timer_now();
	return 0;
}

int kube_request_init(struct kube *k, const char *server, const struct kube_call *c,
		      struct kube_request *r, struct fault *f)
{
	size_t n = 0;
	int err;

	if (*c->path != '/')
		return fault_set(f, EINVAL, "API path \"%s\" does not begin with a slash", c->path);
	for (const char *p = c->path; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return fault_set(f, EINVAL, "API path \"%s\" is not escaped", c->path);
	err = token_refresh(k, f);
	if (err < 0)
		return err;
	r->url = mem_printf("%s%s", server, c->path);
	r->headers[n++] = "Accept: application/json";
	r->headers[n++] = "User-Agent: phoenix/" PHOENIX_VERSION;
	if (c->content_type)
		r->headers[n++] = r->content_type = mem_printf("Content-Type: %s", c->content_type);
	r->rq = (struct http_request){
		.method = c->method,
		.url = r->url,
		.headers = r->headers,
		.body = c->body,
		.body_len = c->len,
		.ca_pem = k->c.ca_pem,
		.cert_pem = k->c.cert_pem,
		.key_pem = k->c.key_pem,
		.bearer = k->c.token,
		.timeout_ms = k->c.timeout_ms,
		/* shorter, so that a limit that strikes early is known to be this one */
		.connect_timeout_ms = k->c.timeout_ms * 3 / 5,
		.max_bytes = KUBE_ANSWER_MAX,
	};
	return 0;
}

void kube_request_free(struct kube_request *r)
{
	free(r->url);
	free(r->content_type);
}

void kube_next_server(struct kube *k)
{
	k->current = (k->current + 1) % k->c.servers.n;
}

/* The TRY-th server to ask: own node's when its time has come, the one that answered last, then the
 * rest round the list. N of them: there is none. */
static size_t server_at(const struct kube *k, size_t try, bool home)
{
	size_t n = k->c.servers.n, seen = 0;

	if (home && try == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		size_t s = (k->current + i) % n;

		if (home && s == 0)
			continue;
		if (seen++ + home == try)
			return s;
	}
	return n;
}

/* Reads on a kept connection, writes on one of their own: a kept one that turns out to be dead
 * would leave every so many writes in doubt. */
static int ask_server(struct kube *k, size_t server, const struct kube_call *c, bool read,
		      struct http_response *rs, struct fault *f)
{
	_kube_request_ struct kube_request rq = { 0 };
	int64_t began = timer_now();
	int r = kube_request_init(k, k->c.servers.v[server], c, &rq, f);

	if (r < 0)
		return r;
	if (read) {
		if (!k->clients[server])
			k->clients[server] = http_client_new();
		r = http_client_do(k->clients[server], &rq.rq, rs, f);
		if (r < 0)
			http_client_freep(&k->clients[server]);
		return r;
	}
	r = http_do(&rq.rq, rs, f);
	/* Before the limit of the whole request was up, only the connection's can have struck:
	 * nothing was sent. */
	if (r == -ETIMEDOUT && !rs->status && timer_now() - began < k->c.timeout_ms * 9 / 10)
		return fault_set(f, EHOSTUNREACH, "%s: no connection within %d ms",
				 k->c.servers.v[server], rq.rq.connect_timeout_ms);
	return r;
}

/* Nothing of the request can have had an effect: no connection, or no TLS with the right peer. */
static bool surely_unsent(int r)
{
	return r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -EACCES;
}

static bool is_read(const struct kube_call *c)
{
	return !c->method || str_eq(c->method, "GET");
}

/* Asks round the list until one settles it. Returns 0 with an answer, -errno otherwise; TOLD gets
 * each server's reason. KEPT holds the answer of one that could not, in case no other does better.
 */
static int call_round(struct kube *k, const struct kube_call *c, struct http_response *kept,
		      struct str *told, struct fault *f)
{
	bool read = is_read(c);
	bool home = read && k->current && timer_now() - k->home_tried >= HOME_AGAIN_MS;
	size_t s, start = k->current;
	int r = -EIO;

	for (size_t try = 0; (s = server_at(k, try, home)) < k->c.servers.n; try++) {
		_http_ struct http_response rs = { 0 };
		struct fault why = { 0 };

		if (s == 0)
			k->home_tried = timer_now();
		r = ask_server(k, s, c, read, &rs, &why);
		if (r == 0) {
			http_response_free(kept);
			*kept = rs;
			rs = (struct http_response){ 0 };
			if (kept->status != 429 && kept->status < 500) {
				k->current = s;
				return 0;
			}
			if (read)
				continue;
			k->current = (s + 1) % k->c.servers.n;
			return 0;
		}
		str_addf(told, "%s%s", told->len ? "; " : "", why.text);
		if (r == -EINVAL || (!read && !surely_unsent(r))) {
			k->current = (s + 1) % k->c.servers.n;
			return fault_set(f, r == -EINVAL ? EINVAL : ETIMEDOUT, "%s%s",
					 r == -EINVAL ? "" : "outcome unknown: ", told->p);
		}
	}
	k->current = start;
	return kept->status ? 0 : fault_set(f, -r, "no API server answered: %s", told->p);
}

int kube_call(struct kube *k, const struct kube_call *c, struct http_response *rs, struct fault *f)
{
	_http_ struct http_response kept = { 0 };
	_str_ struct str told = { 0 };
	int r = call_round(k, c, &kept, &told, f);

	if (r < 0) {
		fault_wrap(f, "%s %s", c->method ?: "GET", c->path);
		return r;
	}
	*rs = kept;
	kept = (struct http_response){ 0 };
	return 0;
}

int kube_ask(struct kube *k, const struct kube_call *c, struct json **ret, struct fault *f)
{
	_free_ char *context = mem_printf("%s %s", c->method ?: "GET", c->path);
	_http_ struct http_response rs = { 0 };
	_json_ struct json *j = NULL;
	int r = kube_call(k, c, &rs, f);

	if (r < 0)
		return r;
	if (rs.status < 200 || rs.status > 299)
		return kube_refused(rs.status, rs.body.p, rs.body.len, context, f);
	if (!ret)
		return 0;
	r = json_parse(rs.body.p, rs.body.len, &j, f);
	if (r >= 0 && !json_str(j, "kind"))
		r = fault_set(f, EPROTO, "no object");
	if (r < 0) {
		fault_wrap(f, "%s: HTTP %d, but the answer is not understood", context, rs.status);
		return -EPROTO;
	}
	*ret = TAKE_PTR(j);
	return 0;
}

int kube_health(struct kube *k, const char *server, const char *path, struct fault *f)
{
	struct kube_call c = { .path = path };
	_kube_request_ struct kube_request rq = { 0 };
	_http_ struct http_response rs = { 0 };
	int r = server_check(server, f);

	if (r >= 0)
		r = kube_request_init(k, server, &c, &rq, f);
	if (r >= 0)
		r = http_do(&rq.rq, &rs, f);
	return r < 0 ? r : rs.status;
}
