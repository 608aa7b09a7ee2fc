/* A Kubernetes Lease (coordination.k8s.io/v1) as a lock among programs: written by its holder alone
 * and by compare-and-swap; expiry is judged on one's own monotonic clock by having seen (holder,
 * transitions, renewTime) unchanged for the whole duration that the holder wrote, plus a tenth,
 * never by comparing the clocks of two machines. The holder counts from before its request was
 * sent. So as long as two clocks' rates differ by less than a tenth, nobody takes what another
 * believes to hold. */
#pragma once

#include "lib/kube.h"

#include <stdint.h>

/* Keep it from one look to the next: expiry is judged by what an earlier look saw. */
struct lease {
	const char *ns, *name; /* namespace and name of the object */
	const char *holder;    /* who we are: unique for a run (pod UID or node name + nonce) */
	int duration_ms;       /* written in whole seconds, rounded up */
	/* No object: free at once, or (true) only after DURATION_MS of absence: it may have been
	 * deleted while somebody holds it. Who holds it makes it again at once. */
	bool wait_absent;
	/* Strings that our writes put into the object's annotations (JSON object), or NULL. */
	const struct json *annotations;
	/* From the last look: changes of holder since the Lease was made. Grows with each
	 * take-over, so it can order what different holders did. */
	int64_t transitions;
	/* private: what was last seen of another holder and since when; until when we hold it */
	char seen[256];
	int64_t seen_since, held_until;
};
/* Takes or renews. 1: held until lease_held() says no; 0: another holds it, or was quicker; -errno:
 * could not look or write, and what was held before still counts. HOLDER_NOW (may be NULL, is
 * replaced) tells who holds it. A write whose answer was lost is read back at once. */
int lease_acquire(struct lease *l, struct kube *k, struct str *holder_now, struct fault *f);
/* Looks without writing, for those who want to know whether they could take it: 1 free (absent,
 * released, or expired by our clock), 0 held, by another or by us. OBJECT (may be NULL) gets what
 * is there, or NULL. */
int lease_look(struct lease *l, struct kube *k, struct json **object, struct fault *f);
bool lease_held(const struct lease *l); /* by the monotonic clock, without asking */
/* Gives it up, if it is ours: the next may take it at once. It does not count as held from the
 * moment of the call, whatever the result. */
int lease_release(struct lease *l, struct kube *k, struct fault *f);
