/* Another node for the tests of `cluster`: a member of a cluster that is up, as far as a node that
 * wants to join can see.
 *   member SEED ID FOLDER   for the node of that seed, on its address, for ever: says on the node
 *                           exchange that it is a voter of cluster ID, and serves K3s's port from
 *                           FOLDER: a GET of /a/b is FOLDER/a/b, or 404 as is everything else; a
 *                           line for each request on standard output, after "ready",
 *                           and for each operator's word that it is given */
#include "cloud-init/seed.h"
#include "firstboot/exchange.h"
#include "firstboot/paths.h"
#include "lib/crypto.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 2000 /* ms */
#define ABSENT "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"not found\"}"

struct member {
	struct seed *seed;
	const char *id;
	struct fs folder;
	struct tls *exchange;
	int listener;
	SSL_CTX *api;
};

static const struct node_config *self(const struct member *m)
{
	return &m->seed->config->nodes[m->seed->self];
}

static void must(bool ok, const char *what, const struct fault *f)
{
	if (ok)
		return;
	fprintf(stderr, "member: %s%s%s\n", what, f ? ": " : "", f ? f->text : "");
	exit(2);
}

/* An operator's word is taken from the node itself, and shown. */
static bool take_word(const struct member *m, const char *peer, const struct ask *ask)
{
	_str_ struct str what = { 0 };

	if (ask->kind != ASK_WORD || !str_eq(peer, self(m)->name))
		return false;
	for (int i = 0; i < NODE_COUNT; i++)
		if (ask->nodes[i])
			str_addf(&what, " %s", m->seed->config->nodes[i].name);
	if (*ask->formation || *ask->cluster)
		str_addf(&what, " %s%s", ask->formation, ask->cluster);
	printf("word %s%s generation %d\n", ask->word, str_text(&what), ask->generation);
	fflush(stdout);
	return true;
}

/* A voter of two, with the one that is no part of this test. */
static int tell(void *user, const char *peer, const char *request, size_t len, struct str *answer)
{
	const struct member *m = user;
	struct answer out = { .same = true };
	struct node_view *v = &out.view;
	struct ask ask;

	if (ask_parse(request, len, &ask, NULL) < 0)
		return -EPROTO;
	out.granted = take_word(m, peer, &ask);
	snprintf(out.node, sizeof out.node, "%s", self(m)->name);
	memcpy(out.digest, m->seed->config->digest, sizeof out.digest);
	v->answered = true;
	v->state = NODE_MEMBER;
	v->promise.node = -1;
	v->generation = 1;
	snprintf(v->cluster, sizeof v->cluster, "%s", m->id);
	v->self = 2;
	v->voters[v->n_voters++] = (struct voter){ m->seed->self, 2 };
	v->voters[v->n_voters++] = (struct voter){ NODE_COUNT - 1, 3 };
	answer_print(&out, answer);
	return 0;
}

static void *exchange(void *arg)
{
	struct member *m = arg;

	for (;;) {
		struct pollfd p = { m->listener, POLLIN, 0 };
		struct fault f = { 0 };

		poll(&p, 1, -1);
		tls_serve_one(m->exchange, m->listener, LIMIT, tell, m, &f);
	}
	return NULL;
}

/* K3s's certificate of this node, from the CA in the seed. */
static SSL_CTX *api_new(const struct member *m)
{
	const struct secrets *s = m->seed->secrets;
	const char *const addresses[] = { self(m)->address, NULL };
	const struct cert_request rq = {
		.common_name = "k3s", .days = 1, .addresses = addresses, .server = true
	};
	_secret_ struct str key = { 0 };
	_secret_ struct str cert = { 0 };
	char path[] = "/tmp/member-XXXXXX";
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

static void answer(const struct member *m, SSL *ssl)
{
	_str_ struct str body = { 0 }, out = { 0 };
	char request[16384] = "", method[16], target[1024];
	bool found;

	if (SSL_read(ssl, request, sizeof request - 1) <= 0 ||
	    sscanf(request, "%15s %1023s", method, target) != 2)
		return;
	target[strcspn(target, "?")] = 0;
	found = str_eq(method, "GET") && fs_read(&m->folder, target, 1 << 20, &body, NULL) == 0;
	printf("%s %s %s\n", method, target, found ? "200" : "404");
	fflush(stdout);
	str_addf(&out,
		 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 found ? "200 OK" : "404 Not Found", found ? body.len : strlen(ABSENT),
		 found ? str_text(&body) : ABSENT);
	SSL_write(ssl, out.p, (int)out.len);
	SSL_shutdown(ssl);
}

int main(int argc, char **argv)
{
	struct member m = { .id = argc == 4 ? argv[2] : "", .folder.fd = -1 };
	_fs_ struct fs here = { .fd = -1 };
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };
	const struct secrets *s;
	pthread_t thread;
	int fd;

	must(argc == 4, "see the first lines of tests/steps/member.c", NULL);
	must(fs_open(&here, "/", &f) == 0 && fs_read(&here, argv[1], 1 << 20, &text, &f) == 0 &&
		     fs_open(&m.folder, argv[3], &f) == 0,
	     "files", &f);
	must(seed_parse(argv[1], text.p, text.len, &m.seed, &d) == 0, "seed", NULL);
	s = m.seed->secrets;
	must(tls_new(s->exchange_ca, s->nodes[m.seed->self].cert, s->nodes[m.seed->self].key,
		     &m.exchange, &f) == 0,
	     "exchange", &f);
	m.listener = tls_listen(self(&m)->address, EXCHANGE_PORT, &f);
	must(m.listener >= 0, "exchange", &f);
	m.api = api_new(&m);
	fd = tls_listen(self(&m)->address, API_PORT, &f);
	must(fd >= 0, "API", &f);
	signal(SIGPIPE, SIG_IGN);
	puts("ready");
	fflush(stdout);
	must(pthread_create(&thread, NULL, exchange, &m) == 0, "thread", NULL);
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		struct timeval limit = { .tv_sec = LIMIT / 1000 };
		SSL *ssl = SSL_new(m.api);
		int got;

		poll(&p, 1, -1);
		got = accept(fd, NULL, NULL);
		setsockopt(got, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		SSL_set_fd(ssl, got);
		if (SSL_accept(ssl) == 1)
			answer(&m, ssl);
		SSL_free(ssl);
		close(got);
	}
}
