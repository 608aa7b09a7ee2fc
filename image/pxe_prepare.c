/* See pxe_prepare.h. */
#include "image/pxe_prepare.h"

#include "cloud-init/seed_write.h"
#include "firstboot/status_remote.h"
#include "firstboot/status_table.h"
#include "image/layout.h"
#include "image/source.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SEED_IMAGE_MAX (64U << 20)

static bool wanted(const struct pxe_request *q, const char *name)
{
	return (!q->reinstall.n && !q->wipe.n) || strv_has(&q->reinstall, name) ||
	       strv_has(&q->wipe, name);
}

static void check_names(const struct pxe_plan *p, const struct strv *names, const char *option,
			struct diags *d)
{
	const struct node_config *n = p->folder.config->nodes;

	strv_each (name, names)
		if (config_node(p->folder.config, name) < 0)
			diag_add(d, option, 0, 0, NULL,
				 "'%s' is no node of the description; allowed: %s, %s or %s", name,
				 n[0].name, n[1].name, n[2].name);
}

static void check_request(struct pxe_plan *p, struct diags *d)
{
	const struct pxe_request *q = &p->request;
	long port = 0;

	if (!str_to_long(q->port, 1, 65534, &port))
		diag_add(d, "--port", 0, 0, NULL, "'%s'; allowed: 1 to 65534", q->port);
	p->serve.http_port = (int)port;
	p->serve.tls_port = (int)port + 1;
	if (!str_eq(q->dhcp, "full") && !str_eq(q->dhcp, "proxy") && !str_eq(q->dhcp, "none"))
		diag_add(d, "--dhcp", 0, 0, NULL, "'%s'; allowed: full, proxy or none", q->dhcp);
	if (access(p->kernel, R_OK) < 0)
		diag_add(d, p->kernel, 0, 0, NULL, "%s", strerror(errno));
	if (access(p->initrd, R_OK) < 0)
		diag_add(d, p->initrd, 0, 0, NULL, "%s", strerror(errno));
}

/* Whether it is ours, and its sum, which is what the installers go by. */
static int check_image(struct pxe_plan *p, struct fault *f)
{
	_source_ struct source *s = NULL;
	int r = source_open(p->request.image, NULL, &s, f);

	if (r >= 0)
		r = layout_image(&s->table, s->name, f);
	if (r >= 0)
		r = source_end(s, f);
	if (r < 0)
		return r;
	p->nodes.image_size = s->packed;
	memcpy(p->nodes.image_sha256, s->sha256, sizeof s->sha256);
	return 0;
}

/* The state of a node that is renewed is the cluster's business: it must be able to do without. */
static int check_cluster(const struct pxe_plan *p, struct fault *f)
{
	_json_ struct json *j = NULL;
	const struct json *nodes;
	int r;

	if (!p->request.reinstall.n && !p->request.wipe.n)
		return 0;
	r = status_ask(p->request.dir, &j, f);
	if (r < 0)
		return r;
	nodes = json_get(j, "nodes", NULL);
	for (size_t i = 0; i < json_len(nodes); i++)
		if (!status_node_is_well(json_at(nodes, i)))
			return fault_set(f, EPERM,
					 "%s is not well: a node is renewed only while the cluster "
					 "has three healthy voters; see phoenix status %s",
					 json_str(json_at(nodes, i), "name"), p->request.dir);
	return json_len(nodes) == NODE_COUNT
		       ? 0
		       : fault_set(f, EPERM, "the cluster does not tell of three nodes");
}

static int read_seed(struct pxe_plan *p, int i, struct fault *f)
{
	_free_ char *path = mem_printf("%s/seeds/%s.img", p->scratch, p->nodes.v[i].config->name);
	struct pxe_node *n = &p->nodes.v[i];
	_fs_ struct fs fs = { .fd = -1 };
	int r = fs_open(&fs, "/", f);

	if (r >= 0)
		r = fs_read(&fs, path, SEED_IMAGE_MAX, &n->seed, f);
	if (r >= 0)
		crypto_sha256_hex(n->seed.p, n->seed.len, n->seed_sha256);
	return r;
}

/* Seeds of this run; in memory from here on. */
static int make_seeds(struct pxe_plan *p, struct fault *f)
{
	_free_ char *out = mem_printf("%s/seeds", p->scratch);
	const struct strv none = { 0 };
	int r = seed_write_all(&p->folder, out, &none, &none, f);

	for (int i = 0; r >= 0 && i < NODE_COUNT; i++) {
		struct pxe_node *n = &p->nodes.v[i];

		n->config = &p->folder.config->nodes[i];
		n->wanted = wanted(&p->request, n->config->name);
		n->reinstall = strv_has(&p->request.reinstall, n->config->name);
		n->wipe = strv_has(&p->request.wipe, n->config->name);
		r = read_seed(p, i, f);
	}
	proc_do(NULL, "rm", "-rf", out, NULL);
	return r;
}

static int make_scratch(struct pxe_plan *p, struct fault *f)
{
	char folder[] = "/tmp/phoenix-pxe-XXXXXX";

	if (!mkdtemp(folder))
		return fault_errno(f, "%s", folder);
	p->scratch = mem_strdup(folder);
	return 0;
}

int pxe_prepare(struct pxe_plan *p, struct fault *f)
{
	const struct pxe_request *q = &p->request;
	_diags_ struct diags d = { 0 };
	int r;

	pxe_nodes_init(&p->nodes);
	p->kernel = mem_printf("%s.kernel", q->image);
	p->initrd = mem_printf("%s.initrd", q->image);
	r = cluster_folder_read(q->dir, SECRETS_CLUSTER, &p->folder, &d, f);
	if (r < 0)
		return r;
	check_names(p, &q->reinstall, "--reinstall", &d);
	check_names(p, &q->wipe, "--wipe", &d);
	check_request(p, &d);
	if (d.lines.n) {
		diags_print(&d);
		return fault_set(f, EINVAL, "nothing was started");
	}
	p->nodes.fixed = str_eq(q->dhcp, "full");
	p->serve.nodes = &p->nodes;
	p->serve.address = q->address;
	p->serve.image = q->image;
	p->serve.kernel = p->kernel;
	p->serve.initrd = p->initrd;
	r = check_image(p, f);
	if (r >= 0)
		r = check_cluster(p, f);
	if (r >= 0)
		r = make_scratch(p, f);
	return r < 0 ? r : make_seeds(p, f);
}

void pxe_plan_free(struct pxe_plan *p)
{
	pxe_serve_stop(&p->serve);
	if (p->scratch)
		proc_do(NULL, "rm", "-rf", p->scratch, NULL);
	free(p->scratch);
	free(p->kernel);
	free(p->initrd);
	if (p->folder.config)
		pxe_nodes_free(&p->nodes);
	cluster_folder_free(&p->folder);
	strv_free(&p->request.reinstall);
	strv_free(&p->request.wipe);
}
