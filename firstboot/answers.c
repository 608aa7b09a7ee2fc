/* What a node answers to the other two, and to its own operator. Everything that is granted is durable before the answer leaves. */
#include "firstboot/agent.h"

#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>

static int save(struct agent *a, const struct records *next, struct answer *out)
{
	struct fault f = { 0 };

	if (records_save(a->fs, STATE_DIR, next, &f) < 0) {
		snprintf(out->why, sizeof out->why, "could not be written down: %s", f.text);
		return -1;
	}
	a->rec = *next;
	return 0;
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
		log_info("promised %s: forms nothing but its formation %.8s", agent_node(a, from)->name, p.formation);
}

/* Durable first, then K3s is stopped, then the answer: who hears "granted" may rely on this node never voting again with its data. */
static void retire(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct records next = a->rec;
	struct fault f = { 0 };

	if (a->me.state == NODE_UNKNOWN) {
		snprintf(out->why, sizeof out->why, "cannot read its own disk: %s", a->trouble);
		return;
	}
	if (ask->generation <= a->rec.generation) {
		snprintf(out->why, sizeof out->why, "is at generation %d already", a->rec.generation);
		return;
	}
	if (next.recovering) {
		snprintf(out->why, sizeof out->why, "is itself being kept by `recover`");
		return;
	}
	next.retired = ask->generation;
	next.retired_for = from;
	if (a->me.state != NODE_BLANK) {
		if (save(a, &next, out) < 0)
			return;
		if (k3s_stop(a->fs, &f) < 0) {
			snprintf(out->why, sizeof out->why, "K3s does not stop: %s", f.text);
			return;
		}
		a->me.retired = next.retired;
		a->me.retired_for = from;
		log_warn("retired in favour of %s, generation %d: this node's cluster data is not started again",
			 agent_node(a, from)->name, ask->generation);
	}
	out->granted = true;
}

/* A blank node asks for the removal of the learner it was: K3s would do it after five minutes. */
static void release(struct agent *a, int from, struct answer *out)
{
	struct fault f = { 0 };
	int removed = 0;

	for (int i = 0; i < a->me.n_learners; i++) {
		if (a->me.learners[i].node != from)
			continue;
		if (k3s_member_remove(a->fs, a->me.learners[i].id, &f) < 0) {
			snprintf(out->why, sizeof out->why, "%s", f.text);
			return;
		}
		removed++;
	}
	out->granted = removed > 0;
	if (!removed)
		snprintf(out->why, sizeof out->why, "knows no learner of that node");
}

static bool apply_word(const struct agent *a, const struct ask *ask, struct records *next, struct answer *out)
{
	bool known = false;

	if (str_eq(ask->word, "forget")) {
		known = *ask->formation && str_eq(next->promise.formation, ask->formation);
		if (known)
			next->promise = (struct promise){ .node = -1 };
		for (int i = 0; i < NODE_COUNT; i++) {
			known = known || (ask->nodes[i] && next->words.missing[i]);
			next->words.missing[i] = next->words.missing[i] && !ask->nodes[i];
		}
		if (!known)
			snprintf(out->why, sizeof out->why, "no such promise or word is held here");
		return known;
	}
	if (str_eq(ask->word, "abandon")) {
		known = *ask->cluster && (str_eq(next->cluster, ask->cluster) || str_eq(a->me.marker, ask->cluster));
		if (!known)
			snprintf(out->why, sizeof out->why, "this disk belongs to incarnation %s",
				 *next->cluster ? next->cluster : "(none)");
		memcpy(next->words.abandoned, ask->cluster, ID_LEN);
		return known;
	}
	for (int i = 0; i < NODE_COUNT; i++)
		next->words.missing[i] = next->words.missing[i] || ask->nodes[i];
	next->words.missing[a->seed->self] = false;
	if (ask->generation > next->words.generation)
		next->words.generation = ask->generation;
	if (str_eq(ask->word, "recover")) {
		if (a->me.state != NODE_MEMBER || a->rec.retired) {
			snprintf(out->why, sizeof out->why, "this node is %s: nothing to keep",
				 a->rec.retired ? "retired" : node_state_name(a->me.state));
			return false;
		}
		next->recovering = true;
		next->recover_reset = false;
	}
	return str_eq(ask->word, "recover") || str_eq(ask->word, "missing");
}

static void take_word(struct agent *a, int from, const struct ask *ask, struct answer *out)
{
	struct records next = a->rec;

	if (from != a->seed->self) {
		snprintf(out->why, sizeof out->why, "an operator's word is taken on the node itself");
		return;
	}
	if (a->me.state == NODE_UNKNOWN) {
		snprintf(out->why, sizeof out->why, "cannot read its own disk: %s", a->trouble);
		return;
	}
	if (apply_word(a, ask, &next, out) && save(a, &next, out) == 0) {
		out->granted = true;
		log_warn("operator's word taken: %s", ask->word);
	}
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
	out.same = str_eq(ask.digest, c->digest);
	if (!out.same) {
		answer_print(&out, answer);
		return 0;
	}
	pthread_mutex_lock(&a->lock);
	switch (ask.kind) {
	case ASK_PROMISE:
		give_promise(a, from, &ask, &out);
		break;
	case ASK_RETIRE:
		retire(a, from, &ask, &out);
		break;
	case ASK_RELEASE:
		release(a, from, &out);
		break;
	case ASK_WORD:
		take_word(a, from, &ask, &out);
		break;
	case ASK_LOOK:
		break;
	}
	out.view = a->me;
	if (a->status) {
		/* durations, not moments: two machines' clocks have nothing in common */
		out.status = json_copy(a->status);
		json_set_int(out.status, "elapsed_ms", timer_now() - json_int(a->status, "since_ms", timer_now()));
	}
	pthread_mutex_unlock(&a->lock);
	answer_print(&out, answer);
	return 0;
}
