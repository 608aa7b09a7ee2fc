/* HTTP against hostile servers: limits of time and size, certificates, and that a write is sent
 * once. */
#include "tests/unit/test.h"

#include "lib/http.h"
#include "lib/timer.h"
#include "tests/unit/pki.h"
#include "tests/unit/stub.h"

#include <dlfcn.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <signal.h>

#define LIMIT 300

static struct pki_identity ca, other_ca, server_id, client_id, wrong_name, expired;

/* Stands before libc's: a name server that takes its time. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");

	if (node && strcmp(node, "slow.test") == 0)
		timer_sleep(3000);
	return node && str_ends(node, ".test") ? EAI_NONAME : real(node, service, hints, res);
}

static enum stub_then answer(struct stub *s, const struct stub_request *rq, struct str *out)
{
	static const struct {
		const char *target, *text;
		enum stub_then then;
	} answers[] = {
		{ "/silent", "", STUB_SILENT },
		{ "/half-head", "HTTP/1.1 200 OK\r\nContent-Le", STUB_CLOSE },
		{ "/half-body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", STUB_CLOSE },
		{ "/stuck-body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", STUB_KEEP },
		{ "/nothing", "", STUB_CLOSE },
		{ "/nonsense", "220 smtp ready\r\n", STUB_CLOSE },
		{ "/endless-head", "HTTP/1.1 200 OK\r\n", STUB_KEEP },
		{ "/endless-body", "HTTP/1.1 200 OK\r\n\r\n", STUB_AGAIN },
		{ "/endless-500", "HTTP/1.1 500 No\r\n\r\n", STUB_AGAIN },
		{ "/drop", "", STUB_CLOSE },
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (str_eq(rq->target, answers[i].target)) {
			str_add(out, answers[i].text);
			for (int n = 0; n < 40000 && str_starts(rq->target, "/endless"); n++)
				str_add(out, "X: xxxxxxxx\r\n");
			return answers[i].then;
		}
	if (str_eq(rq->target, "/echo")) {
		_str_ struct str body = { 0 };

		str_addf(&body, "%s|%s|%s", rq->method, rq->head, rq->body);
		stub_answer(out, 200, body.p);
		return STUB_KEEP;
	}
	if (str_eq(rq->target, "/moved")) {
		str_addf(out,
			 "HTTP/1.1 301 Moved\r\nLocation: %s/other\r\nETag: \"7\"\r\n"
			 "Content-Length: 0\r\n\r\n",
			 s->url);
		return STUB_KEEP;
	}
	stub_answer(out, str_starts(rq->target, "/5") ? 503 : 200, "body");
	return STUB_KEEP;
}

static int setup(void **state)
{
	struct stub *s = mem_alloc(sizeof *s);

	s->handler = answer;
	stub_start(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	stub_stop(*state);
	free(*state);
	return 0;
}

static int fetch(struct stub *s, const char *target, struct http_request rq,
		 struct http_response *rs, struct fault *f)
{
	_free_ char *url = mem_printf("%s%s", s->url, target);

	rq.url = url;
	rq.timeout_ms = LIMIT;
	return http_do(&rq, rs, f);
}
#define GET(s, target, rs, f) fetch(s, target, (struct http_request){ 0 }, rs, f)

static void gets(void **state)
{
	_http_ struct http_response rs = { 0 };
	struct fault f = { 0 };

	assert_int_equal(GET(*state, "/x", &rs, &f), 0);
	assert_int_equal(rs.status, 200);
	assert_string_equal(rs.body.p, "body");
	assert_string_equal(rs.content_type, "application/json");
	assert_null(rs.location);
	/* any status is an answer; a used response may be used again */
	assert_int_equal(GET(*state, "/503", &rs, &f), 0);
	assert_int_equal(rs.status, 503);
	assert_string_equal(rs.body.p, "body");
}

static void follows_nothing(void **state)
{
	_http_ struct http_response rs = { 0 };
	struct stub *s = *state;
	struct fault f = { 0 };

	assert_int_equal(GET(s, "/moved", &rs, &f), 0);
	assert_int_equal(rs.status, 301);
	assert_true(str_ends(rs.location, "/other"));
	assert_string_equal(rs.etag, "\"7\"");
	assert_int_equal(s->requests, 1);
}

static void asserts_in(const char *text, const char *what)
{
	if (!strcasestr(text, what))
		fail_msg("'%s' is not in: %s", what, text);
}

static void sends(void **state)
{
	const char *const headers[] = { "Content-Type: application/json", "X-One: 1", NULL };
	_http_ struct http_response rs = { 0 };
	struct http_request rq = { .method = "PATCH",
				   .headers = headers,
				   .body = "{\"a\":1}",
				   .body_len = 7,
				   .bearer = "tok" };
	struct fault f = { 0 };

	assert_int_equal(fetch(*state, "/echo", rq, &rs, &f), 0);
	assert_true(str_starts(rs.body.p, "PATCH|PATCH /echo HTTP/1.1"));
	assert_true(str_ends(rs.body.p, "|{\"a\":1}"));
	asserts_in(rs.body.p, "Content-Type: application/json");
	asserts_in(rs.body.p, "X-One: 1");
	asserts_in(rs.body.p, "Authorization: Bearer tok");
	rq = (struct http_request){ .method = "POST", .user = "server", .password = "pw:x" };
	assert_int_equal(fetch(*state, "/echo", rq, &rs, &f), 0);
	asserts_in(rs.body.p, "Content-Length: 0");
	asserts_in(rs.body.p, "Authorization: Basic c2VydmVyOnB3Ong=");
	assert_null(strcasestr(rs.body.p, "Content-Type"));
	assert_null(strcasestr(rs.body.p, "Expect"));
	rq = (struct http_request){ .method = "HEAD" };
	assert_int_equal(fetch(*state, "/echo", rq, &rs, &f), 0);
	assert_int_equal(rs.body.len, 0);
	rq = (struct http_request){ .headers = (const char *const[]){ "A: b\r\nC: d", NULL } };
	assert_int_equal(fetch(*state, "/echo", rq, &rs, &f), -EINVAL);
}

static void bears_hostile_servers(void **state)
{
	static const struct {
		const char *target;
		int expect, status;
	} cases[] = {
		{ "/silent", -ETIMEDOUT, 0 },	  { "/half-head", -EPROTO, 200 },
		{ "/half-body", -EPROTO, 200 },	  { "/stuck-body", -ETIMEDOUT, 200 },
		{ "/nothing", -EPROTO, 0 },	  { "/nonsense", -EPROTO, 0 },
		{ "/endless-head", -EFBIG, 200 }, { "/endless-body", -EFBIG, 200 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_http_ struct http_response rs = { 0 };
		struct fault f = { 0 };
		struct http_request rq = { .max_bytes = 100000 };
		int64_t before = timer_now();
		int r = fetch(*state, cases[i].target, rq, &rs, &f);

		if (r != cases[i].expect)
			fail_msg("%s: %d %s", cases[i].target, r, f.text);
		if (cases[i].status != rs.status)
			fail_msg("%s: status %d", cases[i].target, rs.status);
		assert_in_range(timer_now() - before, 0, LATE);
		asserts_in(f.text, cases[i].target);
		assert_int_equal(rs.body.len, 0);
	}
}

static void limits_size(void **state)
{
	_http_ struct http_response rs = { 0 };
	struct http_request rq = { .max_bytes = 4 };
	struct fault f = { 0 };

	assert_int_equal(fetch(*state, "/x", rq, &rs, &f), 0);
	rq.max_bytes = 3;
	assert_int_equal(fetch(*state, "/x", rq, &rs, &f), -EFBIG);
	assert_int_equal(rs.status, 200);
}

struct sink {
	size_t got, stop_at;
};

static int swallow(void *user, const char *data, size_t n)
{
	struct sink *s = user;

	assert_int_equal(memchr(data, 'x', n) != NULL, 1);
	s->got += n;
	return s->stop_at && s->got >= s->stop_at ? -ECANCELED : 0;
}

static void streams(void **state)
{
	_http_ struct http_response rs = { 0 };
	struct sink sink = { .stop_at = 5 << 20 };
	struct http_request rq = { .on_data = swallow, .user_data = &sink };
	struct stub *s = *state;
	_free_ char *url = mem_printf("%s/endless-body", s->url),
		    *bad = mem_printf("%s/503", s->url),
		    *endless = mem_printf("%s/endless-500", s->url);
	struct fault f = { 0 };

	/* no limit of size but the receiver's */
	rq.url = url;
	rq.timeout_ms = 20000;
	assert_int_equal(http_do(&rq, &rs, &f), -ECANCELED);
	assert_true(sink.got >= 5 << 20);
	assert_int_equal(rs.status, 200);
	assert_int_equal(rs.body.len, 0);
	/* unless one is given */
	sink = (struct sink){ 0 };
	rq.max_bytes = 10000;
	assert_int_equal(http_do(&rq, &rs, &f), -EFBIG);
	assert_true(sink.got <= 10000);
	/* what another status says is kept, within limits, and not taken for data */
	sink = (struct sink){ 0 };
	rq.max_bytes = 0;
	rq.url = bad;
	assert_int_equal(http_do(&rq, &rs, &f), 0);
	assert_int_equal(rs.status, 503);
	assert_string_equal(rs.body.p, "body");
	rq.url = endless;
	assert_int_equal(http_do(&rq, &rs, &f), -EFBIG);
	assert_int_equal(sink.got, 0);
}

static void cannot_connect(void **state)
{
	struct http_request rq = { .timeout_ms = LIMIT };
	_http_ struct http_response rs = { 0 };
	struct stub_hole hole;
	struct stub dead;
	struct fault f = { 0 };
	int64_t before;

	(void)state;
	stub_dead(&dead);
	rq.url = dead.url;
	assert_int_equal(http_do(&rq, &rs, &f), -ECONNREFUSED);
	stub_hole_open(&hole);
	rq.url = hole.url;
	before = timer_now();
	assert_int_equal(http_do(&rq, &rs, &f), -ETIMEDOUT);
	rq.timeout_ms = 5000;
	rq.connect_timeout_ms = 100;
	assert_int_equal(http_do(&rq, &rs, &f), -ETIMEDOUT);
	assert_in_range(timer_now() - before, 0, LATE);
	stub_hole_close(&hole);
	rq.url = "http://unknown.test/";
	assert_int_equal(http_do(&rq, &rs, &f), -EHOSTUNREACH);
	rq.url = "ftp://127.0.0.1/";
	assert_true(http_do(&rq, &rs, &f) < 0);
	rq.url = "file:///etc/passwd";
	assert_true(http_do(&rq, &rs, &f) < 0);
	assert_int_equal(rs.body.len, 0);
	rq.url = "";
	assert_true(http_do(&rq, &rs, &f) < 0);
}

static void bears_slow_names(void **state)
{
	struct http_request rq = { .url = "http://slow.test/", .timeout_ms = LIMIT };
	_http_ struct http_response rs = { 0 };
	int64_t before = timer_now();
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(http_do(&rq, &rs, &f), -ETIMEDOUT);
	assert_in_range(timer_now() - before, LIMIT - 50, LATE);
}

static void hides_secrets_in_messages(void **state)
{
	struct http_request rq = { .timeout_ms = LIMIT };
	_http_ struct http_response rs = { 0 };
	struct stub dead;
	struct fault f = { 0 };
	_free_ char *url = NULL;

	(void)state;
	stub_dead(&dead);
	url = mem_printf("http://me:geheim@%s/p@th?X-Signature=geheim", dead.url + 7);
	rq.url = url;
	assert_int_equal(http_do(&rq, &rs, &f), -ECONNREFUSED);
	assert_null(strstr(f.text, "geheim"));
	asserts_in(f.text, dead.url);
	asserts_in(f.text, "/p@th");
}

static void ignores_proxies(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "all_proxy",
					     "ALL_PROXY" };
	_http_ struct http_response rs = { 0 };
	struct stub dead;
	struct fault f = { 0 };

	stub_dead(&dead);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], dead.url, 1);
	assert_int_equal(GET(*state, "/x", &rs, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static int ask(struct http_client *c, struct stub *s, const char *method, const char *target,
	       struct http_response *rs)
{
	_free_ char *url = mem_printf("%s%s", s->url, target);
	struct http_request rq = { .method = method, .url = url, .timeout_ms = LIMIT };
	struct fault f = { 0 };

	return http_client_do(c, &rq, rs, &f);
}

/* On a kept connection that ends without an answer a read is asked again, a write is not. */
static void writes_once(void **state)
{
	static const struct {
		const char *method;
		int times;
	} cases[] = { { "GET", 2 }, { "POST", 1 }, { "PUT", 1 }, { "DELETE", 1 } };
	struct stub *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(http_client_freep) struct http_client *c = http_client_new();
		_http_ struct http_response rs = { 0 };
		int before;

		assert_int_equal(ask(c, s, "GET", "/x", &rs), 0);
		before = s->requests;
		assert_int_equal(ask(c, s, cases[i].method, "/drop", &rs), -EPROTO);
		assert_int_equal(s->requests - before, cases[i].times);
		/* and the client is good for more */
		assert_int_equal(ask(c, s, "GET", "/x", &rs), 0);
	}
}

/* Nothing of one request is left in the next one of the same client. */
static void clients_forget(void **state)
{
	_cleanup_(http_client_freep) struct http_client *c = http_client_new();
	_http_ struct http_response rs = { 0 };
	struct stub *s = *state;
	_free_ char *url = mem_printf("%s/echo", s->url);
	struct http_request rq = { .method = "POST",
				   .url = url,
				   .body = "secret",
				   .body_len = 6,
				   .bearer = "secret",
				   .headers = (const char *const[]){ "X-A: secret", NULL } };
	struct fault f = { 0 };

	assert_int_equal(http_client_do(c, &rq, &rs, &f), 0);
	assert_int_equal(ask(c, s, NULL, "/echo", &rs), 0);
	assert_true(str_starts(rs.body.p, "GET|"));
	assert_null(strstr(rs.body.p, "secret"));
}

/* A TLS server that answers CONNECTIONS of them, each with any number of requests. */
struct secure {
	const struct pki_identity *id;
	bool wants_client;
	int connections, port, listener, requests, accepted;
	char url[64];
	pthread_t thread;
};

static SSL_CTX *secure_context(const struct secure *s)
{
	BIO *cert = BIO_new_mem_buf(s->id->cert.p, -1), *key = BIO_new_mem_buf(s->id->key.p, -1),
	    *root = BIO_new_mem_buf(ca.cert.p, -1);
	X509 *x = PEM_read_bio_X509(cert, NULL, NULL, NULL),
	     *r = PEM_read_bio_X509(root, NULL, NULL, NULL);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate(ctx, x);
	SSL_CTX_use_PrivateKey(ctx, k);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), r);
	if (s->wants_client)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	X509_free(x);
	X509_free(r);
	EVP_PKEY_free(k);
	BIO_free(cert);
	BIO_free(key);
	BIO_free(root);
	return ctx;
}

static void *secure_run(void *user)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct secure *s = user;
	SSL_CTX *ctx = secure_context(s);
	char buf[4096];

	while (s->connections-- > 0) {
		struct pollfd p = { .fd = s->listener, .events = POLLIN };
		int fd = poll(&p, 1, 3000) == 1 ? accept(s->listener, NULL, NULL) : -1;
		SSL *ssl = SSL_new(ctx);

		SSL_set_fd(ssl, fd);
		if (fd >= 0 && SSL_accept(ssl) > 0) {
			s->accepted++;
			while (SSL_read(ssl, buf, sizeof buf) > 0) {
				s->requests++;
				SSL_write(ssl, text, sizeof text - 1);
			}
		}
		SSL_free(ssl);
		/* the client shall read the alert before a reset takes it away */
		shutdown(fd, SHUT_WR);
		while (fd >= 0 && recv(fd, buf, sizeof buf, 0) > 0)
			;
		if (fd >= 0)
			close(fd);
	}
	SSL_CTX_free(ctx);
	return NULL;
}

static void secure_start(struct secure *s)
{
	s->listener = stub_bind(&s->port);
	assert_int_equal(listen(s->listener, 5), 0);
	snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d/", s->port);
	assert_int_equal(pthread_create(&s->thread, NULL, secure_run, s), 0);
}

static void secure_end(struct secure *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
}

static void verifies(void **state)
{
	const struct {
		const struct pki_identity *server, *trusted, *client;
		bool wants_client;
		int expect;
	} cases[] = {
		{ &server_id, &ca, NULL, false, 0 },
		{ &server_id, &ca, &client_id, true, 0 },
		{ &server_id, &other_ca, NULL, false, -EACCES },
		{ &server_id, NULL, NULL, false, -EACCES }, /* the system's CAs do not know it */
		{ &wrong_name, &ca, NULL, false, -EACCES },
		{ &expired, &ca, NULL, false, -EACCES },
		{ &server_id, &ca, NULL, true, -EACCES },
		{ &server_id, &ca, &expired, true, -EACCES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secure s = { .id = cases[i].server,
				    .wants_client = cases[i].wants_client,
				    .connections = 1 };
		struct http_request rq = { .url = s.url,
					   .timeout_ms = 20000,
					   .ca_pem = cases[i].trusted ? cases[i].trusted->cert.p
								      : NULL };
		_http_ struct http_response rs = { 0 };
		struct fault f = { 0 };
		int r;

		if (cases[i].client) {
			rq.cert_pem = cases[i].client->cert.p;
			rq.key_pem = cases[i].client->key.p;
		}
		secure_start(&s);
		r = http_do(&rq, &rs, &f);
		secure_end(&s);
		if (r != cases[i].expect)
			fail_msg("case %zu: %d %s", i, r, f.text);
		assert_int_equal(s.requests, r == 0);
	}
}

static void keeps_connections(void **state)
{
	struct secure s = { .id = &server_id, .wants_client = true, .connections = 1 };
	struct http_client *c = http_client_new();
	_http_ struct http_response rs = { 0 };
	struct fault f = { 0 };

	(void)state;
	secure_start(&s);
	for (int i = 0; i < 5; i++) {
		struct http_request rq = { .method = i % 2 ? "PUT" : "GET",
					   .url = s.url,
					   .ca_pem = ca.cert.p,
					   .cert_pem = client_id.cert.p,
					   .key_pem = client_id.key.p,
					   .timeout_ms = 20000 };

		assert_int_equal(http_client_do(c, &rq, &rs, &f), 0);
		assert_string_equal(rs.body.p, "ok");
	}
	http_client_freep(&c);
	secure_end(&s);
	assert_int_equal(s.accepted, 1);
	assert_int_equal(s.requests, 5);
	http_client_freep(&c);
}

/* A client that trusted one CA asks again trusting another: the kept connection is not taken. */
static void kept_connections_keep_their_trust(void **state)
{
	struct secure s = { .id = &server_id, .connections = 2 };
	struct http_client *c = http_client_new();
	_http_ struct http_response rs = { 0 };
	struct http_request rq = { .url = s.url, .ca_pem = ca.cert.p, .timeout_ms = 20000 };
	struct fault f = { 0 };

	(void)state;
	secure_start(&s);
	assert_int_equal(http_client_do(c, &rq, &rs, &f), 0);
	rq.ca_pem = other_ca.cert.p;
	assert_true(http_client_do(c, &rq, &rs, &f) < 0);
	http_client_freep(&c);
	secure_end(&s);
	assert_int_equal(s.requests, 1);
}

static void connects_elsewhere(void **state)
{
	struct secure s = { .id = &server_id, .connections = 1 };
	_http_ struct http_response rs = { 0 };
	struct http_request rq = { .ca_pem = ca.cert.p, .timeout_ms = 20000 };
	struct fault f = { 0 };
	char to[64], url[64];

	(void)state;
	secure_start(&s);
	snprintf(url, sizeof url, "https://localhost:1/");
	snprintf(to, sizeof to, "localhost:1:127.0.0.1:%d", s.port);
	rq.url = url;
	rq.connect_to = to;
	assert_int_equal(http_do(&rq, &rs, &f), 0);
	secure_end(&s);
}

static void refuses_plain_and_broken_tls(void **state)
{
	_http_ struct http_response rs = { 0 };
	struct stub *s = *state;
	_free_ char *url = mem_printf("https%s", s->url + 4);
	struct http_request rq = { .url = url, .ca_pem = ca.cert.p, .timeout_ms = LIMIT };
	struct fault f = { 0 };
	int r = http_do(&rq, &rs, &f);

	assert_true(r == -EPROTO || r == -ETIMEDOUT); /* the stub waits for the end of a head */
	rq.ca_pem = "not a certificate";
	assert_int_equal(http_do(&rq, &rs, &f), -EACCES);
	rq.ca_pem = ca.cert.p;
	rq.cert_pem = client_id.cert.p;
	rq.key_pem = server_id.key.p;
	assert_int_equal(http_do(&rq, &rs, &f), -EACCES);
}

static int group_setup(void **state)
{
	static const char *const elsewhere[] = { "192.0.2.1", NULL };
	struct cert_request rq = {
		.common_name = "127.0.0.1", .days = 9, .addresses = elsewhere, .server = true
	};
	struct fault f = { 0 };

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* for OpenSSL's own sockets in secure_run */
	ca = pki_make("ca", NULL, true, 3650);
	other_ca = pki_make("ca", NULL, true, 3650);
	server_id = pki_make("server", &ca, false, 30);
	client_id = pki_make("client", &ca, false, 30);
	expired = pki_make("expired", &ca, false, 0);
	crypto_key_new(KEY_PKCS8, &wrong_name.key, &f);
	timer_sleep(1100); /* until "0 days" are over */
	return crypto_cert_new(&rq, wrong_name.key.p, ca.cert.p, ca.key.p, &wrong_name.cert, &f);
}

static int group_teardown(void **state)
{
	(void)state;
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&server_id);
	pki_free(&client_id);
	pki_free(&wrong_name);
	pki_free(&expired);
	return 0;
}

#define WITH_STUB(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STUB(gets),
		WITH_STUB(follows_nothing),
		WITH_STUB(sends),
		WITH_STUB(bears_hostile_servers),
		WITH_STUB(limits_size),
		WITH_STUB(streams),
		cmocka_unit_test(cannot_connect),
		cmocka_unit_test(bears_slow_names),
		cmocka_unit_test(hides_secrets_in_messages),
		WITH_STUB(ignores_proxies),
		WITH_STUB(writes_once),
		WITH_STUB(clients_forget),
		cmocka_unit_test(verifies),
		cmocka_unit_test(keeps_connections),
		cmocka_unit_test(kept_connections_keep_their_trust),
		cmocka_unit_test(connects_elsewhere),
		WITH_STUB(refuses_plain_and_broken_tls),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
