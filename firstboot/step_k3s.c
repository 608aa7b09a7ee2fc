/* Step `k3s`: waits until K3s is truly ready (its own readyz, this node a voter by its own etcd),
 * says meanwhile what its journal complains of, and then writes down what has become true: this
 * disk belongs to the cluster, the promise is fulfilled. */
#include "firstboot/cluster.h"
#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "firstboot/plan.h"
#include "firstboot/steps.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>

#define JOURNAL_MS 5000
#define JOURNAL_AFTER 8000 /* what K3s says of itself at first is that it starts */
#define SEEN_MS 2000

static bool words_hold(const struct records *r)
{
	for (int i = 0; i < NODE_COUNT; i++)
		if (r->words.missing[i])
			return true;
	return *r->words.abandoned || r->words.generation || r->recover_reset;
}

static bool recorded(const struct agent *a)
{
	const struct records *r = &a->rec;

	return r->formed && r->promise.node < 0 && !*r->formation && !r->retired &&
	       !(words_hold(r) && a->me.n_voters == NODE_COUNT && !r->recovering);
}

int step_k3s_check(struct boot *b, struct fault *f)
{
	struct agent *a = b->agent;
	struct fault why = { 0 };

	(void)f;
	if (!a)
		return plan_ask_daemon(b, "k3s", "K3s is started by the decision before");
	if (!k3s_is_running())
		return step_needed(b, "K3s does not run");
	/* what apply saw a moment ago is not asked again: under load one slow answer more is no
	 * news */
	if (timer_now() - a->seen_ready > SEEN_MS &&
	    k3s_ready(&a->api[b->seed->self], boot_node(b)->address, b->seed->secrets, K3S_OWN_MS,
		      &why) < 0)
		return step_needed(b, "K3s is not ready: %s", why.text);
	a->unready_since = 0;
	agent_refresh(a);
	if (a->me.state != NODE_MEMBER)
		return step_needed(b, "K3s is ready, this node is not a voter yet");
	return a->marked && recorded(a) && fs_exists(&b->fs, K3S_PERMIT)
		       ? STEP_DONE
		       : step_needed(b, "what has become true is to be written down");
}

static void record_voter(struct records *r, const void *arg)
{
	const struct node_view *me = arg;

	r->formed = true;
	r->promise = (struct promise){ .node = -1 };
	r->formation[0] = 0;
	r->retired = 0;
	r->retired_for = 0;
	if (me->n_voters == NODE_COUNT && !r->recovering) {
		r->words = (struct words){ 0 };
		r->recover_reset = false;
	}
}

static int write_down(struct boot *b, struct fault *f)
{
	struct agent *a = b->agent;
	int other = (b->seed->self + 1) % NODE_COUNT, r;

	for (int i = 0; i < a->me.n_voters; i++)
		if (a->me.voters[i].node >= 0 && a->me.voters[i].node != b->seed->self)
			other = a->me.voters[i].node;
	r = k3s_set_server(&b->fs, agent_node(a, other)->address, f);
	if (r == 0)
		r = k3s_allow_restart(&b->fs, f);
	if (r == 0 && !recorded(a))
		r = agent_record(a, record_voter, &a->me, f);
	if (r == 0 && !a->marked)
		r = mark_write(a, f);
	if (r == 0) {
		a->marked = true;
		stale_done(a);
		backoff_reset(&a->restarts);
		a->next_start = 0;
	}
	return r;
}

/* What K3s complains of in its journal while it lives and is not ready; NULL: nothing that is
 * known. Asked every JOURNAL_MS, once it had time to begin. */
static const char *complaint(const struct agent *a)
{
	static struct fault said;
	static int64_t looked, of;

	if (timer_now() - a->started_ms < JOURNAL_AFTER)
		return NULL;
	if (of != a->started_ms || timer_now() - looked >= JOURNAL_MS) {
		fault_clear(&said);
		k3s_trouble(&said);
		looked = timer_now();
		of = a->started_ms;
	}
	return said.code ? said.text : NULL;
}

/* Such a K3s is known to sit for ever in "activating" (measured). */
static int leave(struct agent *a, const char *said, struct fault *f)
{
	log_warn("K3s says that this member was removed: stops it to join afresh");
	return k3s_stop(a->fs, f) < 0 ? -f->code : fault_set(f, EAGAIN, "%s", said);
}

/* K3s runs and is not ready: what is done about it, and what a person needs to know. READY is what
 * it says itself. */
static int not_ready(struct agent *a, const char *ready, struct fault *f)
{
	const char *said = complaint(a);
	int r = joining_give_up(a, f);

	if (r < 0)
		return r;
	if (said && strstr(said, "removed from the cluster"))
		return leave(a, said, f);
	if (timer_now() - a->started_ms >= JOURNAL_AFTER && a->me.state == NODE_MEMBER &&
	    a->me.n_voters > 1 && k3s_lacks_quorum())
		return fault_set(
			f, EAGAIN,
			"K3s has no quorum: this disk names %d voters, and more than half must be "
			"up. If the others are lost for good: `phoenix recover --keep %s`",
			a->me.n_voters, agent_node(a, a->seed->self)->name);
	return k3s_unready(timer_now() - a->unready_since, ready, a->unpromoted, said, f);
}

int step_k3s_apply(struct boot *b, struct fault *f)
{
	struct agent *a = b->agent;
	struct fault ready = { 0 };

	if (!a || !k3s_is_running()) {
		if (a)
			a->unready_since = 0;
		if (!a || !k3s_trouble(f))
			return fault_set(f, EAGAIN, "K3s ended");
		return fault_set(f, EAGAIN, "K3s ended: %s", f->text);
	}
	/* With data on the disk a restart is safe: the data decides. Before, every start is a
	 * decision of ours. */
	if (k3s_has_wal(&b->fs) && !fs_exists(&b->fs, K3S_PERMIT) &&
	    k3s_allow_restart(&b->fs, f) < 0)
		return -f->code;
	if (k3s_ready(&a->api[b->seed->self], boot_node(b)->address, b->seed->secrets, K3S_OWN_MS,
		      &ready) == 0) {
		a->seen_ready = timer_now();
		a->unready_since = 0;
		agent_refresh(a);
		return a->me.state == NODE_MEMBER ? write_down(b, f)
						  : fault_set(f, EAGAIN, "waits to become a voter");
	}
	if (!a->unready_since)
		a->unready_since = timer_now();
	return not_ready(a, ready.text, f);
}
