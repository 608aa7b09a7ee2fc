/* See pxe_cluster.h. */
#include "image/pxe_cluster.h"

#include "firstboot/status_remote.h"
#include "lib/log.h"

#include <errno.h>

static const struct json *row(const struct json *status, const char *name)
{
	const struct json *nodes = json_get(status, "nodes", NULL);

	for (size_t i = 0; i < json_len(nodes); i++)
		if (str_eq(json_str(json_at(nodes, i), "name"), name))
			return json_at(nodes, i);
	return NULL;
}

static bool names(const struct json *list, const char *name)
{
	for (size_t i = 0; i < json_len(list); i++)
		if (str_eq(json_string(json_at(list, i)), name))
			return true;
	return false;
}

/* A voter in its described state, by its own word, together with the others of those that stay. */
static bool is_well(const struct json *node, const struct cluster_config *c, int without)
{
	if (!str_eq(json_str(node, "state"), "member") ||
	    !str_eq(json_string(json_get(node, "progress", "state", NULL)), "ready"))
		return false;
	for (int i = 0; i < NODE_COUNT; i++)
		if (i != without && !names(json_get(node, "voters", NULL), c->nodes[i].name))
			return false;
	return true;
}

int pxe_cluster_can_spare(const struct json *status, const struct cluster_config *c, int i,
			  const char *dir, struct fault *f)
{
	for (int k = 0; k < NODE_COUNT; k++)
		if (k != i && !is_well(row(status, c->nodes[k].name), c, i))
			return fault_set(f, EPERM,
					 "%s is not well, and %s is renewed only while the two "
					 "others are healthy voters; see phoenix status %s",
					 c->nodes[k].name, c->nodes[i].name, dir);
	return 0;
}

/* Of a node that answers as a member nothing is erased by the word for blank machines. */
static int nobody_runs(const struct json *status, const struct cluster_config *c, struct fault *f)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (str_eq(json_str(row(status, c->nodes[i].name), "state"), "member"))
			return fault_set(
				f, EPERM,
				"%s is a member of a running cluster: --erase is for "
				"machines that are in none. --wipe NODE renews a node of it",
				c->nodes[i].name);
	return 0;
}

int pxe_cluster_check(const struct pxe_plan *p, struct fault *f)
{
	const struct pxe_request *q = &p->request;
	const struct cluster_config *c = p->folder.config;
	_json_ struct json *status = NULL;
	struct fault first = { 0 };
	int r;

	if (!q->reinstall.n && !q->wipe.n && !q->erase.n)
		return 0;
	r = status_ask(q->dir, &status, f);
	if (r < 0 || q->erase.n)
		return r < 0 ? r : nobody_runs(status, c, f);
	for (int i = 0; i < NODE_COUNT; i++) {
		struct fault why = { 0 };

		if (!p->nodes.v[i].renew)
			continue;
		if (pxe_cluster_can_spare(status, c, i, q->dir, &why) < 0) {
			first = first.code ? first : why;
			continue;
		}
		if (!is_well(row(status, c->nodes[i].name), c, -1))
			log_warn("%s is not well itself; the others are, so it is renewed",
				 c->nodes[i].name);
		return 0;
	}
	*f = first;
	return -f->code;
}

void pxe_cluster_answer(struct pxe_plan *p)
{
	_json_ struct json *status = NULL;
	struct fault why = { 0 };
	int i = pxe_asked(&p->nodes), r;

	if (i < 0)
		return;
	r = status_ask(p->request.dir, &status, &why);
	if (r >= 0)
		r = pxe_cluster_can_spare(status, p->folder.config, i, p->request.dir, &why);
	pxe_judge(&p->nodes, i, r < 0 ? why.text : NULL);
}
