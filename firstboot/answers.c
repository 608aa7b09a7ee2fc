/* What a node answers to the other two, and to its own operator. Everything that is granted is
 * durable before the answer leaves. */
#include "firstboot/agent.h"

#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "firstboot/pulse.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int save(struct agent *a, const struct records *next, struct answer *out)
{
	struct fault f = { 0 };

	if (agent_save(a, next, &f) == 0)
		return 0;
	snprintf(out->why, sizeof out->why, "%.390s", f.text);
	return -1;
}

static void give_promise(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct promise p = { .node = from };
	struct records next = a->rec;
	int r;

	memcpy(p.formation, ask->formation, ID_LEN);
	memcpy(p.cluster, ask->cluster, ID_LEN);
	if (!*p.formation || !*p.cluster) {
		snprintf(out->why, sizeof out->why, "a promise needs a formation and a cluster");
		return;
	}
	if (a->leaving_blank) {
		snprintf(out->why, sizeof out->why, "this node is just starting K3s");
		return;
	}
	r = decide_promise(&a->me, from, &p, ask->generation, ask->abandons, out->why);
	if (r == 0)
		return;
	next.promise = p;
	if (r == 1 && save(a, &next, out) < 0)
		return;
	a->me.promise = p;
	out->granted = true;
	if (r == 1)
		log_info("promised %s: forms nothing but its formation %.8s",
			 agent_node(a, from)->name, p.formation);
}

/* Of two recoveries at once the higher generation wins, then the first node. */
static bool may_retire(const struct agent *a, int from, const struct ask *ask, char why[WHY_LEN])
{
	const struct records *r = &a->rec;

	if (ask->generation <= r->generation) {
		snprintf(why, WHY_LEN, "is at generation %d already", r->generation);
		return false;
	}
	if (r->recovering && (ask->generation < r->words.generation ||
			      (ask->generation == r->words.generation && from > a->seed->self))) {
		snprintf(why, WHY_LEN, "is itself being kept by `recover`, generation %d",
			 r->words.generation);
		return false;
	}
	return true;
}

/* Durable first, then K3s is stopped (stop_k3s), then the answer: who hears "granted" may rely on
 * this node never voting again with its data. */
static void retire(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct records next = a->rec;

	if (a->me.state == NODE_UNKNOWN && !a->me.damaged) {
		snprintf(out->why, sizeof out->why, "cannot read its own disk: %s", a->trouble);
		return;
	}
	if (a->leaving_blank || a->starting) {
		snprintf(out->why, sizeof out->why, "this node is just starting K3s");
		return;
	}
	if (a->me.state == NODE_BLANK) {
		/* nothing to retire, but what it promised, or tried itself, must not form beside
		 * the one that is kept */
		next.promise = (struct promise){ .node = -1 };
		next.formation[0] = 0;
		out->granted = (*a->rec.formation || a->rec.promise.node >= 0)
				       ? save(a, &next, out) == 0
				       : true;
		a->me.promise = a->rec.promise;
		return;
	}
	if (!may_retire(a, from, ask, out->why))
		return;
	next.recovering = false;
	next.retired = ask->generation;
	next.retired_for = from;
	if (save(a, &next, out) < 0)
		return;
	a->me.retired = next.retired;
	a->me.retired_for = from;
	out->granted = true;
	log_warn("retired in favour of %s, generation %d: this node's cluster data is not started "
		 "again",
		 agent_node(a, from)->name, ask->generation);
}

/* The member of that id as our own running etcd has it, when it is one of node FROM: an id is never
 * given twice, so a request that travelled for long cannot mean what joined since. NULL with WHY.
 */
static const struct etcd_member *member_meant(const struct agent *a, int from,
					      const struct ask *ask, struct etcd_disk *d,
					      char why[WHY_LEN])
{
	const struct etcd_member *m;

	/* not k3s_is_running(): its memory is the main thread's */
	if (k3s_members(NULL, a->fs, d, NULL) < 0) {
		snprintf(why, WHY_LEN, "its etcd does not answer");
		return NULL;
	}
	m = agent_member(a, d, from, ask->member);
	if (!m)
		snprintf(why, WHY_LEN, "knows no such member of that node");
	return m;
}

/* A blank node asks for the removal of the member it was: a learner, which K3s would remove after
 * five minutes, or a voter whose Node is gone, which nobody else would. Etcd refuses what would
 * cost the quorum. Without the lock, as all that waits for etcd. */
static void release(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct etcd_disk d = { 0 };
	struct fault f = { 0 };

	if (!member_meant(a, from, ask, &d, out->why))
		return;
	out->granted = k3s_member_remove(a->fs, ask->member, &f) == 0;
	if (!out->granted)
		snprintf(out->why, sizeof out->why, "%.390s", f.text);
}

/* K3s promotes learners in ticks of 15 s (measured), for which a joining node would wait. Etcd
 * itself refuses one that has not caught up; that it is alive is shown by its asking, and that it
 * is the one of the list by its id. Not before our own API is ready: until then it makes some
 * hundred objects one after the other, each of which would wait for two disks instead of one. */
static void promote(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	const struct etcd_member *m;
	struct etcd_disk d = { 0 };
	struct fault f = { 0 };

	if (k3s_ready(NULL, agent_node(a, a->seed->self)->address, a->seed->secrets, K3S_PEER_MS,
		      &f) < 0) {
		snprintf(out->why, sizeof out->why, "its K3s is not ready");
		return;
	}
	m = member_meant(a, from, ask, &d, out->why);
	if (!m)
		return;
	out->granted = !m->learner || k3s_member_promote(a->fs, ask->member, &f) == 0;
	if (!out->granted)
		snprintf(out->why, sizeof out->why, "%.390s", f.text);
}

/* Takes back a promise, or the word that nodes are missing. Its own promise only as long as nothing
 * was formed with it. */
static bool word_forget(const struct agent *a, const struct ask *ask, struct records *next,
			char why[WHY_LEN])
{
	bool known = *ask->formation && str_eq(next->promise.formation, ask->formation);

	if (known && next->promise.node == a->seed->self) {
		if (a->me.state != NODE_BLANK || a->leaving_blank) {
			snprintf(why, WHY_LEN,
				 "this node has formed, or is just forming, with that promise");
			return false;
		}
		next->formation[0] = 0;
	}
	if (known)
		next->promise = (struct promise){ .node = -1 };
	for (int i = 0; i < NODE_COUNT; i++) {
		known = known || (ask->nodes[i] && next->words.missing[i]);
		next->words.missing[i] = next->words.missing[i] && !ask->nodes[i];
	}
	if (!known)
		snprintf(why, WHY_LEN, "no such promise or word is held here");
	return known;
}

/* Only what the disk belongs to can be given up. Data without a record gets an id for it. */
static bool word_abandon(const struct agent *a, const struct ask *ask, struct records *next,
			 char why[WHY_LEN])
{
	if (!*ask->cluster && !*next->cluster && a->me.state != NODE_BLANK) {
		_free_ char *id = crypto_random_hex(16);

		memcpy(next->cluster, id, ID_LEN);
	} else if (!*ask->cluster || !str_eq(next->cluster, ask->cluster)) {
		snprintf(why, WHY_LEN, "this disk belongs to incarnation %s",
			 *next->cluster ? next->cluster : "(none)");
		return false;
	}
	memcpy(next->words.abandoned, next->cluster, ID_LEN);
	return true;
}

static bool apply_word(const struct agent *a, const struct ask *ask, struct records *next,
		       struct answer *out)
{
	bool recover = str_eq(ask->word, "recover");

	if (str_eq(ask->word, "forget"))
		return word_forget(a, ask, next, out->why);
	if (str_eq(ask->word, "abandon"))
		return word_abandon(a, ask, next, out->why);
	if (!recover && !str_eq(ask->word, "missing"))
		return false;
	if (recover && (a->me.state != NODE_MEMBER || a->leaving_blank)) {
		snprintf(out->why, sizeof out->why,
			 a->me.state == NODE_JOINING && !a->me.n_voters
				 ? "K3s runs and has not told yet what this node is; without a "
				   "quorum it is stopped and its disk read: try again in a minute"
				 : "this node is %s: nothing to keep",
			 node_state_name(a->me.state));
		return false;
	}
	/* `recover` says everything that is true now: an earlier word does not add to it */
	for (int i = 0; i < NODE_COUNT; i++)
		next->words.missing[i] = i != a->seed->self &&
					 (ask->nodes[i] || (!recover && next->words.missing[i]));
	if (ask->generation > next->words.generation)
		next->words.generation = ask->generation;
	next->recovering = next->recovering || recover;
	next->recover_reset = next->recover_reset && !recover;
	return true;
}

static void take_word(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct records next = a->rec;

	if (from != a->seed->self) {
		snprintf(out->why, sizeof out->why,
			 "an operator's word is taken on the node itself");
		return;
	}
	if (a->me.state == NODE_UNKNOWN && !(a->me.damaged && str_eq(ask->word, "abandon"))) {
		snprintf(out->why, sizeof out->why, "cannot read its own disk: %s", a->trouble);
		return;
	}
	if (!apply_word(a, ask, &next, out) || save(a, &next, out) < 0)
		return;
	log_warn("operator's word taken: %s", ask->word);
	out->granted = true;
}

/* A retired node's data must not vote again; nor may anybody join the list of one that is kept,
 * about which the operator's word was not. Without the lock: a K3s that has no quorum takes its
 * time. */
static void stop_k3s(struct agent *a, const struct ask *ask, struct answer *out)
{
	bool retired = ask->kind == ASK_RETIRE && out->view.state != NODE_BLANK;
	bool kept = ask->kind == ASK_WORD && str_eq(ask->word, "recover");
	struct fault f = { 0 };

	if (!out->granted || !(retired || kept) || k3s_stop(a->fs, &f) == 0)
		return;
	/* recover_go stops it before it asks anybody */
	if (kept) {
		log_warn("K3s does not stop yet: %s", f.text);
		return;
	}
	out->granted = false;
	snprintf(out->why, sizeof out->why, "K3s does not stop: %.380s", f.text);
}

int agent_answer(void *agent, const char *peer, const char *request, size_t len, struct str *answer)
{
	struct agent *a = agent;
	const struct cluster_config *c = a->seed->config;
	int from = config_node(c, peer);
	_answer_ struct answer out = { 0 };
	struct fault f = { 0 };
	struct ask ask;

	if (from < 0 || ask_parse(request, len, &ask, &f) < 0)
		return -EPROTO;
	snprintf(out.node, sizeof out.node, "%s", agent_node(a, a->seed->self)->name);
	memcpy(out.digest, c->digest, sizeof out.digest);
	out.same = str_eq(ask.digest, c->digest) || !RULE(RULE_DESCRIPTION);
	out.time = (int64_t)time(NULL);
	if (!out.same) {
		answer_print(&out, answer);
		return 0;
	}
	pthread_mutex_lock(&a->lock);
	a->awake = a->awake || a->silent[from];
	a->silent[from] = false;
	switch (ask.kind) {
	case ASK_PROMISE:
		give_promise(a, from, &ask, &out);
		break;
	case ASK_RETIRE:
		retire(a, from, &ask, &out);
		break;
	case ASK_WORD:
		take_word(a, from, &ask, &out);
		break;
	case ASK_RELEASE: /* below */
	case ASK_PROMOTE:
	case ASK_LOOK:
		break;
	}
	out.view = a->me;
	/* a node that is about to have data does not say that it is blank */
	if (out.view.state == NODE_BLANK && a->leaving_blank)
		out.view.state = NODE_JOINING;
	pulse_tell(a, out.pulse);
	if (a->status) {
		/* durations, not moments: two machines' clocks have nothing in common */
		out.status = json_copy(a->status);
		json_set_int(out.status, "elapsed_ms",
			     timer_now() - json_int(a->status, "since_ms", timer_now()));
	}
	pthread_mutex_unlock(&a->lock);
	stop_k3s(a, &ask, &out);
	if (ask.kind == ASK_RELEASE)
		release(a, from, &ask, &out);
	if (ask.kind == ASK_PROMOTE)
		promote(a, from, &ask, &out);
	answer_print(&out, answer);
	return 0;
}
