/* May a node of a running cluster be renewed now? It is away meanwhile, so the two others must be
 * well; whether it is so itself says nothing against it: a node whose disk died is what this is for. */
#pragma once

#include "image/pxe_prepare.h"
#include "lib/json.h"

/* What the cluster tells of itself (as `phoenix status --json`): can it do without node I? -EPERM
 * says who is not well. DIR is for the text. */
int pxe_cluster_can_spare(const struct json *status, const struct cluster_config *c, int i,
			  const char *dir, struct fault *f);
/* At the start, before anything is served. -EPERM: not one of the nodes that are to be renewed could
 * be; or --erase is asked for beside a running cluster. */
int pxe_cluster_check(const struct pxe_plan *p, struct fault *f);
/* Answers the node that waits for it, if one does; takes as long as the nodes take. */
void pxe_cluster_answer(struct pxe_plan *p);
