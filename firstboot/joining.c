/* A K3s that was started to join and is not a voter yet: it needs the members, and they may be
 * gone. Left to itself it waits for K3s's next tick, or for ever. */
#include "firstboot/cluster.h"
#include "firstboot/etcd_wal.h"
#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>

/* K3s looks for the promotion when containerd has come up, some 0.4 s after etcd has caught up, and
 * then each 5 s only (measured): so quickly at first. */
#define PROMOTE_EAGER 10 /* times */
#define PROMOTE_EAGER_MS 150
#define PROMOTE_MS 1000
#define PROMOTE_LIMIT 2000
#define ALONE_EVERY 5000
#define ALONE_MS 30000

static bool is_voter(const struct node_view *v, uint64_t id)
{
	for (int i = 0; i < v->n_voters; i++)
		if (v->voters[i].id == id)
			return true;
	return false;
}

/* 1 it did, or has been done; 0 not, with the reason kept. */
static int ask_one(struct agent *a, int i, const struct ask *ask)
{
	_answer_ struct answer answer = { 0 };
	struct fault f = { 0 };

	if (exchange_ask(a->tls, a->seed->config, i, ask, PROMOTE_LIMIT, &answer, &f) < 0 ||
	    !answer.same)
		return 0;
	if (answer.granted)
		log_info("%s made this node a voter", agent_node(a, i)->name);
	if (answer.granted || is_voter(&answer.view, ask->member))
		return 1;
	snprintf(a->unpromoted, sizeof a->unpromoted, "%s: %.300s", agent_node(a, i)->name,
		 answer.why);
	return 0;
}

/* The id of the learner that this node runs; 0 = it is none, or does not run. Its etcd cannot be
 * asked who it is: it serves nobody before it has told the cluster its name, which can take ten
 * seconds (measured). Its log says it; of a running etcd what is being written this moment is read
 * the next time. */
static uint64_t learner_here(const struct agent *a)
{
	_etcd_wal_ struct etcd_wal wal = { 0 };

	if (a->me.state == NODE_MEMBER || *a->rec.formation || !k3s_is_running() ||
	    !k3s_has_wal(a->fs) || etcd_wal_read(&wal, a->fs, K3S_ETCD "/member/wal", 0, NULL) < 0)
		return 0;
	return wal.self;
}

void joining_ask_promotion(struct agent *a)
{
	static uint64_t learner, done;
	static int64_t asked, of; /* the start of K3s that DONE is of */
	static int times;
	struct ask ask = { .kind = ASK_PROMOTE };

	if (done && of == a->started_ms)
		return;
	if (timer_now() - asked < (times < PROMOTE_EAGER ? PROMOTE_EAGER_MS : PROMOTE_MS))
		return;
	asked = timer_now();
	ask.member = learner_here(a);
	if (!ask.member || ask.member == done)
		return;
	times = ask.member == learner ? times + 1 : 0;
	learner = ask.member;
	memcpy(ask.digest, a->seed->config->digest, sizeof ask.digest);
	for (int n = 0; n < NODE_COUNT && done != ask.member; n++) {
		int i = (a->through + n) % NODE_COUNT;

		if (i != a->seed->self && ask_one(a, i, &ask))
			done = ask.member;
	}
	if (done != ask.member)
		return;
	of = a->started_ms;
	a->unpromoted[0] = 0;
}

/* By its list of members, which K3s tells with a quorum only, and long before its API is ready:
 * that a K3s answers at all means nothing, it may be one that is joining like ours. */
static bool cluster_answers(struct agent *a)
{
	struct etcd_disk d;

	for (int i = 0; i < NODE_COUNT; i++)
		if (i != a->seed->self && k3s_members_at(NULL, agent_node(a, i)->address,
							 a->seed->secrets, &d, NULL) == 0)
			return true;
	return false;
}

/* A K3s that was started to join, and whom nobody answers any more, waits for ever, and as long as
 * it runs nobody can read from its disk what became of it: not the founder either, which will not
 * start before it knows. So it is stopped, and decided again by what is there. */
int joining_give_up(struct agent *a, struct fault *f)
{
	static int64_t looked;

	if (a->me.state == NODE_MEMBER || a->me.n_voters || *a->rec.formation ||
	    timer_now() - looked < ALONE_EVERY)
		return 0;
	looked = timer_now();
	if (cluster_answers(a)) {
		a->alone_since = 0;
		return 0;
	}
	if (!a->alone_since)
		a->alone_since = timer_now();
	if (timer_now() - a->alone_since < ALONE_MS)
		return 0;
	a->alone_since = 0;
	log_warn("the cluster that this node was joining does not answer: stops K3s and decides "
		 "again");
	if (k3s_stop(a->fs, f) < 0)
		return -f->code;
	return fault_set(f, EAGAIN, "the cluster that this node was joining does not answer");
}
