/* The hands of the supervisor: one thread that starts, promotes and stops PostgreSQL as the core
 * wishes, has a standby follow whoever is the primary, and keeps what others look up. It does one
 * thing at a time, each bounded, but making a volume's data, while nothing else can be done. */
#include "phoenix-job/pg_super.h"

#include "phoenix-job/pg_data.h"
#include "phoenix-job/pg_schema.h"

#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <signal.h>

#define TURN_MS 50
#define DUTY_MS 500
#define FAST_MS 3000	 /* nobody waits for what this server still does */
#define LEAVING_MS 20000 /* but here the standbys are to have the last record */
#define PROMOTE_MS 10000
#define PARTED_MS 15000 /* a primary is there, and a standby does not come to stream from it */
#define AGAIN_MS 5000
#define LACKS_MS 5000

struct hand {
	struct pg_super *s;
	struct kube *k;
	int64_t duty_at, again_at, lacks_since;
	bool schema_done;
};

static void fault_doing(struct hand *h, struct fault *f)
{
	pthread_mutex_lock(&h->s->lock);
	pg_doing(h->s, "%s", f->text);
	pthread_mutex_unlock(&h->s->lock);
}

static void stop(struct hand *h)
{
	struct pg_super *s = h->s;

	if (pg_process_runs(&s->process)) {
		log_info("stops PostgreSQL");
		pg_process_stop(&s->process, s->core.leaving ? LEAVING_MS : FAST_MS);
	}
	pthread_mutex_lock(&s->lock);
	s->primary_term = 0;
	pthread_mutex_unlock(&s->lock);
}

/* --- starting --- */

/* A standby that came up nowhere near: what would bring it to a consistent state is not on the disk.
 * (A recovery that goes on may last.) */
static void look_after(struct hand *h)
{
	struct pg_super *s = h->s;
	int from;

	if (!s->starting || !pg_process_lacks_wal(&s->process)) {
		h->lacks_since = 0;
		return;
	}
	if (!h->lacks_since)
		h->lacks_since = timer_now();
	if (timer_now() - h->lacks_since < LACKS_MS)
		return;
	pthread_mutex_lock(&s->lock);
	from = pg_upstream(s);
	pg_doing(s, "the data lacks WAL that it needs%s",
		 from < 0 ? ": waits for a primary to clone from" : ": it is cloned anew");
	s->parted = s->damaged = from >= 0;
	pthread_mutex_unlock(&s->lock);
	if (from >= 0)
		stop(h);
}

/* 0: there is data that may be started, as a standby of *UPSTREAM. */
static int data_ready(struct hand *h, const char **upstream, struct fault *f)
{
	struct pg_super *s = h->s;
	int r;

	if (!s->parted)
		return pg_make(s, h->k, f);
	if (s->damaged)
		return pg_clone(s, f);
	r = pg_rewind(s, f);
	if (r == 0)
		*upstream = s->upstream;
	if (r >= 0 || r == -EAGAIN)
		return r;
	log_warn("%s: it is cloned anew", f->text);
	s->damaged = true;
	return pg_clone(s, f);
}

static void run(struct hand *h)
{
	struct pg_super *s = h->s;
	const char *upstream = NULL;
	struct fault f = { 0 };
	int r;

	if (pg_process_runs(&s->process) && s->process.standby) {
		look_after(h);
		return;
	}
	stop(h); /* it was to be the primary again, and is not any more */
	if (timer_now() < h->again_at)
		return;
	r = data_ready(h, &upstream, &f);
	if (r == 0)
		r = pg_start(s, true, upstream, &f);
	if (r >= 0)
		return;
	fault_doing(h, &f);
	h->again_at = timer_now() + (r == -EAGAIN ? DUTY_MS : AGAIN_MS);
}

static void restart(struct hand *h)
{
	struct fault f = { 0 };

	if (pg_process_runs(&h->s->process) && h->s->starting)
		return;
	pg_process_stop(&h->s->process, 0); /* it does not answer any more */
	if (pg_start(h->s, false, NULL, &f) < 0)
		fault_doing(h, &f);
}

/* --- promotion --- */

static bool still_wished(struct pg_super *s, int64_t term)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->wish.server == PG_PROMOTE && s->wish.term == term;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static int is_recovering(struct pg *pg, struct fault *f)
{
	_rows_ struct pg_rows *rows = NULL;
	int r = pg_do(pg, "SELECT pg_is_in_recovery() AS yes", &rows, f);

	return r < 0 ? r : pg_true(rows, 0, "yes");
}

static int promoted(struct hand *h, int64_t term, struct fault *f)
{
	int64_t until = timer_now() + PROMOTE_MS;
	_pg_ struct pg *pg = NULL;
	int r;

	if (fs_write(&h->s->fs, PG_PROMOTING, 0600, "", 0, f) < 0 ||
	    pg_own("postgres", 2000, &pg, f) < 0)
		return -f->code;
	r = is_recovering(pg, f);
	if (r > 0 && still_wished(h->s, term))
		r = pg_do(pg, "SELECT pg_promote(false)", NULL, f) < 0 ? -f->code : 1;
	while (r > 0) {
		if (timer_now() >= until || !still_wished(h->s, term))
			return fault_set(f, ETIMEDOUT, "the promotion was not done in time");
		timer_sleep(10);
		r = is_recovering(pg, f);
	}
	return r < 0 ? r : pg_term_begin(term, f);
}

static void promote(struct hand *h, int64_t term)
{
	struct pg_super *s = h->s;
	struct fault f = { 0 };

	if (s->primary_term == term) /* done; the next look will see it */
		return;
	log_info("is promoted, term %lld", (long long)term);
	if (promoted(h, term, &f) < 0) {
		fault_doing(h, &f);
		return;
	}
	h->schema_done = false;
	pthread_mutex_lock(&s->lock);
	s->primary_term = term;
	memset(s->settings.names, 0, sizeof s->settings.names);
	s->process.standby = false;
	pg_doing(s, "is the primary, term %lld", (long long)term);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* --- names, marks --- */

static int reload(struct hand *h, struct fault *f)
{
	if (pg_write_conf(h->s, f) < 0)
		return -f->code;
	if (h->s->process.pid)
		kill(h->s->process.pid, SIGHUP);
	return 0;
}

static void set_names(struct hand *h, const bool names[PG_PODS])
{
	struct pg_super *s = h->s;
	struct fault f = { 0 };

	if (s->names_written && memcmp(s->settings.names, names, sizeof s->settings.names) == 0)
		return;
	pthread_mutex_lock(&s->lock);
	memcpy(s->settings.names, names, sizeof s->settings.names);
	s->settings.turn++;
	pthread_mutex_unlock(&s->lock);
	if (reload(h, &f) < 0) {
		fault_doing(h, &f);
		s->names_written = 0;
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->names_written = timer_now();
	pthread_mutex_unlock(&s->lock);
}

/* --- a standby's duties --- */

static int follows(struct hand *h, const char *address, struct pg_place own, struct fault *f)
{
	struct pg_super *s = h->s;
	int r = pg_term_agrees(&s->fs, address, own, f);

	if (r < 0)
		return r;
	if (r == 0 || fs_exists(&s->fs, PG_PROMOTING)) {
		log_warn("the data of this pod has parted from the primary's");
		pthread_mutex_lock(&s->lock);
		s->parted = true;
		pthread_mutex_unlock(&s->lock);
		return 0;
	}
	snprintf(s->upstream, sizeof s->upstream, "%s", address);
	s->settings.upstream = s->upstream;
	log_info("follows %s", address);
	return reload(h, f);
}

static void standby_duty(struct hand *h)
{
	struct pg_super *s = h->s;
	struct fault f = { 0 };
	char address[64] = "";
	struct pg_sight now;
	int from;

	pthread_mutex_lock(&s->lock);
	now = s->sight;
	from = pg_upstream(s);
	if (from >= 0 && s->core.peers[from].place.term >= now.place.term)
		memcpy(address, s->addresses[from], sizeof address);
	pthread_mutex_unlock(&s->lock);
	if (!*address || !now.known)
		return;
	if (!str_eq(address, s->settings.upstream)) {
		s->streams_not = 0;
		if (follows(h, address, (struct pg_place){ now.place.term, 0, now.replayed }, &f) <
		    0)
			fault_doing(h, &f);
	} else if (now.streams) {
		s->streams_not = 0;
		pthread_mutex_lock(&s->lock);
		pg_doing(s, "streams from postgres-%d", from);
		pthread_mutex_unlock(&s->lock);
		if (pg_data_remove(&s->fs, PG_OLD, &f) < 0)
			fault_doing(h, &f);
	} else if (!s->streams_not) {
		s->streams_not = timer_now();
	} else if (timer_now() - s->streams_not > PARTED_MS) {
		s->settings.upstream = NULL; /* asked anew whether they agree; see pg_work_thread */
		if (follows(h, address, (struct pg_place){ now.place.term, 0, now.replayed }, &f) ==
		    0)
			s->parted = s->damaged = true;
	}
	if (pg_meta_standby(&f) < 0)
		log_debug("%s", f.text);
}

/* --- a primary's duties --- */

static void primary_duty(struct hand *h)
{
	struct pg_super *s = h->s;
	char addresses[PG_PODS][64];
	struct fault f = { 0 };
	bool streams[PG_PODS], may, settled;

	pthread_mutex_lock(&s->lock);
	memcpy(addresses, s->addresses, sizeof addresses);
	memcpy(streams, s->sight.standby, sizeof streams);
	may = s->core.permit_until != 0;
	settled = may && s->core.recorded;
	pthread_mutex_unlock(&s->lock);
	if (pg_meta_primary(&s->unit, addresses, streams, &f) < 0)
		log_debug("repmgr.nodes: %s", f.text);
	if (settled &&
	    (fs_remove(&s->fs, PG_PROMOTING, &f) < 0 || pg_data_remove(&s->fs, PG_OLD, &f) < 0))
		fault_doing(h, &f);
	if (!may || h->schema_done)
		return;
	h->schema_done = pg_schema_apply(&s->fs, &s->unit, &f) == 0;
	if (!h->schema_done)
		fault_doing(h, &f);
}

static void duties(struct hand *h, enum pg_server server)
{
	if (timer_now() < h->duty_at)
		return;
	h->duty_at = timer_now() + DUTY_MS;
	if (server == PG_PRIMARY)
		primary_duty(h);
	else if (server == PG_STANDBY)
		standby_duty(h);
	if (h->s->parted)
		stop(h);
}

static void turn(struct hand *h)
{
	struct pg_super *s = h->s;
	struct fault f = { 0 };
	enum pg_server server;
	struct pg_wish w;

	pthread_mutex_lock(&s->lock);
	w = s->wish;
	server = s->core.server;
	pthread_mutex_unlock(&s->lock);
	pg_process_runs(&s->process);
	switch (w.server) {
	case PG_RUN:
		run(h);
		return;
	case PG_RESTART:
		restart(h);
		return;
	case PG_STOP:
		stop(h);
		return;
	case PG_PROMOTE:
		promote(h, w.term);
		return;
	case PG_LEAVE:
		break;
	}
	if (w.set_names)
		set_names(h, w.names);
	if (w.mark && pg_term_mark(w.mark, &f) < 0)
		fault_doing(h, &f);
	if (!w.set_names && !w.mark)
		duties(h, server);
}

void *pg_work_thread(void *super)
{
	struct hand h = { .s = super };
	struct fault f = { 0 };

	while (kube_in_cluster(KUBE_ACCOUNT, &h.s->unit.api, &h.k, &f) < 0) {
		log_error("%s", f.text);
		timer_sleep(AGAIN_MS);
	}
	for (;;) {
		turn(&h);
		pthread_mutex_lock(&h.s->lock);
		if (h.s->wish.server == PG_LEAVE)
			pthread_cond_broadcast(&h.s->wake);
		pthread_mutex_unlock(&h.s->lock);
		timer_sleep(TURN_MS);
	}
	return NULL;
}
