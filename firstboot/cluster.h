/* What step `cluster` is made of beside decide(): see the files named. */
#pragma once

#include "firstboot/agent.h"
#include "lib/kube.h"

/* stale.c: makes sure that nothing in the cluster, reached by K, still stands for this blank
 * machine, before it joins through THROUGH. 0 clear, -EAGAIN in progress, other errors need a
 * person. */
int stale_clear(struct agent *a, struct kube *k, const struct round *round, int through,
		struct fault *f);
/* …and lets the next one: for when this node is a voter. */
void stale_done(struct agent *a);
/* joining.c: of a learner that runs, asks the members to make it a voter, which K3s itself would do
 * at its next tick of 15 s; why they do not is in a->unpromoted. To be called often: it keeps a pace
 * of its own, and does nothing on any other node. Main thread. */
void joining_ask_promotion(struct agent *a);
/* joining.c: stops the K3s of a node that is not a voter once nobody has answered it for 30 s; then
 * -EAGAIN. 0 = go on. */
int joining_give_up(struct agent *a, struct fault *f);
/* recover.c: carries on what the operator began with `recover --keep` this node. -EAGAIN until the
 * data has been reset. */
int recover_go(struct agent *a, const struct round *round, struct fault *f);
/* mark.c: does the cluster that K reaches, in which THROUGH runs, call itself ID? 0 yes, or it
 * carries no id yet. */
int mark_check(const struct agent *a, struct kube *k, int through, const char *id, struct fault *f);
/* Writes this node's cluster id and generation into the cluster, when there is none or an older
 * generation. -ESTALE: there is another id. */
int mark_write(const struct agent *a, struct fault *f);
/* admin.c: a client of the cluster's API with a certificate that lives a day, minted from the
 * client CA; servers in the order FIRST, then the others. */
int admin_kube(const struct agent *a, int first, struct kube **ret, struct fault *f);
