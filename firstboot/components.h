/* Brings the components into the cluster: one node at a time, which holds Lease
 * kube-system/phoenix-install, applies them in order and waits for each; when it dies another goes on
 * from what is there. Nothing here asks the machine, so that a scripted API can test it.
 *
 * What is so stands in the cluster. Each object that was applied carries the hash of its document
 * (annotation phoenix/manifest), written after it was applied: a document with another hash is applied
 * (again). Each Node says what its program would install (phoenix/components, a digest of everything),
 * and nothing is installed until all Nodes say the same: so a newer program on one of them neither
 * fights with the older ones nor asks them for images that they do not have. The Lease says
 * what was begun when the cluster was whole (phoenix/begun), so that a node's death does not stop the
 * others, and what was installed to its end (phoenix/installed): from then on a workload that is not
 * ready is told, and no longer waited for. */
#pragma once

#include "firstboot/decide.h"
#include "firstboot/manifest.h"
#include "lib/kube.h"
#include "lib/lease.h"

#define INSTALL_LEASE_MS 20000

struct install {
	struct kube *kube;
	const struct components *all;
	struct lease *lease; /* kept by the caller from one look to the next */
	const char *node;    /* our own Node */
	/* the Nodes that have to be Ready before it begins, NULL at the end; and why it is not to begin
	 * yet whatever the Nodes say, or NULL */
	const char *const *nodes;
	const char *not_yet;
};
/* 1: something is to be done, WHY says what; 0: nothing, and WHY has what a person may want to know,
 * or is empty. Changes nothing. -EAGAIN: the API does not answer. */
int components_check(const struct install *in, struct str *why, struct fault *f);
/* Does what it can. -EAGAIN: waits, the fault says for what; the Lease is kept then if we install. */
int components_apply(const struct install *in, struct fault *f);
/* Which of the nodes NAMES vote, by this node's own etcd (ME), into NODES, NULL at the end. False: they
 * are not enough to begin, and WHY says who is not there; whom an operator has declared destroyed is
 * not waited for, but one alone is never enough. */
bool components_voters(const char *const names[NODE_COUNT], const struct node_view *me,
		       const struct words *words, const char *nodes[NODE_COUNT + 1],
		       struct str *why);
