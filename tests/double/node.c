/* See node.h. */
#include "tests/double/node.h"

#include "firstboot/paths.h"
#include "lib/crypto.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 2000 /* ms */

void must(bool ok, const char *what, const struct fault *f)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, f ? ": " : "",
		f ? f->text : "");
	exit(2);
}

const struct node_config *double_self(const struct double_node *n)
{
	return &n->seed->config->nodes[n->seed->self];
}

void double_member(const struct double_node *n, struct answer *out)
{
	out->same = true;
	snprintf(out->node, sizeof out->node, "%s", double_self(n)->name);
	memcpy(out->digest, n->seed->config->digest, sizeof out->digest);
	out->view.answered = true;
	out->view.state = NODE_MEMBER;
	out->view.promise.node = -1;
	out->view.generation = 1;
}

static void *exchange(void *arg)
{
	struct double_node *n = arg;

	for (;;) {
		struct pollfd p = { n->listener, POLLIN, 0 };
		struct fault f = { 0 };

		poll(&p, 1, -1);
		tls_serve_one(n->exchange, n->listener, LIMIT, n->tell, n->user, &f);
	}
	return NULL;
}

void double_start(struct double_node *n, const char *seed_file)
{
	_fs_ struct fs here = { .fd = -1 };
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };
	const struct secrets *s;
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	must(fs_open(&here, "/", &f) == 0 && fs_read(&here, seed_file, 1 << 20, &text, &f) == 0,
	     seed_file, &f);
	must(seed_parse(seed_file, text.p, text.len, &n->seed, &d) == 0, seed_file, NULL);
	s = n->seed->secrets;
	must(tls_new(s->exchange_ca, s->nodes[n->seed->self].cert, s->nodes[n->seed->self].key,
		     &n->exchange, &f) == 0,
	     "exchange", &f);
	n->listener = tls_listen(double_self(n)->address, EXCHANGE_PORT, &f);
	must(n->listener >= 0 && pthread_create(&thread, NULL, exchange, n) == 0, "exchange", &f);
}

/* K3s's certificate of this node, from the CA in the seed. */
static SSL_CTX *api_new(const struct double_node *n)
{
	const struct secrets *s = n->seed->secrets;
	const char *const addresses[] = { double_self(n)->address, NULL };
	const struct cert_request rq = {
		.common_name = "k3s", .days = 1, .addresses = addresses, .server = true
	};
	_secret_ struct str key = { 0 };
	_secret_ struct str cert = { 0 };
	char path[] = "/tmp/double-XXXXXX";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct fault f = { 0 };
	int fd = mkstemp(path);

	must(crypto_key_new(KEY_PKCS8, &key, &f) == 0 &&
		     crypto_cert_new(&rq, key.p, s->server_ca, s->server_ca_key, &cert, &f) == 0,
	     "certificate", &f);
	str_add(&cert, key.p);
	must(fd >= 0 && write(fd, cert.p, cert.len) == (ssize_t)cert.len, path, NULL);
	must(SSL_CTX_use_certificate_file(ctx, path, SSL_FILETYPE_PEM) == 1 &&
		     SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1,
	     path, NULL);
	close(fd);
	unlink(path);
	return ctx;
}

void double_serve(const struct double_node *n, void (*serve)(void *user, SSL *ssl), void *user)
{
	SSL_CTX *api = api_new(n);
	struct fault f = { 0 };
	int fd = tls_listen(double_self(n)->address, API_PORT, &f);

	must(fd >= 0, "API", &f);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		struct timeval limit = { .tv_sec = LIMIT / 1000 };
		SSL *ssl = SSL_new(api);
		int got;

		poll(&p, 1, -1);
		got = accept(fd, NULL, NULL);
		setsockopt(got, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		SSL_set_fd(ssl, got);
		if (SSL_accept(ssl) == 1)
			serve(user, ssl);
		SSL_free(ssl);
		close(got);
	}
}

void double_respond(SSL *ssl, const char *status, const char *body, size_t len)
{
	_str_ struct str out = { 0 };

	str_addf(&out,
		 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 status, len);
	str_add_n(&out, body, len);
	SSL_write(ssl, out.p, (int)out.len);
	SSL_shutdown(ssl);
}
