/* Everything that `phoenix pxe` needs before the first machine asks: checked, and all mistakes told
 * at once. */
#pragma once

#include "cloud-init/cluster_folder.h"
#include "image/pxe_serve.h"

struct pxe_request {
	const char *dir, *image, *interface, *address, *dhcp, *port;
	struct strv reinstall, wipe, erase; /* names of nodes */
};

struct pxe_plan {
	struct pxe_request request; /* the caller's, but for the lists */
	struct cluster_folder folder;
	struct pxe_nodes nodes;
	struct pxe_serve serve; /* ready to be started */
	char *scratch;		/* a folder of this run; removed with the plan */
	char *kernel, *initrd;
};
#define _pxe_plan_ _cleanup_(pxe_plan_free)

/* -EINVAL: the request or the folder has mistakes, or the image is none; -EPERM: the cluster cannot do
 * without a node that is to be renewed (pxe_cluster.h). */
int pxe_prepare(struct pxe_plan *p, struct fault *f);
void pxe_plan_free(struct pxe_plan *p);
