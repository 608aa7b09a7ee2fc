/* `recover --keep` this node, carried on by the daemon until it is done: the operator's word is
 * durable, so that a power cut at any point continues here. Order: stop our K3s, have every other
 * node retire its data durably (or hear from the operator that it is destroyed), only then reset
 * etcd to this node alone, then raise the generation. */
#include "firstboot/cluster.h"
#include "firstboot/k3s.h"
#include "lib/log.h"

#include <errno.h>

static void ask_to_retire(struct agent *a, struct round *round, int i)
{
	struct ask ask = { .kind = ASK_RETIRE, .generation = round->words.generation };
	_answer_ struct answer answer = { 0 };
	struct fault f = { 0 };

	memcpy(ask.digest, a->seed->config->digest, sizeof ask.digest);
	/* its K3s is stopped before it answers: that takes time */
	if (exchange_ask(a->tls, a->seed->config, i, &ask, 60000, &answer, &f) < 0)
		log_warn("%s was asked to retire: %s", agent_node(a, i)->name, f.text);
	else if (answer.same && !answer.granted) {
		log_warn("%s does not retire: %s", agent_node(a, i)->name, answer.why);
	} else if (answer.same) {
		round->views[i] = answer.view;
		round->views[i].answered = true;
	}
}

static void record_void(struct records *r, const void *arg)
{
	(void)arg;
	r->recovering = false;
}

static void record_reset(struct records *r, const void *arg)
{
	(void)arg;
	if (!r->recovering)
		return; /* retired for another meanwhile: then this reset is void */
	r->recovering = false;
	r->recover_reset = true;
	r->generation = r->words.generation;
}

int recover_go(struct agent *a, const struct round *look, struct fault *f)
{
	struct round round = *look;
	int self = a->seed->self, r;
	const char *names[NODE_COUNT];
	char why[WHY_LEN];

	agent_names(a, names);
	r = k3s_stop(a->fs, f);
	if (r < 0)
		return r;
	agent_refresh(a);
	if (a->me.state == NODE_BLANK ||
	    recover_is_void(self, round.views, round.words.generation)) {
		r = agent_record(a, record_void, NULL, f);
		return r < 0 ? r
			     : fault_set(f, EAGAIN, "`recover` is void: %s",
					 a->me.state == NODE_BLANK
						 ? "what was to be kept is not on this disk"
						 : "the others went on meanwhile");
	}
	/* only what is said in answer to the request counts: what was seen before can have changed
	 */
	for (int i = 0; i < NODE_COUNT; i++) {
		bool asked = i != self && round.views[i].answered;

		round.views[i] = (struct node_view){ .promise.node = -1 };
		if (asked)
			ask_to_retire(a, &round, i);
	}
	agent_refresh(a);
	round.views[self] = a->me;
	if (!decide_recover(self, round.views, &round.words, round.words.generation, names, why))
		return fault_set(f, EAGAIN,
				 "recover waits: %s; bring it back, or say that its disk is "
				 "destroyed: `phoenix recover --keep %s --destroyed NODE`",
				 why, names[self]);
	log_warn("recover: every other node is retired, blank or declared destroyed; resets etcd "
		 "to this node alone");
	r = k3s_reset(a->fs, f);
	if (r == 0)
		r = agent_record(a, record_reset, NULL, f);
	return r < 0 ? r
		     : fault_set(f, EAGAIN,
				 "etcd now has this node alone, generation %d: decides again",
				 a->rec.generation);
}
