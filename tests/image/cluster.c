/* A cluster of three for the test of `phoenix flash --self`, on three addresses of one machine:
 *   cluster SEEDS FOLDER   for the nodes whose seeds are SEEDS/NODE/phoenix-seed.yaml, for ever: each
 *                          says on the node exchange that it is one of three voters and ready, but
 *                          for the one whose name is in FOLDER/not-well; the first one serves K3s's
 *                          port, with one object, the Lease, which is also in FOLDER/lease. "ready"
 *                          on standard output when all of it listens */
#include "tests/double/node.h"

#include <errno.h>

#define ABSENT \
	"{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"not found\"}"

struct node {
	struct double_node is;
	const struct fs *folder;
};

static bool is_well(const struct node *n)
{
	_str_ struct str text = { 0 };

	return fs_read(n->folder, "not-well", 4096, &text, NULL) < 0 || !text.len ||
	       !str_eq(str_trim(text.p), double_self(&n->is)->name);
}

static int tell(void *user, const char *peer, const char *request, size_t len, struct str *answer)
{
	const struct node *n = user;
	_answer_ struct answer out = { .status = json_object() };
	struct node_view *v = &out.view;
	struct ask ask;

	(void)peer;
	if (ask_parse(request, len, &ask, NULL) < 0)
		return -EPROTO;
	double_member(&n->is, &out);
	snprintf(v->cluster, sizeof v->cluster, "11111111111111111111111111111111");
	v->self = (uint64_t)n->is.seed->self + 1;
	for (int i = 0; i < NODE_COUNT; i++)
		v->voters[v->n_voters++] = (struct voter){ i, (uint64_t)i + 1 };
	json_set_str(out.status, "state", is_well(n) ? "ready" : "waiting");
	answer_print(&out, answer);
	return 0;
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

static void serve(void *user, SSL *ssl)
{
	const struct fs *folder = user;
	char request[16384] = "", method[16];
	_str_ struct str body = { 0 };
	bool found = true;

	if (!receive(ssl, request, sizeof request) || sscanf(request, "%15s", method) != 1)
		return;
	if (!str_eq(method, "GET"))
		store(folder, strstr(request, "\r\n\r\n") + 4, &body);
	else
		found = fs_read(folder, "lease", 65536, &body, NULL) >= 0;
	if (!found)
		str_add(&body, ABSENT);
	double_respond(ssl, found ? "200 OK" : "404 Not Found", body.p, body.len);
}

int main(int argc, char **argv)
{
	static const char *const names[NODE_COUNT] = { "phoenix-a", "phoenix-b", "phoenix-c" };
	static struct node nodes[NODE_COUNT];
	_fs_ struct fs folder = { .fd = -1 };
	struct fault f = { 0 };

	must(argc == 3, "see the first lines of tests/image/cluster.c", NULL);
	must(fs_open(&folder, argv[2], &f) == 0, argv[2], &f);
	for (int i = 0; i < NODE_COUNT; i++) {
		_free_ char *path = mem_printf("%s/%s/" SEED_FILE, argv[1], names[i]);

		nodes[i] = (struct node){ .is = { .tell = tell, .user = &nodes[i] },
					  .folder = &folder };
		double_start(&nodes[i].is, path);
	}
	double_serve(&nodes[0].is, serve, &folder);
}
