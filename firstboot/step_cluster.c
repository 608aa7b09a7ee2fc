/* Steps `exchange` and `cluster`: this node talks with the other two, and one decision after
 * another (decide.h) is carried out until K3s runs on data that may run. One call of apply is one
 * round: look, decide, act; the daemon calls again. */
#include "firstboot/agent.h"
#include "firstboot/clocks.h"
#include "firstboot/cluster.h"
#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "firstboot/plan.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int step_exchange_check(struct boot *b, struct fault *f)
{
	(void)f;
	return b->agent ? STEP_DONE
			: plan_ask_daemon(b, "exchange", "the other nodes are not answered yet");
}

int step_exchange_apply(struct boot *b, struct fault *f)
{
	return agent_start(b, &b->agent, f);
}

int step_cluster_check(struct boot *b, struct fault *f)
{
	struct agent *a = b->agent;
	struct round round;
	struct decision d;
	const char *names[NODE_COUNT];

	(void)f;
	if (!a)
		return plan_ask_daemon(b, "cluster",
				       "asks the other nodes whether to form, join or go on");
	if (!k3s_is_running() || a->rec.recovering)
		return step_needed(b, "K3s does not run");
	agent_look(a, &round);
	agent_names(a, names);
	decide(a->seed->self, round.views, &round.words, round.formation, names, &d);
	if (d.action == ACT_STOP && d.even_running)
		return step_needed(b, "%s", d.why);
	return d.action == ACT_MOVE_ASIDE ? step_needed(b, "%s", d.why) : STEP_DONE;
}

static int highest_generation(const struct records *r, const struct round *round)
{
	int highest = r->words.generation;

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &round->views[i];

		if (v->answered && v->generation > highest)
			highest = v->generation;
		if (v->answered && v->retired > highest)
			highest = v->retired;
	}
	return highest;
}

/* Begins a try to form, once: its id, the cluster's when there is none or it was given up, and a
 * generation that nobody has seen yet. Asked again later it may have to be raised: somebody may
 * answer who has seen more. */
static void begin(struct records *r, const void *arg)
{
	int seen = highest_generation(r, arg);

	if (!*r->formation) {
		_free_ char *formation = crypto_random_hex(16), *cluster = crypto_random_hex(16);

		memcpy(r->formation, formation, ID_LEN);
		if (!*r->cluster || r->formed) {
			memcpy(r->cluster, cluster, ID_LEN);
			r->formed = false;
		}
		seen += !r->words.generation || r->words.generation != seen;
	}
	if (seen > r->generation)
		r->generation = seen;
}

static int ask_promises(struct agent *a, struct round *round, const struct decision *d,
			struct fault *f)
{
	struct ask ask = { .kind = ASK_PROMISE };
	int refused = 0;

	if ((!*a->rec.formation || highest_generation(&a->rec, round) > a->rec.generation) &&
	    agent_record(a, begin, round, f) < 0)
		return -f->code;
	memcpy(ask.digest, a->seed->config->digest, sizeof ask.digest);
	memcpy(ask.formation, a->rec.formation, ID_LEN);
	memcpy(ask.cluster, a->rec.cluster, ID_LEN);
	memcpy(ask.abandons, a->rec.words.abandoned, ID_LEN);
	ask.generation = a->rec.generation;
	/* itself first, and nobody when it refuses */
	for (int n = 0; n < NODE_COUNT && !(n > 0 && refused && d->ask[a->seed->self]); n++) {
		int i = (a->seed->self + n) % NODE_COUNT;
		_answer_ struct answer answer = { 0 };

		if (!d->ask[i])
			continue;
		if (exchange_ask(a->tls, a->seed->config, i, &ask, 3000, &answer, f) == 0 &&
		    answer.same && answer.granted)
			continue;
		if (!f->code)
			fault_set(f, EAGAIN, "%s does not promise: %s", agent_node(a, i)->name,
				  answer.same ? answer.why : "another description");
		refused++;
	}
	return refused ? -EAGAIN : 1;
}

/* From here on this node promises nothing: it stops being blank. False when it is not blank any
 * more, or the promise to NODE on which this step rests (-1: on none) was taken back meanwhile. */
static bool leave_blank(struct agent *a, int node)
{
	const struct promise *p = &a->rec.promise;
	bool ok;

	pthread_mutex_lock(&a->lock);
	ok = a->me.state == NODE_BLANK;
	if (node >= 0)
		ok = ok && p->node == node && str_eq(p->cluster, a->rec.cluster);
	if (node == a->seed->self)
		ok = ok && *a->rec.formation && str_eq(p->formation, a->rec.formation);
	a->leaving_blank = ok;
	pthread_mutex_unlock(&a->lock);
	return ok;
}

static void note_start(struct agent *a)
{
	a->started_ms = timer_now();
	a->alone_since = 0;
	a->unready_since = 0;
	a->unpromoted[0] = 0;
	a->marked = false; /* it may be another cluster now, or another generation */
	a->next_start = timer_now() + backoff_next(&a->restarts, 1000, 60000);
}

/* Every try counts for the pause before the next one, also one that ended at once. */
static int start_k3s(struct agent *a, bool forms, struct fault *f)
{
	int r = k3s_start(a->fs, forms, f);

	note_start(a);
	return r == 0 && !k3s_is_running() ? fault_set(f, EAGAIN, "K3s ended at once") : r;
}

static int form(struct agent *a, struct fault *f)
{
	int r;

	if (!leave_blank(a, a->seed->self))
		return fault_set(f, EAGAIN,
				 "this node is not blank any more, or was asked to give up its "
				 "try: decides again");
	r = k3s_set_server(a->fs, NULL, f);
	if (r == 0)
		r = start_k3s(a, true, f);
	if (r == 0)
		log_info("forms cluster %.8s, generation %d", a->rec.cluster, a->rec.generation);
	return r;
}

struct joining {
	char cluster[ID_LEN];
	int generation;
};

static void record_join(struct records *r, const void *arg)
{
	const struct joining *j = arg;

	r->formed = r->formed && str_eq(r->cluster, j->cluster);
	memcpy(r->cluster, j->cluster, ID_LEN);
	r->generation = j->generation;
	r->formation[0] = 0;
	r->words.abandoned[0] = 0; /* used up */
}

static int join(struct agent *a, struct round *round, int through, struct fault *f)
{
	const struct node_view *peer = &round->views[through];
	struct joining j = { .generation = peer->generation };
	_kube_ struct kube *k = NULL;
	/* While the cluster that we promised is being founded there is no earlier life of ours in
	 * it, its id is the promised one, and no API that could say so yet. */
	bool founding =
		!peer->api_ready && view_is_founding(&round->views[a->seed->self], through, peer);
	int r = founding ? 0 : admin_kube(a, through, &k, f);

	if (r == 0 && !founding)
		r = stale_clear(a, k, round, through, f);
	if (r < 0)
		return r;
	if (!*peer->cluster)
		return fault_set(f, EAGAIN, "%s does not say which cluster it belongs to yet",
				 agent_node(a, through)->name);
	memcpy(j.cluster, peer->cluster, ID_LEN);
	r = founding ? 0 : mark_check(a, k, through, j.cluster, f);
	if (r == 0)
		r = agent_record(a, record_join, &j, f);
	if (r == 0)
		r = k3s_set_server(a->fs, agent_node(a, through)->address, f);
	if (r < 0)
		return r;
	if (!leave_blank(a, founding ? through : -1))
		return fault_set(f, EAGAIN,
				 "this node is not blank any more, or its promise was taken back: "
				 "decides again");
	a->through = through;
	r = start_k3s(a, false, f);
	if (r == 0)
		log_info("joins cluster %.8s through %s", j.cluster, agent_node(a, through)->name);
	return r;
}

static void record_aside(struct records *r, const void *arg)
{
	(void)arg;
	r->formation[0] = 0;
	r->promise = (struct promise){ .node = -1 };
	if (!*r->words.abandoned || !str_eq(r->words.abandoned, r->cluster))
		return;
	/* The word was about this data and is used up with it. So is the word that others are
	 * destroyed: it was said so that this data could go on, and must not let a blank disk form
	 * an empty cluster. */
	r->words = (struct words){ 0 };
	r->cluster[0] = 0;
	r->formed = false;
}

static int move_aside(struct agent *a, struct fault *f)
{
	_free_ char *to = mem_printf(K3S_SERVER "/db-aside-%lld", (long long)time(NULL));
	int r = k3s_stop(a->fs, f);

	if (r == 0)
		r = fs_rename(a->fs, K3S_SERVER "/db", to, f);
	if (r == 0)
		r = agent_record(a, record_aside, NULL, f);
	if (r == 0)
		log_warn("the old cluster data is kept as %s", to);
	return r < 0 ? r
		     : fault_set(f, EAGAIN, "the old cluster data was moved aside: decides again");
}

/* Between the decision and K3s's process this node grants no retirement, and starts nothing that
 * was retired since the decision: who hears "retired" relies on it. */
static bool begin_start(struct agent *a, const struct round *round)
{
	pthread_mutex_lock(&a->lock);
	a->starting = a->rec.retired == round->views[a->seed->self].retired && !a->rec.recovering;
	pthread_mutex_unlock(&a->lock);
	return a->starting;
}

static int start(struct agent *a, const struct round *round, struct fault *f)
{
	int r;

	if (!begin_start(a, round))
		return fault_set(f, EAGAIN, "a recovery began this moment: decides again");
	r = start_k3s(a, false, f);
	pthread_mutex_lock(&a->lock);
	a->starting = false;
	pthread_mutex_unlock(&a->lock);
	return r < 0 ? r : k3s_allow_restart(a->fs, f);
}

static bool starts_k3s(enum action a)
{
	return a == ACT_FORM || a == ACT_JOIN || a == ACT_START;
}

/* A K3s that keeps ending is started again, but ever more slowly, and with the reason its journal
 * gives. */
static int may_start(struct agent *a, struct fault *f)
{
	struct fault why = { 0 };

	if (timer_now() >= a->next_start)
		return 0;
	if (!k3s_trouble(&why))
		fault_set(&why, EIO,
			  "K3s ended without a word that is known; see journalctl -u k3s");
	return fault_set(f, EAGAIN, "%s; tries again in %lld s", why.text,
			 (long long)(a->next_start - timer_now()) / 1000 + 1);
}

/* What a person needs beside the decision: why the silent ones are silent. */
static int waits(const struct round *round, const struct decision *d, struct fault *f)
{
	_str_ struct str s = { 0 };

	str_add(&s, d->why);
	for (int i = 0; i < NODE_COUNT; i++)
		if (*round->trouble[i])
			str_addf(&s, " [%s]", round->trouble[i]);
	return fault_set(f, EAGAIN, "%s", s.p);
}

static int act(struct agent *a, struct round *round, struct decision *d, struct fault *f)
{
	switch (d->action) {
	case ACT_ASK_PROMISES:
		return ask_promises(a, round, d, f);
	case ACT_FORM:
		return form(a, f);
	case ACT_JOIN:
		return join(a, round, d->through, f);
	case ACT_START:
		return start(a, round, f);
	case ACT_MOVE_ASIDE:
		return move_aside(a, f);
	case ACT_STOP:
		if (d->even_running && k3s_is_running() && k3s_stop(a->fs, f) < 0)
			return -f->code;
		return waits(round, d, f);
	case ACT_WAIT:
		break;
	}
	return waits(round, d, f);
}

/* The word that a node is destroyed was about the disk of that time: it ends when what came in its
 * place has data, or is in our list. */
static bool is_back(const struct round *round, int self, int i)
{
	const struct node_view *me = &round->views[self];

	if (round->views[i].answered && round->views[i].self)
		return true;
	for (int k = 0; k < me->n_voters; k++)
		if (me->voters[k].node == i)
			return true;
	for (int k = 0; k < me->n_learners; k++)
		if (me->learners[k].node == i)
			return true;
	return false;
}

/* Only these: another word may have come since. */
static void end_missing(struct records *r, const void *arg)
{
	const bool *back = arg;

	for (int i = 0; i < NODE_COUNT; i++)
		r->words.missing[i] = r->words.missing[i] && !back[i];
}

static int end_words(struct agent *a, struct round *round, struct fault *f)
{
	bool back[NODE_COUNT] = { false }, changed = false;

	for (int i = 0; i < NODE_COUNT; i++) {
		back[i] = round->words.missing[i] && is_back(round, a->seed->self, i);
		round->words.missing[i] = round->words.missing[i] && !back[i];
		changed = changed || back[i];
	}
	return changed ? agent_record(a, end_missing, back, f) : 0;
}

int step_cluster_apply(struct boot *b, struct fault *f)
{
	struct agent *a = b->agent;
	const char *names[NODE_COUNT];
	struct decision d;
	struct round round;
	int r;

	if (!a)
		return fault_set(f, EAGAIN, "the node exchange does not run");
	agent_look(a, &round);
	if (round.recovering && round.views[a->seed->self].state != NODE_UNKNOWN)
		return recover_go(a, &round, f);
	if (end_words(a, &round, f) < 0)
		return -f->code;
	agent_names(a, names);
	/* Promises that were just given decide at once: no round of waiting between asking and
	 * forming. */
	do {
		decide(a->seed->self, round.views, &round.words, a->rec.formation, names, &d);
		/* what was agreed is worth knowing even where it cannot be carried out */
		if (d.action != ACT_ASK_PROMISES && !k3s_installed(a->fs))
			return fault_set(f, ENOPKG,
					 "%s; but there is no /usr/local/bin/k3s on this machine",
					 d.why);
		if (starts_k3s(d.action) && may_start(a, f) < 0)
			return clocks_blame(a, &round, f);
		r = act(a, &round, &d, f);
		if (r == 1)
			agent_look(a, &round);
	} while (r == 1);
	return r < 0 ? clocks_blame(a, &round, f) : r;
}
