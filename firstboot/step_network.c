/* The address that the other nodes know us by is really here, nobody else has it, there is a way
 * out (K3s wants a default route), and the nodes find each other by name without DNS. Configuring
 * the interface is cloud-init's work: this step waits for it and tells what is missing. */
#include "firstboot/arp.h"
#include "firstboot/hosts.h"
#include "firstboot/nic.h"
#include "firstboot/steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#define HOSTS "/etc/hosts"
#define HOSTS_MAX (1 << 20)
#define PROBE 120 /* ms: a neighbour on the same wire answers within one */

/* The length of a prefix, from its mask. */
static int prefix_of(const struct sockaddr *mask)
{
	return mask ? __builtin_popcount(((const struct sockaddr_in *)mask)->sin_addr.s_addr) : 32;
}

struct found {
	char where[IF_NAMESIZE]; /* interface that has the address */
	int prefix;
	struct strv others; /* what else is on our interface */
};

static int find_address(const char *interface, const char *address, struct found *ret,
			struct fault *f)
{
	struct ifaddrs *all, *a;

	if (getifaddrs(&all) < 0)
		return fault_errno(f, "list addresses");
	for (a = all; a; a = a->ifa_next) {
		char text[INET_ADDRSTRLEN];

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET ||
		    !inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, text,
			       sizeof text))
			continue;
		if (str_eq(text, address)) {
			snprintf(ret->where, sizeof ret->where, "%s", a->ifa_name);
			ret->prefix = prefix_of(a->ifa_netmask);
		} else if (str_eq(a->ifa_name, interface)) {
			strv_addf(&ret->others, "%s/%d", text, prefix_of(a->ifa_netmask));
		}
	}
	freeifaddrs(all);
	return 0;
}

static int check_address(struct boot *b, const char *interface, struct fault *f)
{
	const struct node_config *n = boot_node(b);
	struct found found = { 0 };
	_free_ char *others = NULL;
	int r = find_address(interface, n->address, &found, f);

	others = strv_sentence(&found.others);
	if (r >= 0 && !*found.where)
		r = fault_set(f, EAGAIN, "waiting for %s/%d on %s (cloud-init sets it); %s has %s",
			      n->address, n->prefix, interface, interface,
			      *others ? others : "no address");
	else if (r >= 0 && !str_eq(found.where, interface))
		r = fault_set(f, EADDRNOTAVAIL,
			      "%s is on %s, but the interface with the MAC %s is %s", n->address,
			      found.where, n->mac, interface);
	else if (r >= 0 && found.prefix != n->prefix)
		r = fault_set(f, EADDRNOTAVAIL,
			      "%s on %s has the prefix /%d, the description says /%d", n->address,
			      interface, found.prefix, n->prefix);
	strv_free(&found.others);
	return r;
}

/* /proc/net/route: "eth0 00000000 0100A8C0 0003 …", destination 0 and flag up (1). */
static int check_route(struct boot *b, struct fault *f)
{
	_str_ struct str text = { 0 };
	char *line, *save = NULL;
	int r = fs_read(&b->fs, "/proc/net/route", HOSTS_MAX, &text, f);

	if (r < 0)
		return r;
	for (line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long destination, mask, flags;

		if (sscanf(line, "%*s %lx %*x %lx %*d %*d %*d %lx", &destination, &flags, &mask) ==
			    3 &&
		    destination == 0 && mask == 0 && (flags & 1))
			return 0;
	}
	return fault_set(f, EAGAIN,
			 "waiting for a default route by %s (cloud-init sets it): K3s does not "
			 "start without",
			 boot_config(b)->gateway ? boot_config(b)->gateway : "any gateway");
}

/* Once in a process's life: an address that was ours alone and then is not shows in other ways,
 * and a question at each look would cost each look a quarter of a second. A router that answers
 * for everybody (proxy ARP) is no second owner. */
static int check_duplicate(struct boot *b, const char *interface, struct fault *f)
{
	static bool alone;
	const char *address = boot_node(b)->address;
	char mac[18];
	int r;

	if (alone || b->plan)
		return 0;
	r = arp_stranger(interface, address, boot_config(b)->gateway, PROBE, mac, f);
	if (r > 0)
		return fault_set(f, EADDRINUSE,
				 "%s is also the address of the machine with the MAC %s", address,
				 mac);
	if (r < 0)
		step_note(b, "not known whether another machine has %s", address);
	alone = true;
	return 0;
}

static int merged_hosts(struct boot *b, struct str *out, struct fault *f)
{
	const struct cluster_config *c = boot_config(b);
	_str_ struct str now = { 0 }, block = { 0 };
	struct fault local = { 0 };
	int r = fs_read(&b->fs, HOSTS, HOSTS_MAX, &now, &local);

	if (r < 0 && r != -ENOENT)
		return fault_set(f, local.code, "%s", local.text);
	for (int i = 0; i < NODE_COUNT; i++)
		str_addf(&block, "%s %s\n", c->nodes[i].address, c->nodes[i].name);
	hosts_merge(r < 0 ? "127.0.0.1 localhost\n::1 localhost\n" : str_text(&now),
		    str_text(&block), out);
	return 0;
}

static int check_live(struct boot *b, struct fault *f)
{
	_free_ char *interface = nic_by_mac(&b->fs, boot_node(b)->mac);
	int r;

	if (!interface)
		return fault_set(f, EAGAIN, "the interface with the MAC %s is gone",
				 boot_node(b)->mac);
	r = check_address(b, interface, f);
	if (r >= 0)
		r = check_route(b, f);
	return r < 0 ? r : check_duplicate(b, interface, f);
}

int step_network_check(struct boot *b, struct fault *f)
{
	_str_ struct str want = { 0 };
	_str_ struct str now = { 0 };
	int r = b->live ? check_live(b, f) : 0;

	if (r >= 0)
		r = merged_hosts(b, &want, f);
	if (r < 0)
		return r;
	if (fs_read(&b->fs, HOSTS, HOSTS_MAX, &now, NULL) < 0 ||
	    !str_eq(str_text(&now), str_text(&want)))
		return step_needed(b, "the nodes' names are missing in " HOSTS);
	return STEP_DONE;
}

int step_network_apply(struct boot *b, struct fault *f)
{
	_str_ struct str want = { 0 };
	int r = merged_hosts(b, &want, f);

	return r < 0 ? r : fs_write(&b->fs, HOSTS, 0644, want.p, want.len, f);
}
