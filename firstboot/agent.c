/* See agent.h. */
#include "firstboot/agent.h"

#include "firstboot/data_mount.h"
#include "firstboot/etcd_disk.h"
#include "firstboot/k3s.h"
#include "firstboot/paths.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <stdio.h>

#define LOOK_MS 1500
#define SERVE_MS 2000

const struct node_config *agent_node(const struct agent *a, int i)
{
	return &a->seed->config->nodes[i];
}

void agent_names(const struct agent *a, const char *names[NODE_COUNT])
{
	for (int i = 0; i < NODE_COUNT; i++)
		names[i] = agent_node(a, i)->name;
}

/* K3s names a member "<node>-<8 hex>"; a learner that never started has no name yet, but an
 * address. */
int agent_node_of(const struct agent *a, const struct etcd_member *m)
{
	const char *dash = strrchr(m->name, '-');

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_config *n = agent_node(a, i);
		size_t len = strlen(n->name);

		if (*m->name ? dash == m->name + len && strncmp(m->name, n->name, len) == 0
			     : str_eq(m->address, n->address))
			return i;
	}
	return -1;
}

const struct etcd_member *agent_member(const struct agent *a, const struct etcd_disk *d, int node,
				       uint64_t id)
{
	for (int i = 0; i < d->n; i++)
		if (d->members[i].id == id && agent_node_of(a, &d->members[i]) == node)
			return &d->members[i];
	return NULL;
}

static void view_of_etcd(const struct agent *a, const struct etcd_disk *d, struct node_view *v)
{
	const struct etcd_member *self = etcd_disk_self(d);

	v->self = d->self;
	v->removed = d->removed_self;
	v->n_voters = v->n_learners = 0;
	for (int i = 0; i < d->n; i++) {
		struct voter one = { agent_node_of(a, &d->members[i]), d->members[i].id };

		if (d->members[i].learner && v->n_learners < VOTERS_MAX)
			v->learners[v->n_learners++] = one;
		else if (!d->members[i].learner && v->n_voters < VOTERS_MAX)
			v->voters[v->n_voters++] = one;
	}
	v->state = self && !self->learner && !d->removed_self ? NODE_MEMBER : NODE_JOINING;
}

/* The etcd data as it is now. A running etcd is asked; while it starts, the last look at the disk
 * stays true: what it will start from was read before the start. Reading the files under a running
 * etcd would see half-written pages. */
static int look_at_etcd(struct agent *a, bool runs, struct node_view *v, struct fault *f)
{
	struct etcd_disk d;
	int r;

	if (runs) {
		r = k3s_members(&a->etcd, a->fs, &d, NULL);
		if (r == 0 && d.n)
			view_of_etcd(a, &d, v);
		else if ((v->state == NODE_UNKNOWN && !v->damaged) || v->state == NODE_BLANK)
			v->state = k3s_has_wal(a->fs) ? NODE_JOINING : v->state;
		return 0;
	}
	r = etcd_disk_read(a->fs, K3S_ETCD, &d, f);
	if (r < 0)
		return r;
	if (d.has_wal) {
		view_of_etcd(a, &d, v);
		return 0;
	}
	*v = (struct node_view){ .state = NODE_BLANK };
	return 0;
}

static void fill_from_records(const struct records *r, struct node_view *v)
{
	v->answered = true;
	v->promise = r->promise;
	memcpy(v->cluster, r->cluster, ID_LEN);
	v->generation = r->generation;
	v->retired = r->retired;
	v->retired_for = r->retired_for;
	v->marker[0] = 0;
	if (v->state == NODE_BLANK && r->formed && !str_eq(r->cluster, r->words.abandoned))
		memcpy(v->marker, r->cluster, ID_LEN);
	v->empty_log = v->state == NODE_JOINING && v->self && !v->n_voters && !v->n_learners &&
		       !v->removed && !r->formed;
}

void agent_refresh(struct agent *a)
{
	bool ours = false, runs = k3s_is_running();
	struct fault f = { 0 };
	struct node_view v;
	int r, etcd = 0;

	pthread_mutex_lock(&a->lock);
	v = a->me;
	pthread_mutex_unlock(&a->lock);
	/* Without the lock, so that a slow disk or etcd keeps nobody from an answer; what is looked
	 * at here changes by this thread alone. */
	r = data_state(a->boot, &ours, &f);
	if (r == 0 && ours)
		etcd = look_at_etcd(a, runs, &v, &f);
	pthread_mutex_lock(&a->lock);
	if (r == 0 && ours)
		r = records_load(a->fs, STATE_DIR, &a->rec, etcd < 0 ? NULL : &f);
	if (r < 0 || etcd < 0 || !ours) {
		v = (struct node_view){ .state = NODE_UNKNOWN,
					.damaged = r == 0 && etcd == -EBADMSG };
		snprintf(a->trouble, sizeof a->trouble, "%s",
			 f.code ? f.text : "the data partition is not mounted");
	} else {
		a->trouble[0] = 0;
	}
	fill_from_records(&a->rec, &v);
	/* also when K3s ended without having left anything: only the main thread starts it, and it
	 * is here */
	if (v.state != NODE_BLANK || !runs)
		a->leaving_blank = false;
	a->me = v;
	pthread_mutex_unlock(&a->lock);
}

struct look {
	struct agent *a;
	int node;
	struct round *round;
	pthread_t thread;
	bool started;
	bool runs;	     /* K3s, on this node */
	struct node_view me; /* copied under the lock */
};

/* Only of the one that we promised to: for everybody else its ready API is what counts. */
static void look_at_founder(const struct look *l, struct node_view *v)
{
	struct node_view asked = *v;
	struct etcd_disk d;

	asked.serves_list = true;
	if (!view_is_founding(&l->me, l->node, &asked) ||
	    k3s_members_at(&l->a->api[l->node], agent_node(l->a, l->node)->address,
			   l->a->seed->secrets, &d, NULL) < 0)
		return;
	for (int i = 0; i < d.n; i++)
		v->serves_list |=
			agent_node_of(l->a, &d.members[i]) == l->node && !d.members[i].learner;
	for (int i = 0; i < d.n; i++)
		v->serves_list &= agent_node_of(l->a, &d.members[i]) != l->a->seed->self;
}

static void *look_at(void *arg)
{
	struct look *l = arg;
	struct agent *a = l->a;
	struct node_view *v = &l->round->views[l->node];
	char *trouble = l->round->trouble[l->node];
	_answer_ struct answer answer = { 0 };
	struct ask ask = { .kind = ASK_LOOK };
	struct fault f = { 0 };
	int r;

	memcpy(ask.digest, a->seed->config->digest, sizeof ask.digest);
	if (exchange_ask(a->tls, a->seed->config, l->node, &ask, LOOK_MS, &answer, &f) < 0) {
		snprintf(trouble, WHY_LEN, "%s", f.text);
		return NULL;
	}
	if (!answer.same) {
		snprintf(trouble, WHY_LEN, "%s runs another description (%.12s…, here %.12s…)",
			 answer.node, answer.digest, a->seed->config->digest);
		return NULL;
	}
	*v = answer.view;
	v->answered = true;
	if (answer.time > 0)
		l->round->clock_ahead[l->node] = (int64_t)time(NULL) - answer.time;
	l->round->pulse[l->node] = answer.pulse[a->seed->self];
	/* who runs in the same cluster need not know whether it could join it: each question costs
	 * a handshake */
	if (l->runs && str_eq(v->cluster, l->me.cluster))
		return NULL;
	look_at_founder(l, v);
	if (v->state != NODE_MEMBER)
		return NULL;
	r = k3s_ready(&a->api[l->node], agent_node(a, l->node)->address, a->seed->secrets,
		      K3S_PEER_MS, &f);
	v->api_ready = r == 0;
	/* that it only starts is what everybody sees; these need a person */
	if (r < 0 && r != -EAGAIN && r != -ECONNREFUSED && r != -ETIMEDOUT)
		snprintf(trouble, WHY_LEN, "%s: %.350s", agent_node(a, l->node)->name, f.text);
	return NULL;
}

void agent_look(struct agent *a, struct round *ret)
{
	struct look looks[NODE_COUNT];
	int self = a->seed->self;
	bool runs = k3s_is_running();

	*ret = (struct round){ 0 };
	for (int i = 0; i < NODE_COUNT; i++) {
		looks[i] = (struct look){ .a = a, .node = i, .round = ret, .runs = runs };
		pthread_mutex_lock(&a->lock);
		looks[i].me = a->me;
		pthread_mutex_unlock(&a->lock);
		if (i == self)
			continue;
		looks[i].started = pthread_create(&looks[i].thread, NULL, look_at, &looks[i]) == 0;
		if (!looks[i].started)
			look_at(&looks[i]);
	}
	for (int i = 0; i < NODE_COUNT; i++)
		if (looks[i].started)
			pthread_join(looks[i].thread, NULL);
	agent_refresh(a);
	pthread_mutex_lock(&a->lock);
	ret->views[self] = a->me;
	ret->words = a->rec.words;
	ret->recovering = a->rec.recovering;
	memcpy(ret->formation, a->rec.formation, ID_LEN);
	if (*a->trouble)
		snprintf(ret->trouble[self], WHY_LEN, "%s", a->trouble);
	else if (*a->unsaved)
		snprintf(ret->trouble[self], WHY_LEN, "on this node: %.380s", a->unsaved);
	for (int i = 0; i < NODE_COUNT; i++)
		a->silent[i] = i != self && !ret->views[i].answered;
	pthread_mutex_unlock(&a->lock);
}

bool agent_heard(struct agent *a)
{
	bool heard;

	pthread_mutex_lock(&a->lock);
	heard = a->awake;
	a->awake = false;
	pthread_mutex_unlock(&a->lock);
	return heard;
}

int agent_save(struct agent *a, const struct records *next, struct fault *f)
{
	struct fault why = { 0 };
	int r = records_save(a->fs, STATE_DIR, next, &why);

	a->unsaved[0] = '\0';
	if (r < 0) {
		snprintf(a->unsaved, WHY_LEN, "could not be written down: %.350s", why.text);
		return fault_set(f, why.code, "%s", a->unsaved);
	}
	a->rec = *next;
	return 0;
}

int agent_record(struct agent *a, void (*change)(struct records *r, const void *arg),
		 const void *arg, struct fault *f)
{
	struct records next;
	int r;

	pthread_mutex_lock(&a->lock);
	next = a->rec;
	change(&next, arg);
	r = agent_save(a, &next, f);
	if (r == 0)
		fill_from_records(&a->rec, &a->me);
	pthread_mutex_unlock(&a->lock);
	return r;
}

void agent_set_status(struct agent *a, const struct str *text)
{
	struct json *status = NULL;

	if (str_eq(a->status_text, str_text(text)) ||
	    json_parse(str_text(text), text->len, &status, NULL) < 0)
		return;
	free(a->status_text);
	a->status_text = mem_strdup(str_text(text));
	pthread_mutex_lock(&a->lock);
	json_freep(&a->status);
	a->status = status;
	pthread_mutex_unlock(&a->lock);
}

static void *serve(void *arg)
{
	struct agent *a = arg;

	for (;;) {
		struct pollfd p = { a->listener, POLLIN, 0 };
		struct fault f = { 0 };

		if (poll(&p, 1, -1) < 0)
			continue;
		if (tls_serve_one(a->tls, a->listener, SERVE_MS, agent_answer, a, &f) < 0 &&
		    f.code != EAGAIN)
			log_debug("node exchange: %s", f.text);
	}
	return NULL;
}

int agent_start(struct boot *b, struct agent **ret, struct fault *f)
{
	const struct secrets *s = b->seed->secrets;
	struct agent *a = mem_alloc(sizeof *a);
	int r;

	a->boot = b;
	a->fs = &b->fs;
	a->seed = b->seed;
	a->rec.promise.node = -1;
	a->me.promise.node = -1;
	pthread_mutex_init(&a->lock, NULL);
	r = tls_new(s->exchange_ca, s->nodes[b->seed->self].cert, s->nodes[b->seed->self].key,
		    &a->tls, f);
	if (r == 0)
		r = a->listener = tls_listen(boot_node(b)->address, EXCHANGE_PORT, f);
	if (r < 0) {
		tls_freep(&a->tls);
		free(a);
		return r;
	}
	agent_refresh(a);
	for (int i = 0; i < SERVERS; i++)
		if (pthread_create(&a->threads[i], NULL, serve, a) != 0)
			return fault_set(f, EAGAIN, "no thread for the node exchange");
	*ret = a;
	return 0;
}
