/* See http.h. */
#include "lib/http.h"

#include "lib/http_curl.h"

#include <errno.h>

#define DEFAULT_TIMEOUT 10000
#define DEFAULT_BODY (4 << 20)
#define HEAD_MAX (256 << 10)

struct http_client {
	const struct curl_calls *curl; /* both NULL before the first request */
	CURL *easy;
};

/* One request under way. */
struct transfer {
	const struct curl_calls *curl;
	CURL *easy;
	const struct http_request *rq;
	struct http_response *rs;
	struct curl_slist *headers, *connect_to;
	size_t got, head_got;
	bool head_ended;
	int sent;  /* times the request went out */
	int ended; /* -errno by which a callback ended it */
	char error[CURL_ERROR_SIZE];
};
#define _transfer_ _cleanup_(transfer_free)

static void transfer_free(struct transfer *t)
{
	if (t->easy)
		t->curl->easy_reset(t->easy); /* keeps connections, forgets pointers and secrets */
	t->curl->slist_free_all(t->headers);
	t->curl->slist_free_all(t->connect_to);
}

static bool slist_add(const struct transfer *t, struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = t->curl->slist_append(*list, text);

	if (longer)
		*list = longer;
	return longer;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;

	n *= size;
	t->head_got += n;
	t->head_ended = n && (*data == '\r' || *data == '\n'); /* the empty line */
	if (t->head_got <= HEAD_MAX)
		return n;
	t->ended = -EFBIG;
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	const struct http_request *rq = t->rq;
	long status = 0;
	bool stream;
	size_t max;

	n *= size;
	t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	stream = rq->on_data && status / 100 == 2;
	max = rq->max_bytes ? rq->max_bytes : stream ? SIZE_MAX : DEFAULT_BODY;
	if (n > max - t->got) {
		t->ended = -EFBIG;
		return 0;
	}
	t->got += n;
	if (stream) {
		int r = rq->on_data(rq->user_data, data, n);

		if (r < 0)
			t->ended = r;
		return r < 0 ? 0 : n;
	}
	str_add_n(&t->rs->body, data, n);
	return n;
}

/* When a kept connection ends without an answer, curl sends the request again on a new one. A
 * write may have been done by then: the caller must hear of it, not see it done twice. */
static int on_send(void *user, char *to, char *from, int to_port, int from_port)
{
	struct transfer *t = user;
	const char *method = t->rq->method;
	bool reads = !method || str_eq(method, "GET") || str_eq(method, "HEAD");

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (!t->sent++ || reads)
		return CURL_PREREQFUNC_OK;
	t->ended = -EPROTO;
	return CURL_PREREQFUNC_ABORT;
}

/* curl's setter takes its value by "...": these give it the type that each kind of option wants. */
static void set_long(struct transfer *t, CURLoption o, long value)
{
	if (t->curl->easy_setopt(t->easy, o, value) != CURLE_OK)
		t->ended = -ENOSYS;
}

static void set_ptr(struct transfer *t, CURLoption o, const void *value)
{
	if (t->curl->easy_setopt(t->easy, o, value) != CURLE_OK)
		t->ended = -ENOSYS;
}

static void set_blob(struct transfer *t, CURLoption o, const char *pem)
{
	struct curl_blob blob = { .data = (void *)pem, .flags = CURL_BLOB_COPY };

	if (!pem)
		return;
	blob.len = strlen(pem);
	set_ptr(t, o, &blob);
}

static void set_tls(struct transfer *t)
{
	const struct http_request *rq = t->rq;

	set_long(t, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_long(t, CURLOPT_SSL_VERIFYPEER, rq->pinned_key == NULL);
	set_long(t, CURLOPT_SSL_VERIFYHOST, rq->pinned_key ? 0 : 2);
	if (rq->pinned_key)
		set_ptr(t, CURLOPT_PINNEDPUBLICKEY, rq->pinned_key);
	if (rq->ca_pem) {
		set_blob(t, CURLOPT_CAINFO_BLOB, rq->ca_pem);
		/* the folder of the system's CAs would stay trusted beside the one given */
		set_ptr(t, CURLOPT_CAPATH, NULL);
	}
	set_blob(t, CURLOPT_SSLCERT_BLOB, rq->cert_pem);
	set_blob(t, CURLOPT_SSLKEY_BLOB, rq->key_pem);
}

static void set_limits(struct transfer *t)
{
	const struct http_request *rq = t->rq;
	int timeout = rq->timeout_ms ? rq->timeout_ms : DEFAULT_TIMEOUT;

	set_ptr(t, CURLOPT_PROTOCOLS_STR, "http,https");
	set_long(t, CURLOPT_FOLLOWLOCATION, 0);
	set_long(t, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_ptr(t, CURLOPT_NOPROXY, "*");
	set_long(t, CURLOPT_NOSIGNAL, 1);
	/* a name server that does not answer must not hold the end of the request either */
	set_long(t, CURLOPT_QUICK_EXIT, 1);
	set_long(t, CURLOPT_TIMEOUT_MS, timeout);
	if (rq->stall_s) {
		set_long(t, CURLOPT_LOW_SPEED_TIME, rq->stall_s);
		set_long(t, CURLOPT_LOW_SPEED_LIMIT, 1);
	}
	set_long(t, CURLOPT_CONNECTTIMEOUT_MS,
		 rq->connect_timeout_ms ? rq->connect_timeout_ms : timeout);
}

static void set_method(struct transfer *t)
{
	const struct http_request *rq = t->rq;
	const char *method = rq->method ? rq->method : "GET";

	if (str_eq(method, "HEAD")) {
		set_long(t, CURLOPT_NOBODY, 1);
		return;
	}
	if (rq->body || str_eq(method, "POST") || str_eq(method, "PUT")) {
		set_long(t, CURLOPT_POST, 1);
		set_ptr(t, CURLOPT_POSTFIELDS, rq->body ? rq->body : "");
		if (t->curl->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t)rq->body_len) != CURLE_OK)
			t->ended = -ENOSYS;
	}
	set_ptr(t, CURLOPT_CUSTOMREQUEST, method);
}

static int set_headers(struct transfer *t, struct fault *f)
{
	const struct http_request *rq = t->rq;
	bool typed = false, ok;

	/* curl would call a body a form, and wait a second for leave to send a large one */
	ok = slist_add(t, &t->headers, "Expect:");
	for (size_t i = 0; ok && rq->headers && rq->headers[i]; i++) {
		if (strpbrk(rq->headers[i], "\r\n"))
			return fault_set(f, EINVAL, "HTTP header with a line break");
		typed |= strncasecmp(rq->headers[i], "Content-Type:", 13) == 0;
		ok = slist_add(t, &t->headers, rq->headers[i]);
	}
	if (ok && !typed)
		ok = slist_add(t, &t->headers, "Content-Type:");
	if (ok && rq->connect_to)
		ok = slist_add(t, &t->connect_to, rq->connect_to);
	set_ptr(t, CURLOPT_HTTPHEADER, t->headers);
	set_ptr(t, CURLOPT_CONNECT_TO, t->connect_to);
	if (rq->user) {
		set_long(t, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		set_ptr(t, CURLOPT_USERNAME, rq->user);
		set_ptr(t, CURLOPT_PASSWORD, rq->password);
	} else if (rq->bearer) {
		set_long(t, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		set_ptr(t, CURLOPT_XOAUTH2_BEARER, rq->bearer);
	}
	return ok ? 0 : fault_set(f, EIO, "HTTP headers");
}

static int set_all(struct transfer *t, struct fault *f)
{
	int r;

	set_ptr(t, CURLOPT_URL, t->rq->url);
	set_ptr(t, CURLOPT_USERAGENT, "phoenix");
	set_ptr(t, CURLOPT_ERRORBUFFER, t->error);
	set_long(t, CURLOPT_NOPROGRESS, 1);
	if (t->curl->easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK ||
	    t->curl->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
	    t->curl->easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_send) != CURLE_OK)
		t->ended = -ENOSYS;
	set_ptr(t, CURLOPT_HEADERDATA, t);
	set_ptr(t, CURLOPT_WRITEDATA, t);
	set_ptr(t, CURLOPT_PREREQDATA, t);
	set_limits(t);
	set_tls(t);
	set_method(t);
	r = set_headers(t, f);
	if (r >= 0 && t->ended)
		r = fault_set(f, EIO, "this libcurl lacks an option that phoenix relies on");
	return r;
}

/* For messages: without user and password, and without the query, which may carry a signature. */
static char *shown_url(const char *url)
{
	const char *scheme = strstr(url, "://");
	size_t skip = scheme ? (size_t)(scheme - url) + 3 : 0;
	const char *host = url + skip, *at = memrchr(host, '@', strcspn(host, "/?#"));

	host = at ? at + 1 : host;
	return mem_printf("%.*s%.*s", (int)skip, url, (int)strcspn(host, "?#"), host);
}

static int connect_errno(const struct transfer *t)
{
	long e = 0;

	t->curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &e);
	return e == ECONNREFUSED || e == ETIMEDOUT ? (int)e : EHOSTUNREACH;
}

/* A server that refuses our certificate says so by an alert, with TLS 1.3 in the place of the
 * answer; curl passes it on in its text only. */
static bool is_refusal(const char *error)
{
	const char *alert = strstr(error, "alert");

	return alert && (strstr(alert, "certificate") || strstr(alert, "unknown ca") ||
			 strstr(alert, "access denied"));
}

static int to_errno(const struct transfer *t, CURLcode code)
{
	if (t->ended)
		return -t->ended;
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
		return EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return connect_errno(t);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return EACCES;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return is_refusal(t->error) ? EACCES : EPROTO;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* also an answer in HTTP/0.9 */
	case CURLE_BAD_CONTENT_ENCODING:
		return EPROTO;
	default:
		return EIO;
	}
}

static char *response_header(const struct transfer *t, const char *name)
{
	struct curl_header *h;

	if (t->curl->easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return mem_strdup(h->value);
}

static int finish(struct transfer *t, CURLcode code, struct fault *f)
{
	_free_ char *url = shown_url(t->rq->url);
	long status = 0;
	int e;

	t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->rs->status = (int)status;
	/* curl takes a head that was cut off for a whole answer without a body */
	if (code == CURLE_OK && !t->head_ended)
		code = CURLE_PARTIAL_FILE;
	if (code == CURLE_OK) {
		t->rs->location = response_header(t, "Location");
		t->rs->content_type = response_header(t, "Content-Type");
		t->rs->etag = response_header(t, "ETag");
		return 0;
	}
	str_erase(&t->rs->body);
	e = to_errno(t, code);
	if (t->sent > 1 && t->ended == -EPROTO)
		return fault_set(f, e, "%s: connection lost before the answer", url);
	if (t->ended == -EFBIG)
		return fault_set(f, e, "%s: the answer is too large", url);
	if (t->ended)
		return fault_set(f, e, "%s: ended by the receiver", url);
	return fault_set(f, e, "%s: %s", url, *t->error ? t->error : t->curl->easy_strerror(code));
}

struct http_client *http_client_new(void)
{
	return mem_alloc(sizeof(struct http_client));
}

void http_client_freep(struct http_client **c)
{
	if (!*c)
		return;
	if ((*c)->easy)
		(*c)->curl->easy_cleanup((*c)->easy);
	free(*c);
	*c = NULL;
}

static int perform(struct http_client *c, const struct http_request *rq, struct http_response *rs,
		   struct fault *f)
{
	_transfer_ struct transfer t = { .curl = c->curl, .easy = c->easy, .rq = rq, .rs = rs };
	int r = set_all(&t, f);

	return r < 0 ? r : finish(&t, c->curl->easy_perform(t.easy), f);
}

int http_client_do(struct http_client *c, const struct http_request *rq, struct http_response *rs,
		   struct fault *f)
{
	const struct curl_calls *calls;
	int r = curl_load(&calls, f);

	http_response_free(rs);
	if (r < 0)
		return r;
	if (!c->easy) {
		c->curl = calls;
		c->easy = calls->easy_init();
	}
	if (!c->easy)
		return fault_set(f, EIO, "libcurl does not start");
	return perform(c, rq, rs, f);
}

int http_do(const struct http_request *rq, struct http_response *rs, struct fault *f)
{
	_cleanup_(http_client_freep) struct http_client *c = http_client_new();

	return http_client_do(c, rq, rs, f);
}

void http_response_free(struct http_response *rs)
{
	str_erase(&rs->body);
	free(rs->location);
	free(rs->content_type);
	free(rs->etag);
	*rs = (struct http_response){ 0 };
}
