/* Whose data is the cluster's: ConfigMap `postgres'. INV-4: initdb happens once in a cluster's life.
 *
 * It is claimed by a pod (its UID) before initdb, and done with the system identifier before the new
 * data takes its place on the volume. A claim whose pod is gone may be taken over: whatever that
 * pod made never took its place. */
#pragma once

#include "lib/kube.h"

struct pg_identity {
	bool exists;
	char claim[64];
	char system[24]; /* "": not done */
	char version[32];
};
/* 0 also when there is none. */
int pg_identity_read(struct kube *k, const char *ns, struct pg_identity *ret, struct fault *f);
/* Writes it in the place of OLD. -ESTALE, -EEXIST: somebody was quicker; -ETIMEDOUT: not known. */
int pg_identity_write(struct kube *k, const char *ns, const struct pg_identity *old,
		      const char *claim, const char *system, struct fault *f);
