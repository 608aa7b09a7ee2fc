/* See firewall.h. One hook does it all: prerouting at priority -150 sees everything that enters
 * the machine, after connection tracking (-200) and before any address translation (-100). So a
 * packet is judged by the port that the sender asked for: a NodePort or hostPort that Kubernetes
 * translates later is as closed as any other port. What the machine itself sends is not
 * restricted. */
#include "firstboot/firewall.h"

#include "firstboot/paths.h"
#include "lib/crypto.h"

#include <string.h>

/* A named set; without elements it is there all the same, so that rules may name it. */
static void add_set(struct str *out, const char *name, const char *type, const struct strv *list)
{
	str_addf(out, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n", name, type);
	if (list->n)
		str_add(out, "\t\telements = { ");
	for (size_t i = 0; i < list->n; i++)
		str_addf(out, "%s%s", i ? ", " : "", list->v[i]);
	str_add(out, list->n ? " }\n\t}\n" : "\t}\n");
}

static void add_sets(const struct cluster_config *c, struct str *out)
{
	_strv_ struct strv nodes = { 0 }, admin4 = { 0 }, admin6 = { 0 };

	for (int i = 0; i < NODE_COUNT; i++)
		strv_add(&nodes, c->nodes[i].address);
	strv_each (from, &c->admin_from)
		strv_add(strchr(from, ':') ? &admin6 : &admin4, from);
	add_set(out, "nodes", "ipv4_addr", &nodes);
	add_set(out, "admin", "ipv4_addr", &admin4);
	add_set(out, "admin6", "ipv6_addr", &admin6);
}

/* Pods reach Services, the API and the kubelets; not the nodes' own doors. */
#define DOORS "{ 22, 2379-2380, 6440 }"

static void add_rules(const struct cluster_config *c, struct str *out)
{
	str_add(out, "\tchain pods {\n"
		     "\t\tip daddr @nodes tcp dport " DOORS " drop\n"
		     "\t\ttcp dport " DOORS " fib daddr type local drop\n"
		     "\t\tip saddr " POD_NETWORK " accept\n"
		     "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
		     "\t\tdrop\n"
		     "\t}\n"
		     "\tchain nodes {\n"
		     "\t\ttcp dport { 2379-2380, 5001, 6440, 6443, 10250 } accept\n"
		     "\t\tudp dport 8472 accept\n");
	if (c->vip)
		str_add(out, "\t\tmeta l4proto 112 accept\n");
	if (c->monitoring)
		str_add(out, "\t\ttcp dport 9100 accept\n");
	str_add(out,
		"\t}\n"
		"\tchain outside {\n"
		"\t\ttype filter hook prerouting priority -150; policy drop;\n"
		"\t\tiifname \"lo\" accept\n"
		"\t\tiifname { \"cni0\", \"flannel.1\" } goto pods\n"
		"\t\tct state vmap { established : accept, related : accept, invalid : drop }\n"
		"\t\tip saddr @nodes jump nodes\n"
		"\t\ttcp dport { 80, 443 } accept\n"
		"\t\tip saddr @admin tcp dport 22 accept\n"
		"\t\tip6 saddr @admin6 tcp dport 22 accept\n"
		"\t\ticmp type { echo-request, destination-unreachable, time-exceeded, "
		"parameter-problem } accept\n"
		"\t\ticmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "
		"packet-too-big, echo-request } accept\n"
		"\t\tudp sport 67 udp dport 68 accept\n"
		"\t}\n");
}

void firewall_render(const struct cluster_config *c, struct str *out)
{
	_str_ struct str body = { 0 };
	char digest[65];

	add_sets(c, &body);
	add_rules(c, &body);
	crypto_sha256_hex(body.p, body.len, digest);
	/* The first line makes the table when it is not there, so that the second can delete it;
	 * all of the file happens at once. */
	str_addf(out,
		 "#!/usr/sbin/nft -f\n"
		 "# phoenix: written at each boot from the description\n"
		 "table inet " FIREWALL_TABLE "\n"
		 "delete table inet " FIREWALL_TABLE "\n"
		 "table inet " FIREWALL_TABLE " {\n"
		 "\tcomment \"" FIREWALL_MARK "%s\"\n"
		 "%s}\n",
		 digest, body.p);
}
