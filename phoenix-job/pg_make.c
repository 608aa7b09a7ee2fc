/* Data where there is none: initdb, once in a cluster's life (INV-4), or a clone of who has it; and
 * whose data it is that lies there. See pg_identity.h, pg_data.h. */
#include "phoenix-job/pg_super.h"

#include "phoenix-job/pg_data.h"
#include "phoenix-job/pg_identity.h"
#include "phoenix-job/pg_schema.h"

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/timer.h"

#include <errno.h>

#define INIT_MS 300000
#define UP_MS 60000
#define CLONE_MS (6 * 3600 * 1000)
#define REWIND_MS 3600000
#define REPMGR_CLONE PG_RUN_DIR "/repmgr-clone.conf"

void pg_doing(struct pg_super *s, const char *fmt, ...)
{
	char text[sizeof s->doing];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (str_eq(text, s->doing))
		return;
	memcpy(s->doing, text, sizeof text);
	if (*text)
		log_info("%s", text);
}

static void doing(struct pg_super *s, const char *text)
{
	pthread_mutex_lock(&s->lock);
	pg_doing(s, "%s", text);
	pthread_mutex_unlock(&s->lock);
}

int pg_write_conf(struct pg_super *s, struct fault *f)
{
	_str_ struct str text = { 0 };

	pg_conf_print(&s->unit, &s->settings, &text);
	return fs_write_text(&s->fs, PG_CONF, 0600, str_text(&text), f) < 0 ? -f->code : 0;
}

int pg_upstream(const struct pg_super *s)
{
	const struct pg_core *c = &s->core;
	int best = -1;

	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && c->heard[i] &&
		    timer_now() - c->heard[i] < 4 * pg_times.renew_ms &&
		    c->peers[i].server == PG_PRIMARY && *s->addresses[i] &&
		    (best < 0 || c->peers[i].place.term > c->peers[best].place.term))
			best = i;
	return best;
}

/* --- initdb --- */

/* All three are heard, and on no volume is anything. */
static bool all_blank(const struct pg_super *s)
{
	const struct pg_core *c = &s->core;

	for (int i = 0; i < PG_PODS; i++)
		if (i != c->self && (!c->heard[i] || !c->peers[i].known || *s->peer_system[i] ||
				     timer_now() - c->heard[i] >= 4 * pg_times.renew_ms))
			return false;
	return true;
}

static bool is_there(const struct pg_super *s, const char *uid)
{
	for (int i = 0; i < PG_PODS; i++)
		if (str_eq(s->uids[i], uid))
			return true;
	return false;
}

static int wait_for_postgres(struct pg_process *p, struct fault *f)
{
	int64_t until = timer_now() + UP_MS;

	for (;;) {
		_pg_ struct pg *pg = NULL;

		if (!pg_process_runs(p))
			return fault_set(f, EIO, "PostgreSQL does not start: see what it said");
		if (pg_own("postgres", 1000, &pg, f) == 0)
			return 0;
		if (timer_now() >= until)
			return -f->code;
		timer_sleep(50);
	}
}

static int initialised(struct pg_super *s, struct fault *f)
{
	const char *argv[] = { "initdb",
			       "-D",
			       PG_NEW,
			       "-U",
			       PG_ROLE,
			       "-k",
			       "-E",
			       "UTF8",
			       "--locale=C.UTF-8",
			       "--auth-local=peer",
			       "--auth-host=scram-sha-256",
			       NULL };
	struct pg_process p = { 0 };
	int r;

	if (pg_data_remove(&s->fs, PG_NEW, f) < 0 ||
	    proc_ok(&(struct proc){ .argv = argv, .timeout_ms = INIT_MS }, NULL, f) < 0)
		return -f->code;
	r = pg_process_start(&p, PG_NEW, false, "listen_addresses=", f);
	if (r == 0)
		r = wait_for_postgres(&p, f);
	if (r == 0)
		r = pg_schema_apply(&s->fs, &s->unit, f);
	pg_process_stop(&p, UP_MS);
	return r < 0 ? r : pg_data_made(&s->fs, f);
}

/* What the API says when another was quicker is no fault: the next look will tell. */
static int claim(struct pg_super *s, struct kube *k, const struct pg_identity *id,
		 const char *system, struct fault *f)
{
	int r = pg_identity_write(k, s->unit.ns, id, s->unit.uid, system, f);

	return r == -ESTALE || r == -EEXIST ? -EAGAIN : r;
}

static int init(struct pg_super *s, struct kube *k, struct pg_identity *id, struct fault *f)
{
	bool blank, taken, first = true;
	char system[PG_SYSTEM_LEN];

	pthread_mutex_lock(&s->lock);
	blank = s->pods_listed && all_blank(s);
	taken = id->exists && !str_eq(id->claim, s->unit.uid) && is_there(s, id->claim);
	for (int i = 0; i < s->unit.self; i++)
		first &= !*s->uids[i];
	first |= id->exists;
	pthread_mutex_unlock(&s->lock);
	if (!blank)
		return fault_set(f, EAGAIN, "waits until all three pods are heard, without data");
	if (taken || !first)
		return fault_set(f, EAGAIN, "another pod makes the database");
	if (!str_eq(id->claim, s->unit.uid) && claim(s, k, id, "", f) < 0)
		return -f->code;
	doing(s, "makes the database: initdb");
	if (initialised(s, f) < 0 || pg_data_system(PG_READY, system, f) < 0 ||
	    pg_identity_read(k, s->unit.ns, id, f) < 0)
		return -f->code;
	if (!str_eq(id->claim, s->unit.uid) || *id->system)
		return fault_set(f, EAGAIN, "the claim to make the database was lost");
	return claim(s, k, id, system, f);
}

/* --- a clone --- */

static int cloned(struct pg_super *s, const char *address, struct fault *f)
{
	const char *argv[] = {
		"repmgr", "-f",	    REPMGR_CLONE, "-h",	    address,   "-p",	"5432",
		"-U",	  "repmgr", "-d",	  "repmgr", "standby", "clone", "--fast-checkpoint",
		NULL
	};
	const char *env[] = { "PGPASSFILE=" PG_PASSFILE, "PGSSLMODE=verify-ca",
			      "PGSSLROOTCERT=" PG_TLS "/ca.crt", NULL };

	if (pg_data_remove(&s->fs, PG_NEW, f) < 0 ||
	    pg_repmgr_write(&s->fs, &s->unit, REPMGR_CLONE, PG_NEW, f) < 0 ||
	    proc_ok(&(struct proc){ .argv = argv, .env = env, .timeout_ms = CLONE_MS }, NULL, f) <
		    0)
		return -f->code;
	return pg_data_made(&s->fs, f);
}

/* The primary, in ADDRESS; -EAGAIN: nobody is heard. */
static int primary_address(struct pg_super *s, const char *what, char address[64], struct fault *f)
{
	int from;

	pthread_mutex_lock(&s->lock);
	from = pg_upstream(s);
	if (from >= 0) {
		memcpy(address, s->addresses[from], sizeof s->addresses[0]);
		pg_doing(s, "%s postgres-%d", what, from);
	}
	pthread_mutex_unlock(&s->lock);
	return from < 0 ? fault_set(f, EAGAIN, "waits for a primary to be heard") : 0;
}

int pg_clone(struct pg_super *s, struct fault *f)
{
	char address[64], system[PG_SYSTEM_LEN];

	if (primary_address(s, "clones from", address, f) < 0 || cloned(s, address, f) < 0 ||
	    pg_data_system(PG_READY, system, f) < 0)
		return -f->code;
	if (*s->system && !str_eq(system, s->system))
		return fault_set(f, EIO, "%s has data of another cluster (%s, not %s)", address,
				 system, s->system);
	if (pg_data_take(&s->fs, f) < 0)
		return -f->code;
	log_info("cloned from %s", address);
	pthread_mutex_lock(&s->lock);
	memcpy(s->system, system, sizeof system);
	s->blank = s->parted = s->damaged = false;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* --- rewinding --- */

/* Timelines that two pods chose alike look as if nothing had to be done. */
static int rewound(const char *source, struct fault *f)
{
	const char *argv[] = { "pg_rewind",	"-D",	 PG_DATA, "--source-server", source,
			       "--config-file", PG_CONF, NULL };
	const struct proc p = { .argv = argv, .timeout_ms = REWIND_MS };
	_proc_ struct proc_result said = { 0 };

	if (proc_run(&p, &said, f) < 0)
		return -f->code;
	if (said.status != 0)
		return fault_set(f, EIO, "pg_rewind: %s", proc_last_line(&said.err, "it failed"));
	if (strstr(str_text(&said.err), "no rewind required"))
		return fault_set(f, EIO, "pg_rewind sees no difference");
	return 0;
}

int pg_rewind(struct pg_super *s, struct fault *f)
{
	_str_ struct str source = { 0 };
	char address[64];

	if (primary_address(s, "rewinds to", address, f) < 0)
		return -f->code;
	/* it starts PostgreSQL once, by itself, to end a recovery */
	if (pg_data_prepare(&s->fs, false, f) < 0 ||
	    fs_write(&s->fs, PG_REWINDING, 0600, "", 0, f) < 0)
		return -f->code;
	pg_conninfo_print(address, s->unit.pod, "postgres", &source);
	if (rewound(str_text(&source), f) < 0 || fs_remove(&s->fs, PG_REWINDING, f) < 0 ||
	    fs_remove(&s->fs, PG_PROMOTING, f) < 0)
		return -f->code;
	log_info("rewound to what %s has", address);
	pthread_mutex_lock(&s->lock);
	snprintf(s->upstream, sizeof s->upstream, "%s", address);
	s->parted = false;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* --- whose is it? --- */

/* Nobody says that another cluster's data is the right one. */
static bool is_alone_with(const struct pg_super *s, const char *system)
{
	for (int i = 0; i < PG_PODS; i++)
		if (*s->peer_system[i] && !str_eq(s->peer_system[i], system))
			return false;
	return true;
}

/* The data at PATH is the cluster's, by what stands in the API; when that was deleted it is written
 * again. */
static int recognised(struct pg_super *s, struct kube *k, const struct pg_identity *id,
		      const char *path, struct fault *f)
{
	char system[PG_SYSTEM_LEN];
	bool ours;

	if (pg_data_system(path, system, f) < 0)
		return -f->code;
	if (*id->system && !str_eq(id->system, system))
		return fault_set(f, EEXIST,
				 "%s is of another cluster: system identifier %s, ConfigMap "
				 "postgres says %s; nothing is done with it",
				 path, system, id->system);
	pthread_mutex_lock(&s->lock);
	ours = is_alone_with(s, system) &&
	       (!id->exists || !is_there(s, id->claim) || str_eq(id->claim, s->unit.uid));
	pthread_mutex_unlock(&s->lock);
	if (!*id->system && !ours)
		return fault_set(f, EAGAIN, "ConfigMap postgres is claimed by pod %s", id->claim);
	if (!*id->system && claim(s, k, id, system, f) < 0)
		return -f->code;
	pthread_mutex_lock(&s->lock);
	memcpy(s->system, system, sizeof system);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int pg_make(struct pg_super *s, struct kube *k, struct fault *f)
{
	struct pg_identity id;

	if (*s->system && pg_data_is_there(&s->fs))
		return 0;
	if (pg_identity_read(k, s->unit.ns, &id, f) < 0)
		return -f->code;
	if (pg_data_is_there(&s->fs))
		return recognised(s, k, &id, PG_DATA, f);
	if (fs_exists(&s->fs, PG_READY) && *id.system) {
		if (recognised(s, k, &id, PG_READY, f) < 0)
			return -f->code == -EEXIST ? pg_data_remove(&s->fs, PG_READY, f) : -f->code;
		return pg_data_take(&s->fs, f);
	}
	pthread_mutex_lock(&s->lock);
	s->blank = true;
	memcpy(s->system, id.system, sizeof s->system);
	pthread_mutex_unlock(&s->lock);
	if (*id.system)
		return pg_clone(s, f);
	if (init(s, k, &id, f) < 0)
		return -f->code;
	pthread_mutex_lock(&s->lock);
	s->blank = false;
	pthread_mutex_unlock(&s->lock);
	return 1; /* made: it takes its place at the next look */
}

int pg_start(struct pg_super *s, bool standby, const char *upstream, struct fault *f)
{
	if (standby) {
		s->settings.upstream = upstream;
		memset(s->settings.names, 0, sizeof s->settings.names);
	}
	if (pg_data_prepare(&s->fs, standby, f) < 0 || pg_write_conf(s, f) < 0 ||
	    pg_process_start(&s->process, PG_DATA, standby, NULL, f) < 0)
		return -f->code;
	pthread_mutex_lock(&s->lock);
	s->sight = (struct pg_sight){ 0 };
	s->starting = true;
	pg_doing(s, standby ? "starts as a standby" : "starts again as the primary");
	pthread_mutex_unlock(&s->lock);
	return 0;
}
