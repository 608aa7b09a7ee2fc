/* The supervisor and the two others: questions asked, a thread each, and questions answered. Who
 * asks and who answers is known by the certificate, whose common name is the pod's; an address that
 * another pod has by now is noticed by that. */
#include "phoenix-job/pg_super.h"

#include "phoenix-job/pg_data.h"

#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <poll.h>

#define ASK_MS 1000
#define SERVE_MS 1000

static int listener = -1;
/* One answer at a time, since a vote is on the disk before anybody hears of it. */
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;

static int ask(struct pg_super *s, const char *address, int peer, const struct pg_ask *q,
	       struct pg_said *ret, struct fault *f)
{
	_str_ struct str text = { 0 }, answer = { 0 };
	char name[32];
	int r;

	pg_pod_name(peer, name);
	pg_ask_print(q, &text);
	r = tls_ask(s->tls, address, PG_PEER_PORT, name, str_text(&text), text.len, ASK_MS, &answer,
		    f);
	return r < 0 ? r : pg_said_parse(str_text(&answer), answer.len, ret, f);
}

/* Called with the lock held. */
static void heard(struct pg_super *s, int peer, int64_t sent, const struct pg_ask *q,
		  const struct pg_said *said)
{
	if (!str_eq(s->peer_system[peer], said->system))
		snprintf(s->peer_system[peer], PG_SYSTEM_LEN, "%s", said->system);
	if (*said->system && *s->system && !str_eq(said->system, s->system)) {
		pg_doing(s, "postgres-%d has another cluster's data (%s, here %s)", peer,
			 said->system, s->system);
		return;
	}
	pg_core_answer(&s->core, timer_now(), sent, peer, q, &said->answer);
	pthread_cond_broadcast(&s->wake);
}

void *pg_ask_thread(void *peer_thread)
{
	const struct pg_peer_thread *t = peer_thread;
	struct pg_super *s = t->s;

	for (;;) {
		struct pg_said said = { 0 };
		struct fault f = { 0 };
		struct pg_ask q;
		char address[64];
		int64_t sent;
		int r;

		pthread_mutex_lock(&s->lock);
		while (!s->ask_wanted[t->peer] || !*s->addresses[t->peer])
			pthread_cond_wait(&s->wake, &s->lock);
		s->ask_wanted[t->peer] = false;
		q = s->question[t->peer];
		sent = s->ask_sent[t->peer];
		memcpy(address, s->addresses[t->peer], sizeof address);
		pthread_mutex_unlock(&s->lock);

		r = ask(s, address, t->peer, &q, &said, &f);
		if (r < 0) {
			log_debug("postgres-%d: %s", t->peer, f.text);
			continue;
		}
		pthread_mutex_lock(&s->lock);
		heard(s, t->peer, sent, &q, &said);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static int answered(struct pg_super *s, const struct pg_ask *q, struct pg_said *said,
		    struct fault *f)
{
	struct pg_vote before, after;
	int r = 0;

	pthread_mutex_lock(&answering);
	pthread_mutex_lock(&s->lock);
	before = s->core.vote;
	pg_core_ask(&s->core, timer_now(), q, &said->answer);
	after = s->core.vote;
	memcpy(said->system, s->system, sizeof said->system);
	pthread_mutex_unlock(&s->lock);
	if (before.term != after.term || !str_eq(before.holder, after.holder))
		r = pg_data_keep_vote(&s->fs, &after, f);
	pthread_mutex_unlock(&answering);
	return r;
}

static int answer(void *user, const char *peer, const char *request, size_t len, struct str *ret)
{
	struct pg_super *s = user;
	struct pg_said said = { 0 };
	struct fault f = { 0 };
	struct pg_ask q;
	int from = pg_pod_number(peer);

	if (from < 0 || from == s->unit.self)
		return -EACCES;
	if (pg_ask_parse(request, len, from, &q, &f) < 0) {
		log_warn("%s: %s", peer, f.text);
		return -f.code;
	}
	if (answered(s, &q, &said, &f) < 0) {
		log_error("%s", f.text);
		return -f.code;
	}
	pg_said_print(&said, ret);
	return 0;
}

int pg_serve_start(struct pg_super *s, struct fault *f)
{
	listener = tls_listen(s->unit.address, PG_PEER_PORT, f);
	return listener < 0 ? listener : 0;
}

void *pg_serve_thread(void *super)
{
	struct pg_super *s = super;

	for (;;) {
		struct pollfd p = { listener, POLLIN, 0 };
		struct fault f = { 0 };
		int r;

		poll(&p, 1, -1);
		r = tls_serve_one(s->tls, listener, SERVE_MS, answer, super, &f);
		if (r < 0 && r != -EAGAIN)
			log_debug("%s", f.text);
	}
	return NULL;
}
