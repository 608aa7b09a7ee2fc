/* TLS between nodes: who is let in, and that no peer, however it behaves, holds us past the
 * deadline. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/timer.h"
#include "lib/tls.h"
#include "tests/unit/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 400

static struct pki_identity ca, other_ca, a, b, stranger, expired;

struct server {
	struct tls *tls;
	int listener, port, result, calls, refuse;
	size_t answer_len;
	struct fault f;
	char peer[128];
	pthread_t thread;
};

static struct tls *identity(const struct pki_identity *ca_of, const struct pki_identity *id)
{
	struct tls *t = NULL;
	struct fault f = { 0 };

	if (tls_new(ca_of->cert.p, id->cert.p, id->key.p, &t, &f) < 0)
		fail_msg("%s", f.text);
	return t;
}

static int port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t n = sizeof at;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	return ntohs(at.sin_port);
}

static int handle(void *user, const char *peer, const char *request, size_t len, struct str *answer)
{
	struct server *s = user;

	s->calls++;
	snprintf(s->peer, sizeof s->peer, "%s", peer);
	if (s->refuse)
		return -s->refuse;
	if (s->answer_len) {
		_free_ char *big = mem_alloc(s->answer_len);

		memset(big, 'x', s->answer_len);
		str_add_n(answer, big, s->answer_len);
		return 0;
	}
	str_addf(answer, "%s said ", peer);
	str_add_n(answer, request, len);
	return 0;
}

static void *serve(void *user)
{
	struct server *s = user;
	struct pollfd p = { .fd = s->listener, .events = POLLIN };

	if (poll(&p, 1, 5000) == 1)
		s->result = tls_serve_one(s->tls, s->listener, LIMIT, handle, s, &s->f);
	return NULL;
}

static void server_start(struct server *s, struct tls *t)
{
	struct fault f = { 0 };

	s->tls = t;
	s->result = 1;
	s->listener = tls_listen("127.0.0.1", 0, &f);
	assert_true(s->listener >= 0);
	s->port = port_of(s->listener);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	tls_freep(&s->tls);
}

/* One question of CLIENT to a server with identity SERVER; what both sides said of it. */
static int ask(struct server *s, struct tls *server, struct tls *client, const char *peer,
	       const char *request, size_t len, struct str *answer, struct fault *f)
{
	int r;

	server_start(s, server);
	r = tls_ask(client, "127.0.0.1", s->port, peer, request, len, 2000, answer, f);
	server_end(s);
	return r;
}

static void answers(void **state)
{
	_tls_ struct tls *client = identity(&ca, &a);
	_free_ char *big = mem_alloc(TLS_MESSAGE_MAX);
	_str_ struct str answer = { 0 };
	struct fault f = { 0 };
	struct server s = { 0 };

	(void)state;
	assert_int_equal(ask(&s, identity(&ca, &b), client, "b", "hello", 5, &answer, &f), 0);
	assert_int_equal(s.result, 0);
	assert_string_equal(answer.p, "a said hello");
	assert_string_equal(s.peer, "a");
	/* the largest messages either way, and empty ones */
	str_reset(&answer);
	s = (struct server){ .answer_len = TLS_MESSAGE_MAX };
	memset(big, 'y', TLS_MESSAGE_MAX);
	assert_int_equal(ask(&s, identity(&ca, &b), client, "b", big, TLS_MESSAGE_MAX, &answer, &f),
			 0);
	assert_int_equal(answer.len, TLS_MESSAGE_MAX);
	str_reset(&answer);
	s = (struct server){ 0 };
	assert_int_equal(ask(&s, identity(&ca, &b), client, "b", "", 0, &answer, &f), 0);
	assert_string_equal(answer.p, "a said ");
}

static void refuses_large_messages(void **state)
{
	_tls_ struct tls *client = identity(&ca, &a);
	_free_ char *big = mem_alloc(TLS_MESSAGE_MAX + 1);
	_str_ struct str answer = { 0 };
	struct server s = { .answer_len = TLS_MESSAGE_MAX + 1 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(
		tls_ask(client, "127.0.0.1", 1, "b", big, TLS_MESSAGE_MAX + 1, 1000, &answer, &f),
		-EMSGSIZE);
	assert_int_equal(ask(&s, identity(&ca, &b), client, "b", "x", 1, &answer, &f), -EPROTO);
	assert_int_equal(s.result, -EMSGSIZE);
	assert_int_equal(answer.len, 0);
}

static void handler_may_refuse(void **state)
{
	_tls_ struct tls *client = identity(&ca, &a);
	_str_ struct str answer = { 0 };
	struct server s = { .refuse = EPERM };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(ask(&s, identity(&ca, &b), client, "b", "x", 1, &answer, &f), -EPROTO);
	assert_int_equal(s.result, -EPERM);
	assert_int_equal(answer.len, 0);
}

/* Who may not talk to whom. -EACCES on both sides, each with a reason; the handler never runs,
 * except for the wrong name, which only the client minds: it sends nothing then. */
static void refuses_strangers(void **state)
{
	const struct {
		const struct pki_identity *server_ca, *server, *client_ca, *client;
		const char *peer;
		int server_result;
		const char *client_text;
	} cases[] = {
		{ &ca, &b, &ca, &a, "c", -EPROTO, "calls itself 'b', not 'c'" },
		{ &other_ca, &stranger, &ca, &a, "b", -EACCES, "its certificate is not accepted" },
		{ &ca, &b, &ca, &stranger, "b", -EACCES, "does not accept our certificate" },
		{ &ca, &expired, &ca, &a, "b", -EACCES, "expired" },
		{ &ca, &b, &ca, &expired, "b", -EACCES, "expired" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_tls_ struct tls *client = identity(cases[i].client_ca, cases[i].client);
		_free_ char *big = mem_alloc(TLS_MESSAGE_MAX);
		_str_ struct str answer = { 0 };
		struct server s = { 0 };
		struct fault f = { 0 };
		int r = ask(&s, identity(cases[i].server_ca, cases[i].server), client,
			    cases[i].peer, big, TLS_MESSAGE_MAX, &answer, &f);

		assert_int_equal(r, -EACCES);
		assert_int_equal(s.result, cases[i].server_result);
		assert_int_equal(s.calls, 0);
		if (!strstr(f.text, cases[i].client_text))
			fail_msg("case %zu: %s", i, f.text);
	}
}

/* A client of plain OpenSSL: no certificate, or an older protocol. */
static int foreign_client(int port, int version, bool with_cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ok;
	char buf[1];
	SSL *ssl;

	SSL_CTX_set_max_proto_version(ctx, version);
	if (with_cert) {
		BIO *cert = BIO_new_mem_buf(a.cert.p, -1), *key = BIO_new_mem_buf(a.key.p, -1);
		X509 *x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
		EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

		SSL_CTX_use_certificate(ctx, x);
		SSL_CTX_use_PrivateKey(ctx, k);
		X509_free(x);
		EVP_PKEY_free(k);
		BIO_free(cert);
		BIO_free(key);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	ok = SSL_connect(ssl) > 0 && SSL_write(ssl, "\0\0\0\1x", 5) > 0 &&
	     SSL_read(ssl, buf, 1) > 0;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return ok;
}

static void wants_certificate_and_tls13(void **state)
{
	struct server s = { 0 };

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* for OpenSSL's own socket in foreign_client */
	server_start(&s, identity(&ca, &b));
	assert_false(foreign_client(s.port, TLS1_3_VERSION, false));
	server_end(&s);
	assert_int_equal(s.result, -EACCES);
	assert_non_null(strstr(s.f.text, "no certificate"));
	s = (struct server){ 0 };
	server_start(&s, identity(&ca, &b));
	assert_false(foreign_client(s.port, TLS1_2_VERSION, true));
	server_end(&s);
	assert_int_equal(s.result, -EPROTO);
	assert_int_equal(s.calls, 0);
	s = (struct server){ 0 };
	server_start(&s, identity(&ca, &b));
	assert_true(foreign_client(s.port, TLS1_3_VERSION, true));
	server_end(&s);
	assert_int_equal(s.result, 0);
	signal(SIGPIPE, SIG_DFL);
}

/* Peers that speak no TLS, or none to the end. They are scripts: what to send, and then. */
struct script {
	const char *send;
	size_t len;
	enum { CLOSE, SILENCE, FOREVER, DRIP } then;
	int expect;
};

static const struct script scripts[] = {
	{ "", 0, SILENCE, -ETIMEDOUT },
	{ "", 0, CLOSE, -EPROTO },
	{ "HTTP/1.1 400 Bad Request\r\n\r\n", 28, CLOSE, -EPROTO },
	{ "SSH-2.0-OpenSSH_9.2\r\n", 21, SILENCE, -EPROTO },
	{ "\x16\x03\x03\x00\x50\x02", 6, SILENCE, -ETIMEDOUT },
	{ "\x16\x03\x03\x00\x50\x02", 6, CLOSE, -EPROTO },
	{ "\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", 9, FOREVER, -EPROTO },
	{ "\x15\x03\x03\x00\x02\x02\x28", 7, CLOSE, -EPROTO },
	{ "\x16\x03\x03\x00\x50\x02", 6, DRIP, -ETIMEDOUT },
};

struct rogue {
	const struct script *script;
	int fd; /* a listener, or a connected socket */
	bool stop;
};

static void *act(void *user)
{
	struct rogue *g = user;
	const struct script *c = g->script;
	char junk[4096];
	int n = 0;

	send(g->fd, c->send, c->len, MSG_NOSIGNAL);
	memset(junk, 7, sizeof junk);
	while (c->then != CLOSE && !__atomic_load_n(&g->stop, __ATOMIC_SEQ_CST)) {
		if (c->then == FOREVER)
			n = (int)send(g->fd, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (c->then == DRIP)
			n = (int)send(g->fd, junk, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		timer_sleep(c->then == FOREVER && n > 0 ? 0 : 10);
	}
	/* all that came is read, so that the end is a FIN and not a reset */
	shutdown(g->fd, SHUT_WR);
	while (recv(g->fd, junk, sizeof junk, MSG_DONTWAIT) > 0)
		;
	close(g->fd);
	return NULL;
}

static void *act_as_server(void *user)
{
	struct rogue *g = user;
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	struct rogue peer = *g;

	poll(&p, 1, 5000);
	g->fd = accept(g->fd, NULL, NULL);
	close(peer.fd);
	return act(g);
}

static void bears_hostile_servers(void **state)
{
	_tls_ struct tls *client = identity(&ca, &a);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		_str_ struct str answer = { 0 };
		struct fault f = { 0 };
		struct rogue g = { .script = &scripts[i], .fd = tls_listen("127.0.0.1", 0, &f) };
		int port = port_of(g.fd), r;
		int64_t before = timer_now();
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, act_as_server, &g), 0);
		r = tls_ask(client, "127.0.0.1", port, "b", "x", 1, LIMIT, &answer, &f);
		assert_in_range(timer_now() - before, 0, LATE);
		__atomic_store_n(&g.stop, true, __ATOMIC_SEQ_CST);
		pthread_join(thread, NULL);
		if (r != scripts[i].expect)
			fail_msg("script %zu: %d %s", i, r, f.text);
		assert_int_equal(answer.len, 0);
	}
}

static void bears_hostile_clients(void **state)
{
	_tls_ struct tls *server = identity(&ca, &b);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct server s = { 0 };
		struct rogue g = { .script = &scripts[i] };
		struct sockaddr_in to = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int64_t before = timer_now();
		pthread_t thread;

		server_start(&s, identity(&ca, &b));
		to.sin_port = htons((uint16_t)s.port);
		g.fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(g.fd, (struct sockaddr *)&to, sizeof to), 0);
		assert_int_equal(pthread_create(&thread, NULL, act, &g), 0);
		server_end(&s);
		assert_in_range(timer_now() - before, 0, LATE);
		__atomic_store_n(&g.stop, true, __ATOMIC_SEQ_CST);
		pthread_join(thread, NULL);
		assert_true(s.result == -EPROTO || s.result == -ETIMEDOUT);
		assert_int_equal(s.calls, 0);
	}
}

/* A genuine node that has gone mad: verified, and then lengths and bytes at will. */
struct mad {
	const char *send;
	size_t len;
	bool close;
	int expect;
};

static void *mad_server(void *user)
{
	struct rogue *g = user;
	const struct mad *m = (const void *)g->script;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *cert = BIO_new_mem_buf(b.cert.p, -1), *key = BIO_new_mem_buf(b.key.p, -1);
	X509 *x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	int fd = poll(&p, 1, 5000) == 1 ? accept(g->fd, NULL, NULL) : -1;
	SSL *ssl = SSL_new(ctx);
	char buf[64];

	SSL_use_certificate(ssl, x);
	SSL_use_PrivateKey(ssl, k);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) > 0 && SSL_read(ssl, buf, sizeof buf) > 0) {
		if (m->len)
			SSL_write(ssl, m->send, (int)m->len);
		while (!m->close && !__atomic_load_n(&g->stop, __ATOMIC_SEQ_CST))
			timer_sleep(5);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	X509_free(x);
	EVP_PKEY_free(k);
	BIO_free(cert);
	BIO_free(key);
	close(fd);
	return NULL;
}

static void bears_mad_members(void **state)
{
	static const struct mad cases[] = {
		{ "", 0, false, -ETIMEDOUT },
		{ "", 0, true, -EPROTO },
		{ "\0\0", 2, false, -ETIMEDOUT },
		{ "\0\0", 2, true, -EPROTO },
		{ "\0\0\0\5he", 6, false, -ETIMEDOUT },
		{ "\0\0\0\5he", 6, true, -EPROTO },
		{ "\xff\xff\xff\xffhe", 6, false, -EPROTO },
		{ "\0\1\0\1he", 6, false, -EPROTO }, /* one more than allowed */
		{ "\0\0\0\2he and much more", 20, false, 0 },
	};
	_tls_ struct tls *client = identity(&ca, &a);

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* for OpenSSL's own socket in mad_server */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_str_ struct str answer = { 0 };
		struct fault f = { 0 };
		struct rogue g = { .script = (const void *)&cases[i],
				   .fd = tls_listen("127.0.0.1", 0, &f) };
		int port = port_of(g.fd), r;
		int64_t before = timer_now();
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, mad_server, &g), 0);
		r = tls_ask(client, "127.0.0.1", port, "b", "x", 1, LIMIT, &answer, &f);
		assert_in_range(timer_now() - before, 0, LATE);
		__atomic_store_n(&g.stop, true, __ATOMIC_SEQ_CST);
		pthread_join(thread, NULL);
		close(g.fd);
		if (r != cases[i].expect)
			fail_msg("case %zu: %d %s", i, r, f.text);
		assert_string_equal(str_text(&answer), r ? "" : "he");
	}
	signal(SIGPIPE, SIG_DFL);
}

/* A peer that vanishes while we write raises no SIGPIPE: the default action would end this test. */
static void no_sigpipe(void **state)
{
	_tls_ struct tls *client = identity(&ca, &stranger);
	_free_ char *big = mem_alloc(TLS_MESSAGE_MAX);
	_str_ struct str answer = { 0 };

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	for (int i = 0; i < 20; i++) {
		struct server s = { 0 };
		struct fault f = { 0 };

		assert_int_equal(
			ask(&s, identity(&ca, &b), client, "b", big, TLS_MESSAGE_MAX, &answer, &f),
			-EACCES);
	}
}

static void tells_why_it_cannot_connect(void **state)
{
	_tls_ struct tls *client = identity(&ca, &a);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_fd_ int closed = socket(AF_INET, SOCK_STREAM, 0);
	_str_ struct str answer = { 0 };
	struct fault f = { 0 };
	int64_t before;

	(void)state;
	assert_int_equal(bind(closed, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(
		tls_ask(client, "127.0.0.1", port_of(closed), "b", "x", 1, 1000, &answer, &f),
		-ECONNREFUSED);
	assert_non_null(strstr(f.text, "127.0.0.1 port "));
	assert_int_equal(tls_ask(client, "node-b", 1, "b", "x", 1, 1000, &answer, &f), -EINVAL);
	assert_int_equal(tls_ask(client, "255.255.255.255", 1, "b", "x", 1, 1000, &answer, &f),
			 -EHOSTUNREACH);
	/* a full queue: packets go unanswered */
	assert_int_equal(listen(closed, 0), 0);
	at.sin_port = htons((uint16_t)port_of(closed));
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		(void)!connect(fd, (struct sockaddr *)&at, sizeof at);
	}
	before = timer_now();
	assert_int_equal(
		tls_ask(client, "127.0.0.1", port_of(closed), "b", "x", 1, 200, &answer, &f),
		-ETIMEDOUT);
	assert_in_range(timer_now() - before, 190, LATE);
}

static void listens(void **state)
{
	_tls_ struct tls *server = identity(&ca, &b);
	struct fault f = { 0 };
	_fd_ int one = tls_listen("127.0.0.1", 0, &f), six = tls_listen("::1", 0, &f);

	(void)state;
	assert_true(one >= 0);
	assert_int_equal(tls_serve_one(server, one, 100, handle, NULL, &f), -EAGAIN);
	assert_int_equal(tls_listen("127.0.0.1", port_of(one), &f), -EADDRINUSE);
	assert_non_null(strstr(f.text, "127.0.0.1"));
	assert_int_equal(tls_listen("192.0.2.77", 0, &f), -EADDRNOTAVAIL);
	assert_int_equal(tls_listen("localhost", 0, &f), -EINVAL);
}

static void refuses_bad_identities(void **state)
{
	struct fault f = { 0 };
	struct tls *t = NULL;

	(void)state;
	assert_int_equal(tls_new(ca.cert.p, a.cert.p, b.key.p, &t, &f), -EINVAL);
	assert_int_equal(tls_new("", a.cert.p, a.key.p, &t, &f), -EINVAL);
	assert_int_equal(tls_new(ca.cert.p, "", a.key.p, &t, &f), -EINVAL);
	assert_int_equal(tls_new(ca.cert.p, a.cert.p, "", &t, &f), -EINVAL);
	assert_null(t);
	tls_freep(&t);
}

static int setup(void **state)
{
	(void)state;
	ca = pki_make("ca", NULL, true, 3650);
	other_ca = pki_make("ca", NULL, true, 3650);
	a = pki_make("a", &ca, false, 30);
	b = pki_make("b", &ca, false, 30);
	stranger = pki_make("b", &other_ca, false, 30);
	expired = pki_make("b", &ca, false, 0);
	timer_sleep(1100); /* until "0 days" are over */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&a);
	pki_free(&b);
	pki_free(&stranger);
	pki_free(&expired);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(refuses_large_messages),
		cmocka_unit_test(handler_may_refuse),
		cmocka_unit_test(refuses_strangers),
		cmocka_unit_test(wants_certificate_and_tls13),
		cmocka_unit_test(bears_hostile_servers),
		cmocka_unit_test(bears_hostile_clients),
		cmocka_unit_test(bears_mad_members),
		cmocka_unit_test(no_sigpipe),
		cmocka_unit_test(tells_why_it_cannot_connect),
		cmocka_unit_test(listens),
		cmocka_unit_test(refuses_bad_identities),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
