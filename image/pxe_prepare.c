/* See pxe_prepare.h. */
#include "image/pxe_prepare.h"

#include "cloud-init/seed_write.h"
#include "image/layout.h"
#include "image/pxe_cluster.h"
#include "image/source.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

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

/* Not twice the same node, and not two kinds of words: one is for a running cluster, one for none. */
static void check_words(const struct pxe_request *q, struct diags *d)
{
	strv_each (name, &q->wipe)
		if (strv_has(&q->reinstall, name))
			diag_add(d, "--wipe", 0, 0, NULL,
				 "%s is named by --reinstall too, which keeps its data", name);
	if (q->erase.n && (q->wipe.n || q->reinstall.n))
		diag_add(d, "--erase", 0, 0, NULL,
			 "is for machines that are in no cluster; --wipe and --reinstall renew "
			 "nodes of one that runs: not in one go");
}

/* With two disks in a machine nobody but the description says which one is the system's. */
static void check_disks(const struct pxe_plan *p, struct diags *d)
{
	_free_ char *where = mem_printf("%s/phoenix.yaml", p->request.dir);

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_config *n = &p->folder.config->nodes[i];

		if (wanted(&p->request, n->name) && n->data && !n->disk)
			diag_add(d, where, 0, 0, NULL,
				 "%s has a second disk (data:) and no disk: network boot must be "
				 "told which one the system goes to",
				 n->name);
	}
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

static int read_seed(struct pxe_plan *p, int i, struct fault *f)
{
	_free_ char *path = mem_printf("%s/seeds/%s.img", p->scratch, p->nodes.v[i].config->name);
	struct pxe_node *n = &p->nodes.v[i];
	_fs_ struct fs fs = { .fd = -1 };
	int r = fs_open(&fs, "/", f);

	if (r >= 0)
		r = fs_read(&fs, path, ORDER_SEED_MAX, &n->seed, f);
	if (r >= 0)
		crypto_sha256_hex(n->seed.p, n->seed.len, n->seed_sha256);
	return r;
}

static void order_nodes(struct pxe_plan *p)
{
	const struct pxe_request *q = &p->request;

	for (int i = 0; i < NODE_COUNT; i++) {
		struct pxe_node *n = &p->nodes.v[i];

		n->config = &p->folder.config->nodes[i];
		n->wanted = wanted(q, n->config->name);
		n->reinstall = strv_has(&q->reinstall, n->config->name);
		n->wipe =
			strv_has(&q->wipe, n->config->name) || strv_has(&q->erase, n->config->name);
		n->renew = n->reinstall || strv_has(&q->wipe, n->config->name);
	}
}

/* Seeds of this run; in memory from here on. What is on a second disk is the node's own business: its
 * seed lets it erase that. */
static int make_seeds(struct pxe_plan *p, struct fault *f)
{
	_free_ char *out = mem_printf("%s/seeds", p->scratch);
	_strv_ struct strv wipe = { 0 };
	const struct strv none = { 0 };
	int r;

	for (int i = 0; i < NODE_COUNT; i++)
		if (p->nodes.v[i].wipe && p->nodes.v[i].config->data)
			strv_add(&wipe, p->nodes.v[i].config->name);
	r = seed_write_all(&p->folder, out, &none, &wipe, f);
	for (int i = 0; r >= 0 && i < NODE_COUNT; i++)
		r = read_seed(p, i, f);
	proc_do(NULL, "rm", "-rf", out, NULL);
	return r;
}

/* Below /run, which is memory: what a kill leaves there is gone with the next boot. */
static int make_scratch(struct pxe_plan *p, struct fault *f)
{
	char folder[] = "/run/phoenix-pxe-XXXXXX";

	if (!mkdtemp(folder))
		return fault_errno(f, "%s", folder);
	p->scratch = mem_strdup(folder);
	return 0;
}

/* By what the installer knows whose data a disk has. */
static int take_identity(struct pxe_plan *p, struct fault *f)
{
	struct cert_info ca;
	int r = crypto_cert_info(p->folder.secrets->exchange_ca, &ca, f);

	if (r < 0)
		return fault_wrap(f, "exchange CA");
	p->nodes.cluster = p->folder.config->name;
	memcpy(p->nodes.exchange_ca, ca.sha256, sizeof p->nodes.exchange_ca);
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
	check_names(p, &q->erase, "--erase", &d);
	check_words(q, &d);
	check_disks(p, &d);
	check_request(p, &d);
	if (d.lines.n) {
		diags_print(&d);
		return fault_set(f, EINVAL, "nothing was started");
	}
	order_nodes(p);
	p->nodes.fixed = str_eq(q->dhcp, "full");
	p->serve.nodes = &p->nodes;
	p->serve.address = q->address;
	p->serve.image = q->image;
	p->serve.kernel = p->kernel;
	p->serve.initrd = p->initrd;
	r = check_image(p, f);
	if (r >= 0)
		r = pxe_cluster_check(p, f);
	if (r >= 0)
		r = take_identity(p, f);
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
	strv_free(&p->request.erase);
}
