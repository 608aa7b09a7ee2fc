/* See vip.h. The address belongs on a node whose edge takes connections, so that is what is asked:
 * not K3s, which may restart under a working edge. A node that fails the question gives the
 * address up at once (no weight: FAULT), but not while nobody has an edge: it is to be installed
 * yet, or down everywhere, and the address still leads to a node. A node that comes back does not
 * take it back (nopreempt), since every move breaks connections. Announcements go to the two other
 * addresses only and are protected by the firewall; half a second apart, so that a dead node's
 * address moves within two. */
#include "firstboot/vip.h"

#include "firstboot/paths.h"

#include <arpa/inet.h>
#include <stdint.h>

/* 1 to 255, the same on the three nodes, and not the same for every cluster on a wire. */
static unsigned router_id(const char *vip)
{
	struct in_addr a = { 0 };
	uint32_t n;

	if (inet_pton(AF_INET, vip, &a) != 1)
		return 51;
	n = ntohl(a.s_addr) & 0xff;
	return n ? n : 51;
}

void vip_render(const struct cluster_config *c, int self, const char *interface, struct str *out)
{
	str_addf(out,
		 "# phoenix: written at each boot from the description\n"
		 "global_defs {\n"
		 "\trouter_id %s\n"
		 "\tvrrp_version 3\n"
		 "\tenable_script_security\n"
		 "\tscript_user nobody\n"
		 "}\n\n"
		 "vrrp_script edge {\n"
		 "\tscript \"" VIP_CHECK "\"\n"
		 "\tinterval 1\n"
		 "\ttimeout 5\n"
		 "\tfall 2\n"
		 "\trise 2\n"
		 "\tinit_fail\n"
		 "}\n\n"
		 "vrrp_instance phoenix {\n"
		 "\tstate BACKUP\n"
		 "\tnopreempt\n"
		 "\tinterface %s\n"
		 "\tvirtual_router_id %u\n"
		 "\tpriority %d\n"
		 "\tadvert_int 0.5\n"
		 "\tgarp_master_refresh 30\n"
		 "\tunicast_src_ip %s\n"
		 "\tunicast_peer {\n",
		 c->nodes[self].name, interface, router_id(c->vip), 150 - 10 * self,
		 c->nodes[self].address);
	for (int i = 0; i < NODE_COUNT; i++)
		if (i != self)
			str_addf(out, "\t\t%s\n", c->nodes[i].address);
	str_addf(out,
		 "\t}\n"
		 "\tvirtual_ipaddress {\n"
		 "\t\t%s/%d dev %s\n"
		 "\t}\n"
		 "\ttrack_script {\n"
		 "\t\tedge\n"
		 "\t}\n"
		 "}\n",
		 c->vip, c->nodes[self].prefix, interface);
}

/* The others are asked side by side: a dead one takes its whole second. */
void vip_render_check(const struct cluster_config *c, int self, struct str *out)
{
	str_addf(out,
		 "#!/bin/sh\n"
		 "# phoenix: does this node's edge answer (any answer of HTTP is one), or "
		 "nobody's?\n"
		 "edge() {\n"
		 "\tcurl --silent --output /dev/null --connect-timeout 1 --max-time \"$2\" "
		 "\"http://$1/\"\n"
		 "}\n"
		 "edge %s 2 && exit 0\n",
		 c->nodes[self].address);
	for (int i = 0; i < NODE_COUNT; i++)
		if (i != self)
			str_addf(out, "edge %s 1 &\npids=\"$pids $!\"\n", c->nodes[i].address);
	str_add(out, "for pid in $pids; do\n"
		     "\tif wait \"$pid\"; then exit 1; fi\n"
		     "done\n"
		     "exit 0\n");
}
