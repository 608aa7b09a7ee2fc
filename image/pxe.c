/* phoenix pxe: installs the three machines over the network, from a workstation beside them. */
#include "image/commands.h"
#include "image/pxe_cluster.h"
#include "image/pxe_dhcp.h"
#include "lib/child.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "lib/timer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Where Debian and Ubuntu put iPXE's programs (package ipxe). */
#define IPXE "/usr/lib/ipxe"
#define LOOK_MS 500
/* The last machine is to hear that it was heard. */
#define LINGER_MS 3000
#define LINE_MAX_BYTES 1024

const char pxe_usage[] =
	"Usage: phoenix pxe DIR --image IMAGE --interface IF --address A [OPTION...]\n\n"
	"Installs the machines of the cluster in the folder DIR over the network: answers their\n"
	"DHCP (and nobody else's), boots an installer, gives each the image and, once, its seed.\n"
	"Ends when all are done. As root, on a machine in the nodes' network.\n\n"
	"  --image IMAGE     what `make image` built, IMAGE.kernel and IMAGE.initrd beside it\n"
	"  --interface IF    this machine's network card on the nodes' network\n"
	"  --address A       this machine's IPv4 address there\n"
	"  --dhcp full       there is no other DHCP server (default)\n"
	"         proxy      another one gives the addresses\n"
	"         none       another one does all, and sends iPXE to http://A:PORT/boot?mac=MAC\n"
	"  --port N          of the HTTP server (default 8080; the TLS one has the next)\n"
	"  --erase NODE      before there is a cluster: whatever its disks carry goes\n\n"
	"In a running cluster, one node after another and only while the two others are well; "
	"only\n"
	"the nodes named so are installed then:\n\n"
	"  --reinstall NODE  renews the system and keeps the data\n"
	"  --wipe NODE       the same, and the data goes; also for a node whose disk died\n\n"
	"These three may be repeated.\n";

static int start_dhcp(const struct pxe_plan *p, struct child *c, struct fault *f)
{
	_free_ char *config = mem_printf("%s/dnsmasq.conf", p->scratch),
		    *leases = mem_printf("%s/leases", p->scratch),
		    *option = mem_printf("--conf-file=%s", config);
	const char *const argv[] = { "dnsmasq", "--keep-in-foreground", "--log-facility=-", option,
				     NULL };
	const struct pxe_dhcp d = { .interface = p->request.interface,
				    .address = p->request.address,
				    .http_port = p->serve.http_port,
				    .tftp_root = IPXE,
				    .leases = leases,
				    .proxy = str_eq(p->request.dhcp, "proxy") };
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str text = { 0 };
	int r = fs_open(&fs, "/", f);

	if (str_eq(p->request.dhcp, "none"))
		return 0;
	if (access(IPXE "/undionly.kpxe", R_OK) < 0)
		return fault_set(f, ENOENT,
				 IPXE "/undionly.kpxe is missing: install the package ipxe");
	pxe_dhcp_render(p->folder.config, &d, &text);
	if (r >= 0)
		r = fs_write(&fs, config, 0644, text.p, text.len, f);
	if (r >= 0)
		r = child_start(argv, c, f);
	return r == -ENOENT ? fault_wrap(f, "install the package dnsmasq-base") : r;
}

/* Its log, line by line: only what is about a stranger, and what it says before it ends. */
static void read_log(struct child *c, struct pxe_plan *p, struct str *line, struct str *last)
{
	char buf[512];
	ssize_t n;

	while ((n = read(c->out, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			_free_ char *mac = NULL;

			if (buf[i] != '\n' && line->len < LINE_MAX_BYTES) {
				str_add_n(line, &buf[i], 1);
				continue;
			}
			mac = pxe_dhcp_stranger(str_text(line));
			if (mac)
				pxe_stranger(&p->nodes, mac);
			str_reset(last);
			str_add(last, str_text(line));
			str_reset(line);
		}
}

/* What has changed since the last look. */
struct shown {
	enum pxe_state state[NODE_COUNT];
	unsigned tenth[NODE_COUNT];
	char step[NODE_COUNT][64];
	size_t reports;
};

static void show(struct pxe_nodes *p, struct shown *s)
{
	pthread_mutex_lock(&p->lock);
	for (; s->reports < p->reports.n; s->reports++)
		log_warn("%s", p->reports.v[s->reports]);
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct pxe_node *n = &p->v[i];

		if (!n->wanted || (s->state[i] == n->state && s->tenth[i] == n->percent / 10 &&
				   str_eq(s->step[i], n->step)))
			continue;
		s->state[i] = n->state;
		s->tenth[i] = n->percent / 10;
		memcpy(s->step[i], n->step, sizeof n->step);
		if (n->state == PXE_WRITING && *n->step)
			log_info("%s: %s, %u %%", n->config->name, n->step, n->percent);
		else
			log_info("%s: %s", n->config->name, pxe_state_name(n->state));
	}
	pthread_mutex_unlock(&p->lock);
}

static int serve(struct pxe_plan *p, struct child *c, struct fault *f)
{
	_str_ struct str line = { 0 }, last = { 0 };
	struct shown shown = { 0 };
	int64_t until = 0;

	while (!stop_asked() && (!until || timer_now() < until)) {
		struct pollfd fd = { .fd = c->out, .events = POLLIN };

		poll(&fd, c->out >= 0 ? 1 : 0, LOOK_MS);
		if (c->out >= 0)
			read_log(c, p, &line, &last);
		show(&p->nodes, &shown);
		pxe_cluster_answer(p);
		if (!until && pxe_all_done(&p->nodes))
			until = timer_now() + LINGER_MS;
		if (!until && c->pid > 0 && child_alive(c, f) < 0)
			return fault_wrap(f, "dnsmasq (%s)", str_text(&last));
	}
	if (until)
		return EXIT_DONE;
	return fault_set(f, EINTR,
			 "stopped by signal %d; machines that are being written go on "
			 "only with this server: boot them again",
			 stop_asked());
}

int pxe_run(int argc, char **argv, struct fault *f)
{
	_pxe_plan_ struct pxe_plan p = { .request = { .dhcp = "full", .port = "8080" } };
	struct pxe_request *q = &p.request;
	const struct command_option options[] = { { "image", 0, &q->image, NULL, NULL },
						  { "interface", 0, &q->interface, NULL, NULL },
						  { "address", 0, &q->address, NULL, NULL },
						  { "dhcp", 0, &q->dhcp, NULL, NULL },
						  { "port", 0, &q->port, NULL, NULL },
						  { "reinstall", 0, NULL, NULL, &q->reinstall },
						  { "wipe", 0, NULL, NULL, &q->wipe },
						  { "erase", 0, NULL, NULL, &q->erase },
						  { 0 } };
	_child_ struct child dnsmasq = CHILD_NONE;
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (argc - r != 1 || !q->image || !q->interface || !q->address)
		return fault_set(f, EINVAL,
				 "one folder, --image, --interface and --address, please; see "
				 "phoenix pxe --help");
	q->dir = argv[r];
	stop_catch();
	r = pxe_prepare(&p, f);
	if (r >= 0)
		r = pxe_serve_start(&p.serve, f);
	if (r >= 0)
		r = start_dhcp(&p, &dnsmasq, f);
	if (r < 0)
		return r;
	printf("http://%s:%d/boot?mac=MAC\n", q->address, p.serve.http_port);
	fflush(stdout);
	return serve(&p, &dnsmasq, f);
}
