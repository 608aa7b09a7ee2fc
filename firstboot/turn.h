/* Whether this node may leave the cluster for a while on purpose, and that no other does at the same
 * time: with three nodes one may be away, and two of them are the quorum. Nothing but this stands
 * between "upgrade them one after another" and a person, or a script, that is a little too quick. */
#pragma once

#include "cloud-init/seed.h"
#include "lib/json.h"
#include "lib/lease.h"

#include <signal.h>

/* STATUS is what `phoenix status --json` prints. 0: three voters of one cluster, each in its described
 * state by its own word; -EPERM says who is not. */
int turn_allowed(const struct json *status, struct fault *f);

/* How long a turn counts: longer than it takes from its last renewal until a node that goes down has
 * ceased to answer, since from then on turn_allowed() refuses the next one. */
#define TURN_MS 60000

struct turn {
	struct lease lease;
	struct kube *kube;
	char *holder;
	const volatile sig_atomic_t *stop; /* a signal number ends the waiting: -EINTR; or NULL */
};
#define _turn_ _cleanup_(turn_end)

/* Takes the turn of S's node (Lease kube-system/phoenix-flash), waiting up to three minutes for
 * another's to run out: -EAGAIN then. Whoever has it looks at turn_allowed() after that, not before. */
int turn_take(struct turn *t, const struct seed *s, struct fault *f);
/* Leaves it to run out: this node is going down. */
void turn_keep(struct turn *t);
/* Gives it back, unless it was kept. */
void turn_end(struct turn *t);
