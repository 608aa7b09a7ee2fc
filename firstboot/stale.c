/* A re-flashed machine meets its own ghost: the cluster still has the etcd member, the Node and the
 * node password of the disk that is gone, and K3s refuses to join beside them ("duplicate node
 * name"). This removes the ghost, with no human step, but only when it is one: "Ready" in the API
 * is up to 50 s late and cloned machines share machine-ids, so a living namesake shows by its lease
 * (renewed while we watch) or by its MAC (it answers ARP for our address). And only when the
 * cluster can spare it: two healthy voters besides, nobody else joining, one removal at a time. */
#include "firstboot/arp.h"
#include "firstboot/cluster.h"
#include "firstboot/k3s.h"
#include "firstboot/nic.h"
#include "firstboot/paths.h"
#include "lib/crypto.h"
#include "lib/lease.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>

/* Kubelet leases last 8 s and are renewed each 2 s, at most 6.6 s when saturated: no renewal for 10
 * s on our clock is the earliest sound "dead" (measured). */
#define DEAD_MS 10000
#define PROBE_MS 250 /* a neighbour on the same wire answers within one */
/* K3s removes the member of a deleted Node within a minute, unless the Node was deleted before K3s
 * had marked it (a finalizer, some seconds after it is Ready): then never (seen). */
#define ORPHAN_MS 75000

/* What was seen of the namesake's lease, and since when; survives between rounds. */
static struct {
	char renewed[64];
	int64_t since;
} seen;

static const char *own_name(const struct agent *a)
{
	return agent_node(a, a->seed->self)->name;
}

/* Since when the lease has been what it is now: the others may have watched it for longer than we
 * have. */
static void seen_by_others(const struct round *round)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct pulse *p = &round->pulse[i];

		if (str_eq(p->renewed, seen.renewed) && timer_now() - p->age_ms < seen.since)
			seen.since = timer_now() - p->age_ms;
	}
}

static int namesake_lives(const struct agent *a, const struct round *round, struct kube *k,
			  struct fault *f)
{
	_free_ char *path = mem_printf(
		"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/%s", own_name(a));
	_json_ struct json *lease = NULL;
	const char *renewed;
	int r = kube_get(k, path, &lease, f);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	renewed = json_string(json_get(lease, "spec", "renewTime", NULL));
	if (!renewed)
		renewed = "never";
	if (!str_eq(renewed, seen.renewed)) {
		bool changed = *seen.renewed;

		snprintf(seen.renewed, sizeof seen.renewed, "%s", renewed);
		seen.since = timer_now();
		if (changed && RULE(RULE_NAMESAKE))
			return fault_set(
				f, EEXIST,
				"another machine is alive as %s: it renewed its lease while we "
				"watched. Two machines run with one seed; give each its own",
				own_name(a));
	}
	seen_by_others(round);
	if (timer_now() - seen.since < DEAD_MS && RULE(RULE_NAMESAKE))
		return fault_set(f, EAGAIN, "watches for %d s whether another machine lives as %s",
				 DEAD_MS / 1000, own_name(a));
	return 0;
}

/* A router that answers for everybody (proxy ARP) is no second owner. Not being able to ask is none
 * either: the lease is the evidence. */
static int address_taken(const struct agent *a, struct fault *f)
{
	const struct node_config *n = agent_node(a, a->seed->self);
	_free_ char *interface = nic_by_mac(a->fs, n->mac);
	char mac[18];

	if (interface &&
	    arp_stranger(interface, n->address, a->seed->config->gateway, PROBE_MS, mac, NULL) > 0)
		return fault_set(f, EEXIST,
				 "another machine (MAC %s) answers for our address %s: two "
				 "machines run with one seed",
				 mac, n->address);
	return 0;
}

/* NODE's member id in that list; 0 = none. */
static uint64_t listed(const struct voter *v, int n, int node)
{
	for (int i = 0; i < n; i++)
		if (v[i].node == node)
			return v[i].id;
	return 0;
}

/* Enough left to remove a voter safely? */
static int can_spare(const struct agent *a, const struct round *round, const struct node_view *peer,
		     struct fault *f)
{
	int healthy = 0;

	for (int i = 0; i < NODE_COUNT; i++)
		healthy += i != a->seed->self && round->views[i].answered &&
			   round->views[i].api_ready && round->views[i].state == NODE_MEMBER;
	for (int i = 0; i < peer->n_learners; i++)
		if (peer->learners[i].node != a->seed->self)
			return fault_set(f, EAGAIN, "waits: another node is just joining");
	if (healthy < 2)
		return fault_set(f, EAGAIN,
				 "the cluster still counts this node's old disk as a voter and "
				 "only %d other is healthy: removing it waits for both others",
				 healthy);
	return 0;
}

/* A member without a Node is removed by the peer itself. */
static int release(const struct agent *a, int through, uint64_t member, struct fault *f)
{
	struct ask ask = { .kind = ASK_RELEASE, .member = member };
	_answer_ struct answer answer = { 0 };
	int r;

	memcpy(ask.digest, a->seed->config->digest, sizeof ask.digest);
	r = exchange_ask(a->tls, a->seed->config, through, &ask, 5000, &answer, f);
	if (r < 0)
		return r;
	return fault_set(f, EAGAIN,
			 answer.granted ? "the member of the old disk was removed: looks again"
					: "the cluster still has a member of the old disk: %s",
			 answer.why);
}

/* The cluster has a voter of this name and no Node. */
static int orphan(const struct agent *a, const struct round *round, int through, uint64_t member,
		  struct fault *f)
{
	static uint64_t seen_member;
	static int64_t since;
	int r;

	if (member != seen_member) {
		seen_member = member;
		since = timer_now();
	}
	if (timer_now() - since < ORPHAN_MS)
		return fault_set(f, EAGAIN,
				 "the cluster has an etcd member but no Node of this name: waits "
				 "until K3s removed it");
	r = can_spare(a, round, &round->views[through], f);
	return r < 0 ? r : release(a, through, member, f);
}

/* One for the life of this process: that another's lapsed is judged from an earlier look. The nonce
 * keeps a predecessor that was cut off from being taken for us. */
static struct lease one = { .ns = "kube-system", .name = "phoenix-rejoin", .duration_ms = 90000 };

void stale_done(struct agent *a)
{
	_kube_ struct kube *k = NULL;
	struct fault f = { 0 };

	seen.renewed[0] = 0; /* the lease is our own from now on */
	if (!one.holder || !lease_held(&one))
		return;
	if (admin_kube(a, a->seed->self, &k, &f) < 0 || lease_release(&one, k, &f) < 0)
		log_warn("the next one to re-join waits up to %d s: %s", one.duration_ms / 1000,
			 f.text);
}

/* The Node's finalizers are worked off by whoever holds these leases; a dead holder keeps them for
 * 45 s (measured: a re-flash of the leader took 74 s). That it is dead was shown before: so they
 * are given up in its name, as it would have done at a stop. */
static void give_up_leases(const struct agent *a, struct kube *k)
{
	static const char *const names[] = { "k3s", "k3s-etcd" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_free_ char *path = mem_printf(
			"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/%s", names[i]);
		_json_ struct json *now = NULL, *patch = json_object();
		struct json *meta = json_object(), *spec = json_object();
		struct fault f = { 0 };

		json_set(patch, "metadata", meta);
		json_set(patch, "spec", spec);
		if (kube_get(k, path, &now, &f) < 0 ||
		    !str_eq(json_string(json_get(now, "spec", "holderIdentity", NULL)),
			    own_name(a)))
			continue;
		json_set_str(meta, "resourceVersion",
			     json_string(json_get(now, "metadata", "resourceVersion", NULL)));
		json_set_str(spec, "holderIdentity", "");
		json_set_int(spec, "leaseDurationSeconds", 1);
		if (kube_patch(k, path, patch, NULL, &f) < 0)
			log_warn("lease %s of the old %s runs out by itself: %s", names[i],
				 own_name(a), f.text);
	}
}

static int delete_node(struct agent *a, struct kube *k, const struct json *node, struct fault *f)
{
	_free_ char *path = mem_printf("/api/v1/nodes/%s", own_name(a));
	const char *uid = json_string(json_get(node, "metadata", "uid", NULL));
	_str_ struct str who = { 0 };
	int r;

	if (json_get(node, "metadata", "deletionTimestamp", NULL))
		return fault_set(f, EAGAIN,
				 "waits until the cluster has removed the old member (up to a "
				 "minute when the dead one led)");
	if (!one.holder) {
		_free_ char *nonce = crypto_random_hex(4);

		one.holder = mem_printf("%s/%s", own_name(a), nonce);
	}
	r = lease_acquire(&one, k, &who, f);
	if (r == 0)
		return fault_set(f, EAGAIN, "waits: %s is just being re-joined", str_text(&who));
	if (r < 0)
		return r;
	give_up_leases(a, k);
	r = kube_delete(k, path, uid, NULL, f);
	if (r < 0 && r != -ENOENT)
		return r;
	log_info("the old Node %s was deleted; K3s removes its etcd member", own_name(a));
	return fault_set(f, EAGAIN,
			 "the old Node was deleted: waits until its etcd member is gone");
}

/* The secret that holds the old disk's Node password goes with its Node, but a moment later: who joins
 * in between is given the new Node as the secret's owner and is refused by it for ever (measured). */
static int forget_password(const struct agent *a, struct kube *k, struct fault *f)
{
	_free_ char *path = mem_printf(
		"/api/v1/namespaces/kube-system/secrets/%s.node-password.k3s", own_name(a));
	int r = kube_delete(k, path, NULL, NULL, f);

	if (r < 0 && r != -ENOENT) {
		fault_wrap(f, "removes the old Node's password");
		return r;
	}
	fault_clear(f);
	return 0;
}

/* What the peer told is as old as its last look at its etcd (3 s); its K3s knows what is so now. */
static bool gone_since(const struct agent *a, int through)
{
	struct etcd_disk now;

	if (k3s_members_at(NULL, agent_node(a, through)->address, a->seed->secrets, &now, NULL) < 0)
		return false;
	for (int i = 0; i < now.n; i++)
		if (agent_node_of(a, &now.members[i]) == a->seed->self)
			return false;
	return true;
}

int stale_clear(struct agent *a, struct kube *k, const struct round *round, int through,
		struct fault *f)
{
	const struct node_view *peer = &round->views[through];
	_free_ char *path = mem_printf("/api/v1/nodes/%s", own_name(a));
	uint64_t voter = listed(peer->voters, peer->n_voters, a->seed->self);
	uint64_t learner = listed(peer->learners, peer->n_learners, a->seed->self);
	_json_ struct json *node = NULL;
	int r = kube_get(k, path, &node, f);

	if (r == -ENOENT && ((!voter && !learner) || gone_since(a, through)))
		return forget_password(a, k, f);
	if (r == -ENOENT && learner)
		return release(a, through, learner, f);
	if (r == -ENOENT)
		return orphan(a, round, through, voter, f);
	if (r < 0)
		return fault_wrap(f, "looks for an old Node");
	if (!json_get(node, "metadata", "deletionTimestamp", NULL) &&
	    ((r = namesake_lives(a, round, k, f)) < 0 || (r = address_taken(a, f)) < 0))
		return r;
	if (voter && (r = can_spare(a, round, peer, f)) < 0)
		return r;
	return delete_node(a, k, node, f);
}
