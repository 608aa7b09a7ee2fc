/* See tls.h. A connection is non-blocking and carries one deadline over connect, handshake, request
 * and answer: whatever a peer does or does not do, the caller has its thread back in time. */
#include "lib/tls.h"

#include "lib/crypto_openssl.h"
#include "lib/fs.h"
#include "lib/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 16

struct tls {
	SSL_CTX *ctx;
	BIO_METHOD *bio;
};

struct conn {
	int fd;
	SSL *ssl;
	int64_t until; /* timer_now */
	char who[64];  /* the peer's address, for messages */
};
#define _conn_ _cleanup_(conn_close)

static void conn_close(struct conn *c)
{
	SSL_free(c->ssl);
	fd_closep(&c->fd);
	ERR_clear_error();
}

/* OpenSSL's own socket BIO writes with write(2): a peer that went away would kill the program by
 * SIGPIPE. A library has no business changing the process's signals, so these send with
 * MSG_NOSIGNAL. */
static int bio_write(BIO *b, const char *data, int len)
{
	ssize_t n = send((int)(intptr_t)BIO_get_data(b), data, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)n;
}

static int bio_read(BIO *b, char *data, int len)
{
	ssize_t n = recv((int)(intptr_t)BIO_get_data(b), data, (size_t)len, 0);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static int use_identity(SSL_CTX *ctx, const char *ca_pem, const char *cert_pem, const char *key_pem,
			struct fault *f)
{
	_certs_ STACK_OF(X509) *cas = NULL, *chain = NULL;
	_key_ EVP_PKEY *key = NULL;
	int ok;

	if (ossl_certs_read(ca_pem, &cas, f) < 0 || ossl_certs_read(cert_pem, &chain, f) < 0 ||
	    ossl_key_read(key_pem, &key, f) < 0)
		return -EINVAL;
	ok = SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) &&
	     SSL_CTX_use_PrivateKey(ctx, key);
	for (int i = 1; ok && i < sk_X509_num(chain); i++)
		ok = SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i));
	for (int i = 0; ok && i < sk_X509_num(cas); i++)
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), sk_X509_value(cas, i));
	return ok ? 0 : ossl_fault(f, EINVAL, "certificate and key");
}

int tls_new(const char *ca_pem, const char *cert_pem, const char *key_pem, struct tls **ret,
	    struct fault *f)
{
	_tls_ struct tls *t = mem_alloc(sizeof *t);
	int r;

	t->ctx = SSL_CTX_new(TLS_method());
	t->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
	if (!t->ctx || !t->bio || !BIO_meth_set_write(t->bio, bio_write) ||
	    !BIO_meth_set_read(t->bio, bio_read) || !BIO_meth_set_ctrl(t->bio, bio_ctrl) ||
	    !SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION))
		return ossl_fault(f, EIO, "TLS");
	/* Each message is a connection of its own: a resumed session would skip the
	 * certificates. */
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	r = use_identity(t->ctx, ca_pem, cert_pem, key_pem, f);
	if (r < 0) {
		fault_wrap(f, "TLS identity");
		return r;
	}
	*ret = TAKE_PTR(t);
	return 0;
}

void tls_freep(struct tls **t)
{
	if (!*t)
		return;
	SSL_CTX_free((*t)->ctx);
	BIO_meth_free((*t)->bio);
	free(*t);
	*t = NULL;
}

static int conn_wait(struct conn *c, short events, const char *doing, struct fault *f)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		int64_t left = c->until - timer_now();
		int n;

		if (left <= 0)
			return fault_set(f, ETIMEDOUT, "%s: no answer in time (%s)", c->who, doing);
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fault_errno(f, "%s: poll", c->who);
	}
}

/* The alerts by which a peer says that it does not accept our certificate. With TLS 1.3 they come
 * after our own handshake has ended, in the place of the answer. */
static bool refused_us(unsigned long e)
{
	switch (ERR_GET_REASON(e)) {
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return ERR_GET_LIB(e) == ERR_LIB_SSL;
	default:
		return false;
	}
}

static int conn_fault(struct conn *c, int error, const char *doing, struct fault *f)
{
	unsigned long e = ERR_peek_error();

	if (error == SSL_ERROR_SYSCALL && !e && errno)
		return fault_set(f, EPROTO, "%s: connection broken (%s): %s", c->who, doing,
				 strerror(errno));
	if (error != SSL_ERROR_SSL)
		return fault_set(f, EPROTO, "%s: closed the connection (%s)", c->who, doing);
	if (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return fault_set(f, EACCES, "%s: its certificate is not accepted: %s", c->who,
				 ossl_verify_text(SSL_get_verify_result(c->ssl)));
	if (ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return ossl_fault(f, EACCES, "%s: showed no certificate", c->who);
	if (refused_us(e))
		return ossl_fault(f, EACCES, "%s: does not accept our certificate", c->who);
	return ossl_fault(f, EPROTO, "%s: TLS broken (%s)", c->who, doing);
}

/* One step of OpenSSL's, repeated until it is done. LEN is that of a whole read or write. */
enum io { HANDSHAKE, READ, WRITE };
static int conn_do(struct conn *c, enum io what, void *data, size_t len, struct fault *f)
{
	static const char *const doing[] = { "handshake", "read", "write" };

	for (size_t done = 0;;) {
		size_t n = 0;
		int ok, error, r;

		ERR_clear_error();
		errno = 0;
		if (what == HANDSHAKE)
			ok = SSL_do_handshake(c->ssl);
		else if (what == READ)
			ok = SSL_read_ex(c->ssl, (char *)data + done, len - done, &n);
		else
			ok = SSL_write_ex(c->ssl, data, len, &n);
		done += n;
		if (ok > 0 && done >= len)
			return 0;
		error = ok > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, ok);
		if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
		    error != SSL_ERROR_WANT_WRITE)
			return conn_fault(c, error, doing[what], f);
		if (error == SSL_ERROR_NONE && timer_now() < c->until)
			continue;
		r = conn_wait(c, error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, doing[what], f);
		if (r < 0)
			return r;
	}
}

/* Handshake, and the common name of the verified peer. */
static int conn_start(struct conn *c, const struct tls *t, bool server, char peer[128],
		      struct fault *f)
{
	BIO *bio = BIO_new(t->bio);
	_cert_ X509 *cert = NULL;
	int r;

	c->ssl = SSL_new(t->ctx);
	if (!bio || !c->ssl) {
		BIO_free(bio);
		return ossl_fault(f, EIO, "TLS");
	}
	BIO_set_data(bio, (void *)(intptr_t)c->fd);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	if (server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	r = conn_do(c, HANDSHAKE, NULL, 0, f);
	if (r < 0)
		return r;
	cert = SSL_get1_peer_certificate(c->ssl);
	if (!cert || ossl_common_name(cert, peer, NULL) < 0 || !*peer)
		return fault_set(f, EACCES, "%s: its certificate has no usable name", c->who);
	return 0;
}

static int send_message(struct conn *c, const char *text, size_t len, struct fault *f)
{
	uint32_t head = htonl((uint32_t)len);
	_str_ struct str out = { 0 };

	str_add_n(&out, &head, sizeof head);
	str_add_n(&out, text, len);
	return conn_do(c, WRITE, out.p, out.len, f);
}

static int receive_message(struct conn *c, struct str *text, struct fault *f)
{
	_free_ char *buf = NULL;
	uint32_t len;
	int r = conn_do(c, READ, &len, sizeof len, f);

	if (r < 0)
		return r;
	len = ntohl(len);
	if (len > TLS_MESSAGE_MAX)
		return fault_set(f, EPROTO, "%s: a message of %u bytes, allowed are %d", c->who,
				 len, TLS_MESSAGE_MAX);
	buf = mem_alloc(len);
	r = len ? conn_do(c, READ, buf, len, f) : 0;
	if (r >= 0)
		str_add_n(text, buf, len);
	return r;
}

static socklen_t to_sockaddr(const char *address, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return sizeof *v6;
	}
	return 0;
}

/* A firewall's refusal is an unreachable host: -EACCES means a certificate here. */
static int connect_errno(int e)
{
	return e == EACCES || e == EPERM || e == ENETUNREACH ? EHOSTUNREACH : e;
}

static int conn_open(struct conn *c, const char *address, int port, struct fault *f)
{
	struct sockaddr_storage to;
	socklen_t n = to_sockaddr(address, port, &to), size = sizeof(int);
	int e, r;

	if (!n)
		return fault_set(f, EINVAL, "%s: not an IP address", address);
	c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return fault_errno(f, "socket");
	e = connect(c->fd, (struct sockaddr *)&to, n) < 0 ? errno : 0;
	if (e == EINPROGRESS) {
		r = conn_wait(c, POLLOUT, "connect", f);
		if (r < 0)
			return r;
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
			e = errno;
	}
	return e ? fault_set(f, connect_errno(e), "%s: %s", c->who, strerror(e)) : 0;
}

int tls_ask(struct tls *t, const char *address, int port, const char *peer, const char *request,
	    size_t len, int timeout_ms, struct str *answer, struct fault *f)
{
	_conn_ struct conn c = { .fd = -1, .until = timer_now() + timeout_ms };
	char name[128];
	int r;

	snprintf(c.who, sizeof c.who, "%s port %d", address, port);
	if (len > TLS_MESSAGE_MAX)
		return fault_set(f, EMSGSIZE, "%s: a request of %zu bytes, allowed are %d", c.who,
				 len, TLS_MESSAGE_MAX);
	r = conn_open(&c, address, port, f);
	if (r >= 0)
		r = conn_start(&c, t, false, name, f);
	if (r < 0)
		return r;
	if (!str_eq(name, peer))
		return fault_set(f, EACCES, "%s: calls itself '%s', not '%s'", c.who, name, peer);
	r = send_message(&c, request, len, f);
	/* A peer that refuses our certificate closes while we write; its reason is still
	 * readable. */
	if (r >= 0 || r == -EPROTO)
		r = receive_message(&c, answer, f);
	if (r >= 0)
		SSL_shutdown(c.ssl);
	return r;
}

int tls_listen(const char *address, int port, struct fault *f)
{
	struct sockaddr_storage at;
	socklen_t n = to_sockaddr(address, port, &at);
	_fd_ int fd = -1;
	int one = 1;

	if (!n)
		return fault_set(f, EINVAL, "%s: not an IP address", address);
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, BACKLOG) < 0)
		return fault_errno(f, "listen on %s port %d", address, port);
	return fd_take(&fd);
}

int tls_serve_one(struct tls *t, int listener, int timeout_ms,
		  int (*handler)(void *user, const char *peer, const char *request, size_t len,
				 struct str *answer),
		  void *user, struct fault *f)
{
	_conn_ struct conn c = { .fd = -1, .until = timer_now() + timeout_ms };
	_str_ struct str request = { 0 }, answer = { 0 };
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof from;
	char peer[128];
	int r;

	c.fd = accept4(listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c.fd < 0 && (errno == ECONNABORTED || errno == EINTR))
		errno = EAGAIN;
	if (c.fd < 0)
		return fault_errno(f, "accept");
	inet_ntop(from.ss_family,
		  from.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&from)->sin6_addr
					     : (void *)&((struct sockaddr_in *)&from)->sin_addr,
		  c.who, sizeof c.who);
	r = conn_start(&c, t, true, peer, f);
	if (r >= 0)
		r = receive_message(&c, &request, f);
	if (r < 0)
		return r;
	r = handler(user, peer, str_text(&request), request.len, &answer);
	if (r < 0)
		return fault_set(f, -r, "%s: the request of '%s' was refused", c.who, peer);
	c.until = timer_now() + timeout_ms; /* the handler's time is not the peer's */
	if (answer.len > TLS_MESSAGE_MAX)
		return fault_set(f, EMSGSIZE, "%s: an answer of %zu bytes, allowed are %d", c.who,
				 answer.len, TLS_MESSAGE_MAX);
	r = send_message(&c, str_text(&answer), answer.len, f);
	if (r >= 0)
		SSL_shutdown(c.ssl);
	return r;
}
