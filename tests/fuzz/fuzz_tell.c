/* What strangers and machines that were booted say to `phoenix pxe`: the first line is a MAC address,
 * a token and a line of dnsmasq's log, the rest what a machine tells of itself. */
#include "image/pxe_dhcp.h"
#include "image/pxe_nodes.h"

static struct node_config config[NODE_COUNT] = {
	{ .name = (char *)"a", .address = (char *)"192.0.2.1", .mac = (char *)"52:54:00:00:00:0a" },
	{ .name = (char *)"b", .address = (char *)"192.0.2.2", .mac = (char *)"52:54:00:00:00:0b" },
	{ .name = (char *)"c", .address = (char *)"192.0.2.3", .mac = (char *)"52:54:00:00:00:0c" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - data) : size;
	_free_ char *line = mem_strndup(size ? (const char *)data : "", n),
		    *mac = pxe_dhcp_stranger(line);
	const char *rest = end ? (const char *)end + 1 : "";
	size_t rest_len = end ? size - n - 1 : 0;
	_str_ struct str seed = { 0 };
	_order_ struct order o = { 0 };
	struct pxe_nodes p;
	char token[65] = "";

	pxe_nodes_init(&p);
	p.cluster = "c";
	for (int i = 0; i < NODE_COUNT; i++) {
		p.v[i].config = &config[i];
		p.v[i].wanted = true;
		str_add(&p.v[i].seed, "seed");
	}
	pxe_stranger(&p, mac ? mac : line);
	(void)pxe_tell(&p, line, "192.0.2.9", rest, rest_len);
	if (pxe_boot(&p, line, "192.0.2.9", token) == 1 &&
	    pxe_order(&p, token, "192.0.2.9", &o) == 0)
		(void)pxe_tell(&p, token, "192.0.2.9", rest, rest_len);
	for (int i = 0; i < NODE_COUNT; i++)
		if (p.v[i].state == PXE_DONE || p.v[i].state == PXE_WRITING)
			abort(); /* by its own word, without a seed */
	(void)pxe_seed(&p, token, "192.0.2.9", &seed);
	(void)pxe_tell(&p, token, "192.0.2.9", rest, rest_len);
	pxe_nodes_free(&p);
	return 0;
}
