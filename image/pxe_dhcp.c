/* See pxe_dhcp.h. */
#include "image/pxe_dhcp.h"

#include <ctype.h>

static void hosts(const struct cluster_config *c, bool proxy, struct str *out)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_config *n = &c->nodes[i];

		if (proxy)
			str_addf(out, "dhcp-host=%s,set:ours\n", n->mac);
		else
			str_addf(out, "dhcp-host=%s,set:ours,%s,%s,15m\n", n->mac, n->address,
				 n->name);
	}
}

/* The client architectures of RFC 4578: 0 is BIOS, 7 and 9 are x86-64 with UEFI. iPXE names itself
 * by option 175, and is sent on to the script. */
static void programs(const struct pxe_dhcp *d, struct str *out)
{
	str_add(out, "dhcp-match=set:ipxe,175\n"
		     "dhcp-match=set:bios,option:client-arch,0\n"
		     "dhcp-match=set:efi,option:client-arch,7\n"
		     "dhcp-match=set:efi,option:client-arch,9\n");
	if (d->proxy)
		str_addf(out,
			 "pxe-service=tag:ours,tag:!ipxe,X86PC,ThreePhoenix,undionly.kpxe\n"
			 "pxe-service=tag:ours,tag:!ipxe,X86-64_EFI,ThreePhoenix,snponly.efi\n"
			 "pxe-service=tag:ours,tag:!ipxe,BC_EFI,ThreePhoenix,snponly.efi\n"
			 "pxe-prompt=ThreePhoenix,0\n"
			 "dhcp-boot=tag:ours,tag:ipxe,http://%s:%d/boot?mac=${net0/mac}\n",
			 d->address, d->http_port);
	else
		str_addf(out,
			 "dhcp-boot=tag:ours,tag:!ipxe,tag:bios,undionly.kpxe\n"
			 "dhcp-boot=tag:ours,tag:!ipxe,tag:efi,snponly.efi\n"
			 "dhcp-boot=tag:ours,tag:ipxe,http://%s:%d/boot?mac=${net0/mac}\n",
			 d->address, d->http_port);
}

void pxe_dhcp_render(const struct cluster_config *c, const struct pxe_dhcp *d, struct str *out)
{
	str_addf(out,
		 "# phoenix pxe: the three machines of %s, and nobody else\n"
		 "port=0\n"
		 "interface=%s\n"
		 "bind-interfaces\n"
		 "except-interface=lo\n"
		 "log-dhcp\n"
		 "dhcp-leasefile=%s\n"
		 "dhcp-ignore=tag:!ours\n"
		 "enable-tftp\n"
		 "tftp-root=%s\n",
		 c->name, d->interface, d->leases, d->tftp_root);
	if (d->proxy)
		str_addf(out, "dhcp-range=%s,proxy\n", c->nodes[0].address);
	else
		str_addf(out, "dhcp-range=%s,static,15m\ndhcp-option=option:router,%s\n",
			 c->nodes[0].address, c->gateway);
	hosts(c, d->proxy, out);
	programs(d, out);
}

static bool is_mac(const char *s)
{
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* "dnsmasq-dhcp[12]: 3456 DHCPDISCOVER(eth0) 52:54:00:00:00:0d ignored" */
char *pxe_dhcp_stranger(const char *line)
{
	if (!str_ends(line, " ignored") && !str_ends(line, " proxy-ignored"))
		return NULL;
	for (const char *p = line; *p; p++)
		if ((p == line || p[-1] == ' ') && is_mac(p))
			return mem_strndup(p, 17);
	return NULL;
}
