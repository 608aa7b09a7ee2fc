/* The table of first boot, in order: each row may rely on those above it. */
#include "firstboot/steps.h"

#define STEP(id, title, text, only_live)                                      \
	{                                                                     \
		.name = (title), .summary = (text), .live_only = (only_live), \
		.check = step_##id##_check, .apply = step_##id##_apply        \
	}

const struct step steps[] = {
	STEP(seed, "seed", "the seed is found, checked and imported", false),
	STEP(identity, "identity", "this machine is the node the seed is for", false),
	STEP(clock, "clock", "the clock is plausible", true),
	STEP(kernel, "kernel", "kernel modules and settings that K3s and Longhorn need", false),
	STEP(disk, "disk", "the data partition is ours and mounted where K3s writes", true),
	STEP(network, "network", "address, default route, the other nodes' names", false),
	STEP(firewall, "firewall", "only 80 and 443 are open, the rest only among the nodes",
	     false),
	STEP(storage, "storage", "iSCSI runs and multipath leaves Longhorn's disks alone", false),
	STEP(k3s_config, "k3s-config", "K3s's settings, token and CAs are in place", false),
	STEP(images, "images", "K3s finds the container images that came with the system", false),
	STEP(exchange, "exchange", "the other nodes are answered", true),
	STEP(cluster, "cluster", "form, join or go on: decided together, then K3s runs", true),
	STEP(k3s, "k3s", "K3s is truly ready and this node a voter", true),
	STEP(vip, "vip", "keepalived floats the shared address", true),
	STEP(scrub, "scrub", "no secret stays on the seed medium", false),
	STEP(components, "components", "what runs in the cluster is installed and ready", true),
	{ 0 },
};
