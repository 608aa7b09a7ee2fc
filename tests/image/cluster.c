/* A cluster of three for the test of `phoenix flash --self`, on three addresses of one machine:
 *   cluster SEEDS FOLDER   for the nodes whose seeds are SEEDS/NODE/phoenix-seed.yaml, for ever: each
 *                          says on the node exchange that it is one of three voters and ready, but
 *                          for the one whose name is in FOLDER/not-well; the first one serves K3s's
 *                          port, with one object, the Lease, which is also in FOLDER/lease. "ready"
 *                          on standard output when all of it listens */
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
#define ABSENT \
	"{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"not found\"}"

struct node {
	struct seed *seed;
	struct tls *exchange;
	int listener;
	const struct fs *folder;
};

static void must(bool ok, const char *what, const struct fault *f)
{
	if (ok)
		return;
	fprintf(stderr, "cluster: %s%s%s\n", what, f ? ": " : "", f ? f->text : "");
	exit(2);
}

static bool is_well(const struct node *n)
{
	_str_ struct str text = { 0 };

	return fs_read(n->folder, "not-well", 4096, &text, NULL) < 0 || !text.len ||
	       !str_eq(str_trim(text.p), n->seed->config->nodes[n->seed->self].name);
}

static int tell(void *user, const char *peer, const char *request, size_t len, struct str *answer)
{
	const struct node *n = user;
	_answer_ struct answer out = { .same = true, .status = json_object() };
	struct node_view *v = &out.view;
	struct ask ask;

	(void)peer;
	if (ask_parse(request, len, &ask, NULL) < 0)
		return -EPROTO;
	snprintf(out.node, sizeof out.node, "%s", n->seed->config->nodes[n->seed->self].name);
	memcpy(out.digest, n->seed->config->digest, sizeof out.digest);
	v->answered = true;
	v->state = NODE_MEMBER;
	v->promise.node = -1;
	v->generation = 1;
	snprintf(v->cluster, sizeof v->cluster, "11111111111111111111111111111111");
	v->self = (uint64_t)n->seed->self + 1;
	for (int i = 0; i < NODE_COUNT; i++)
		v->voters[v->n_voters++] = (struct voter){ i, (uint64_t)i + 1 };
	json_set_str(out.status, "state", is_well(n) ? "ready" : "waiting");
	answer_print(&out, answer);
	return 0;
}

static void *exchange(void *arg)
{
	struct node *n = arg;

	for (;;) {
		struct pollfd p = { n->listener, POLLIN, 0 };
		struct fault f = { 0 };

		poll(&p, 1, -1);
		tls_serve_one(n->exchange, n->listener, LIMIT, tell, n, &f);
	}
	return NULL;
}

static void node_start(struct node *n, const char *path, const struct fs *folder)
{
	_fs_ struct fs here = { .fd = -1 };
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };
	const struct secrets *s;
	pthread_t thread;

	must(fs_open(&here, "/", &f) == 0 && fs_read(&here, path, 1 << 20, &text, &f) == 0, path,
	     &f);
	must(seed_parse(path, text.p, text.len, &n->seed, &d) == 0, path, NULL);
	s = n->seed->secrets;
	n->folder = folder;
	must(tls_new(s->exchange_ca, s->nodes[n->seed->self].cert, s->nodes[n->seed->self].key,
		     &n->exchange, &f) == 0,
	     "exchange", &f);
	n->listener = tls_listen(n->seed->config->nodes[n->seed->self].address, EXCHANGE_PORT, &f);
	must(n->listener >= 0 && pthread_create(&thread, NULL, exchange, n) == 0, "exchange", &f);
}

/* K3s's certificate of this node, from the CA in the seed. */
static SSL_CTX *api_new(const struct node *n)
{
	const struct secrets *s = n->seed->secrets;
	const char *const addresses[] = { n->seed->config->nodes[n->seed->self].address, NULL };
	const struct cert_request rq = {
		.common_name = "k3s", .days = 1, .addresses = addresses, .server = true
	};
	_secret_ struct str key = { 0 };
	_str_ struct str cert = { 0 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *const file = "api.pem";
	_free_ char *path = mem_printf("%s/%s", n->folder->path, file);
	struct fault f = { 0 };

	must(crypto_key_new(KEY_PKCS8, &key, &f) == 0 &&
		     crypto_cert_new(&rq, key.p, s->server_ca, s->server_ca_key, &cert, &f) == 0,
	     "certificate", &f);
	str_add(&cert, key.p);
	must(fs_write(n->folder, file, 0600, cert.p, cert.len, &f) >= 0, file, &f);
	must(SSL_CTX_use_certificate_file(ctx, path, SSL_FILETYPE_PEM) == 1 &&
		     SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1,
	     path, NULL);
	return ctx;
}

/* The object as it is after a write: with another version. */
static void store(const struct fs *folder, const char *text, struct str *body)
{
	static int version;
	_free_ char *now = mem_printf("%d", ++version);
	_json_ struct json *j = NULL;
	struct json *meta;
	struct fault f = { 0 };

	must(json_parse(text, strlen(text), &j, &f) == 0, "what was sent", &f);
	meta = json_copy(json_get(j, "metadata", NULL));
	json_set_str(meta, "resourceVersion", now);
	json_set(j, "metadata", meta);
	json_print(j, 0, body);
	must(fs_write(folder, "lease", 0600, body->p, body->len, &f) >= 0, "lease", &f);
}

/* A whole request, headers and body. */
static bool receive(SSL *ssl, char *text, size_t size)
{
	size_t have = 0;

	for (;;) {
		const char *end = strstr(text, "\r\n\r\n"),
			   *length = strcasestr(text, "content-length:");
		int n;

		if (end &&
		    have >= (size_t)(end + 4 - text) +
				    (length && length < end ? strtoul(length + 15, NULL, 10) : 0))
			return true;
		n = SSL_read(ssl, text + have, (int)(size - 1 - have));
		if (n <= 0)
			return false;
		have += (size_t)n;
		text[have] = '\0';
	}
}

static void serve(const struct fs *folder, SSL *ssl)
{
	char request[16384] = "", method[16];
	_str_ struct str body = { 0 }, out = { 0 };
	const char *status = "200 OK";

	if (!receive(ssl, request, sizeof request) || sscanf(request, "%15s", method) != 1)
		return;
	if (!str_eq(method, "GET"))
		store(folder, strstr(request, "\r\n\r\n") + 4, &body);
	else if (fs_read(folder, "lease", 65536, &body, NULL) < 0) {
		status = "404 Not Found";
		str_add(&body, ABSENT);
	}
	str_addf(&out,
		 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 status, body.len, str_text(&body));
	SSL_write(ssl, out.p, (int)out.len);
	SSL_shutdown(ssl);
}

int main(int argc, char **argv)
{
	static const char *const names[NODE_COUNT] = { "phoenix-a", "phoenix-b", "phoenix-c" };
	static struct node nodes[NODE_COUNT];
	_fs_ struct fs folder = { .fd = -1 };
	struct fault f = { 0 };
	SSL_CTX *api;
	int fd;

	must(argc == 3, "see the first lines of tests/image/cluster.c", NULL);
	must(fs_open(&folder, argv[2], &f) == 0, argv[2], &f);
	for (int i = 0; i < NODE_COUNT; i++) {
		_free_ char *path = mem_printf("%s/%s/" SEED_FILE, argv[1], names[i]);

		node_start(&nodes[i], path, &folder);
	}
	api = api_new(&nodes[0]);
	fd = tls_listen(nodes[0].seed->config->nodes[0].address, API_PORT, &f);
	must(fd >= 0, "API", &f);
	signal(SIGPIPE, SIG_IGN);
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
			serve(&folder, ssl);
		SSL_free(ssl);
		close(got);
	}
}
