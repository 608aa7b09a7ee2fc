/* Another node for the tests of `cluster`: a member of a cluster that is up, as far as a node that
 * wants to join can see.
 *   member SEED ID FOLDER   for the node of that seed, on its address, for ever: says on the node
 *                           exchange that it is a voter of cluster ID, and serves K3s's port from
 *                           FOLDER: a GET of /a/b is FOLDER/a/b, or 404 as is everything else; a
 *                           line for each request on standard output, after "ready",
 *                           and for each operator's word that it is given */
#include "tests/double/node.h"

#include <errno.h>

#define ABSENT "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"not found\"}"

struct member {
	struct double_node is;
	const char *id;
	struct fs folder;
};

/* An operator's word is taken from the node itself, and shown. */
static bool take_word(const struct member *m, const char *peer, const struct ask *ask)
{
	_str_ struct str what = { 0 };

	if (ask->kind != ASK_WORD || !str_eq(peer, double_self(&m->is)->name))
		return false;
	for (int i = 0; i < NODE_COUNT; i++)
		if (ask->nodes[i])
			str_addf(&what, " %s", m->is.seed->config->nodes[i].name);
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
	struct answer out = { 0 };
	struct node_view *v = &out.view;
	struct ask ask;

	if (ask_parse(request, len, &ask, NULL) < 0)
		return -EPROTO;
	double_member(&m->is, &out);
	out.granted = take_word(m, peer, &ask);
	snprintf(v->cluster, sizeof v->cluster, "%s", m->id);
	v->self = 2;
	v->voters[v->n_voters++] = (struct voter){ m->is.seed->self, 2 };
	v->voters[v->n_voters++] = (struct voter){ NODE_COUNT - 1, 3 };
	answer_print(&out, answer);
	return 0;
}

static void serve(void *user, SSL *ssl)
{
	const struct member *m = user;
	_str_ struct str body = { 0 };
	char request[16384] = "", method[16], target[1024];
	bool found;

	if (SSL_read(ssl, request, sizeof request - 1) <= 0 ||
	    sscanf(request, "%15s %1023s", method, target) != 2)
		return;
	target[strcspn(target, "?")] = 0;
	found = str_eq(method, "GET") && fs_read(&m->folder, target, 1 << 20, &body, NULL) == 0;
	printf("%s %s %s\n", method, target, found ? "200" : "404");
	fflush(stdout);
	if (!found)
		str_add(&body, ABSENT);
	double_respond(ssl, found ? "200 OK" : "404 Not Found", body.p, body.len);
}

int main(int argc, char **argv)
{
	static struct member m = { .is = { .tell = tell, .user = &m }, .folder.fd = -1 };
	struct fault f = { 0 };

	must(argc == 4, "see the first lines of tests/steps/member.c", NULL);
	m.id = argv[2];
	must(fs_open(&m.folder, argv[3], &f) == 0, argv[3], &f);
	double_start(&m.is, argv[1]);
	double_serve(&m.is, serve, &m);
}
