/* dnsmasq's configuration for network boot, as text. It answers the three machines of the
 * description and nobody else. */
#pragma once

#include "cloud-init/config.h"

#include <stdbool.h>

struct pxe_dhcp {
	const char *interface, *address; /* of this machine, on the nodes' network */
	int http_port;
	const char *tftp_root; /* the boot programs */
	const char *leases;
	bool proxy; /* another DHCP server gives the addresses: only what to boot is said */
};

void pxe_dhcp_render(const struct cluster_config *c, const struct pxe_dhcp *d, struct str *out);
/* What a line of its log says of a machine that is none of ours: its MAC, the caller's; NULL:
 * nothing. */
char *pxe_dhcp_stranger(const char *line);
