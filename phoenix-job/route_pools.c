/* See route_pools.h. */
#include "phoenix-job/route_pools.h"

#include "lib/log.h"
#include "lib/pg.h"
#include "lib/str.h"
#include "lib/timer.h"
#include "phoenix-job/route_conf.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* A little more than server_login_retry. */
#define NUDGE_MS 60
#define NUDGES 3

struct pool {
	enum route_pool name;
	struct pg *console;
	bool known; /* ADDRESS stands in the file, and PgBouncer has read it */
	char address[ROUTE_NAME];
	bool kill; /* still to be done */
	int nudges;
	int64_t nudge_at;
	/* PAUSE waits for its answer in a thread of its own */
	bool pausing, foreign_pause;
	pthread_t pauser;
	int64_t pause_ms;
	int wake;
	_Atomic bool paused;
};

struct route_pools {
	const struct fs *fs;
	struct pool pools[ROUTE_POOLS];
};

struct route_pools *route_pools_new(const struct fs *fs, int wake)
{
	struct route_pools *pools = mem_alloc(sizeof *pools);

	pools->fs = fs;
	for (int i = 0; i < ROUTE_POOLS; i++) {
		pools->pools[i].name = (enum route_pool)i;
		pools->pools[i].wake = wake;
	}
	return pools;
}

static int console_open(const struct pool *p, int timeout_ms, struct pg **ret, struct fault *f)
{
	const struct pg_target t = { .address = ROUTE_RUN "/sockets",
				     .port = route_conf_port(p->name),
				     .database = "pgbouncer",
				     .user = "pgbouncer",
				     .timeout_ms = timeout_ms };

	return pg_open(&t, ret, f);
}

static int console(struct pool *p, const char *command, struct pg_rows **rows, struct fault *f)
{
	int r = 0;

	if (!pg_usable(p->console)) {
		pg_freep(&p->console);
		r = console_open(p, 1000, &p->console, f);
	}
	return r < 0 ? r : pg_do(p->console, command, rows, f);
}

/* --- PAUSE --- */

static void *pause_thread(void *arg)
{
	struct pool *p = arg;
	_pg_ struct pg *pg = NULL;
	struct fault f = { 0 };
	uint64_t one = 1;
	int r = console_open(p, (int)p->pause_ms, &pg, &f);

	if (r == 0)
		r = pg_do(pg, "PAUSE", NULL, &f);
	atomic_store(&p->paused, r == 0);
	if (write(p->wake, &one, sizeof one) < 0)
		log_error("route: eventfd: %s", strerror(errno));
	return NULL;
}

static int pause_begin(struct pool *p, int64_t ms, struct fault *f)
{
	int r;

	atomic_store(&p->paused, false);
	p->pause_ms = ms;
	r = pthread_create(&p->pauser, NULL, pause_thread, p);
	if (r != 0)
		return fault_set(f, r, "%s: thread: %s", route_pool_name(p->name), strerror(r));
	p->pausing = true;
	return 0;
}

/* Also ends a PAUSE that still waits. That nothing is paused is no fault: PgBouncer may be a new
 * one. */
static int pause_end(struct pool *p, struct fault *f)
{
	int r = console(p, "RESUME", NULL, f);

	if (r < 0 && r != -EREMOTEIO)
		return r;
	if (p->pausing)
		pthread_join(p->pauser, NULL);
	p->pausing = p->foreign_pause = false;
	atomic_store(&p->paused, false);
	return 0;
}

bool route_pools_paused(const struct route_pools *pools, enum route_pool p)
{
	return atomic_load(&pools->pools[p].paused);
}

/* --- where it points --- */

static int point(struct route_pools *pools, struct pool *p, const char *address, struct fault *f)
{
	int r;

	p->known = false;
	r = route_conf_point(pools->fs, p->name, address, f);
	if (r >= 0)
		r = console(p, "RELOAD", NULL, f);
	if (r < 0)
		return r;
	p->known = true;
	snprintf(p->address, sizeof p->address, "%s", address);
	p->nudges = NUDGES;
	p->nudge_at = timer_now();
	return 0;
}

/* In the middle of a statement on another server than ADDRESS. */
static bool stuck(const struct pg_rows *servers, const char *link, const char *address)
{
	for (size_t i = 0; link && *link && i < pg_count(servers); i++)
		if (str_eq(pg_text(servers, i, "ptr"), link))
			return !str_eq(pg_text(servers, i, "addr"), address);
	return false;
}

static int kill_elsewhere(struct pool *p, struct fault *f)
{
	_rows_ struct pg_rows *servers = NULL, *clients = NULL;
	int n = 0, r = console(p, "SHOW SERVERS", &servers, f);

	if (r == 0)
		r = console(p, "SHOW CLIENTS", &clients, f);
	for (size_t i = 0; r == 0 && i < pg_count(clients); i++) {
		_free_ char *command = NULL;

		if (!stuck(servers, pg_text(clients, i, "link"), p->address))
			continue;
		command = mem_printf("KILL_CLIENT %s", pg_text(clients, i, "id") ?: "0");
		r = console(p, command, NULL, f);
		if (r == -EREMOTEIO)
			r = 0; /* it has gone by itself */
		n += r == 0;
	}
	if (n)
		log_info("pool %s: cut %d clients off from a server that is not theirs any more",
			 route_pool_name(p->name), n);
	p->kill = r < 0;
	return r;
}

int route_pools_apply(struct route_pools *pools, enum route_pool name,
		      const struct route_wish *wish, int64_t pause_ms, struct fault *f)
{
	struct pool *p = &pools->pools[name];
	int r = 0;

	p->kill = p->kill || wish->kill;
	if (wish->paused && !p->pausing)
		r = pause_begin(p, pause_ms, f);
	if (r == 0 && (!p->known || !str_eq(p->address, wish->to.address)))
		r = point(pools, p, wish->to.address, f);
	if (r == 0 && p->kill)
		r = kill_elsewhere(p, f);
	if (r == 0 && !wish->paused && (p->pausing || p->foreign_pause))
		r = pause_end(p, f);
	return r < 0 ? fault_wrap(f, "pool %s", route_pool_name(name)) : 0;
}

int64_t route_pools_nudge(struct route_pools *pools)
{
	int64_t now = timer_now(), next = -1;

	for (int i = 0; i < ROUTE_POOLS; i++) {
		struct pool *p = &pools->pools[i];

		if (p->nudges && now >= p->nudge_at) {
			p->nudges--;
			p->nudge_at = now + NUDGE_MS;
			console(p, "SHOW VERSION", NULL, NULL);
		}
		if (p->nudges && (next < 0 || p->nudge_at - now < next))
			next = p->nudge_at > now ? p->nudge_at - now : 0;
	}
	return next;
}

/* --- what PgBouncer says --- */

static const char *state_of(const struct pg_rows *rows, const char *key)
{
	for (size_t i = 0; i < pg_count(rows); i++)
		if (str_eq(pg_text(rows, i, "key"), key))
			return pg_text(rows, i, "value");
	return NULL;
}

static bool points_elsewhere(const struct pg_rows *rows, const char *address)
{
	for (size_t i = 0; i < pg_count(rows); i++)
		if (!str_eq(pg_text(rows, i, "name"), "pgbouncer") &&
		    !str_eq(pg_text(rows, i, "host"), *address ? address : ROUTE_NOWHERE))
			return true;
	return false;
}

int route_pools_check(struct route_pools *pools, enum route_pool name, struct route_use *ret,
		      struct fault *f)
{
	_rows_ struct pg_rows *state = NULL, *databases = NULL, *use = NULL;
	struct pool *p = &pools->pools[name];
	int r = console(p, "SHOW STATE", &state, f);

	if (r == 0)
		r = console(p, "SHOW DATABASES", &databases, f);
	if (r == 0)
		r = console(p, "SHOW POOLS", &use, f);
	if (r < 0)
		return fault_wrap(f, "pool %s", route_pool_name(name));
	p->foreign_pause = !p->pausing && !str_eq(state_of(state, "active"), "yes");
	if (p->foreign_pause)
		log_warn("pool %s was paused by somebody else", route_pool_name(name));
	if (p->known && points_elsewhere(databases, p->address)) {
		log_warn("pool %s pointed elsewhere", route_pool_name(name));
		p->known = false;
	}
	if (ret)
		*ret = (struct route_use){ 0 };
	for (size_t i = 0; ret && i < pg_count(use); i++)
		if (!str_eq(pg_text(use, i, "database"), "pgbouncer")) {
			ret->active += pg_int(use, i, "cl_active", 0);
			ret->waiting += pg_int(use, i, "cl_waiting", 0);
		}
	return 0;
}

void route_pools_restarted(struct route_pools *pools, enum route_pool name)
{
	struct pool *p = &pools->pools[name];

	pg_freep(&p->console);
	if (p->pausing)
		pthread_join(p->pauser, NULL); /* its connection has ended */
	p->known = p->pausing = p->foreign_pause = false;
	atomic_store(&p->paused, false);
}

void route_pools_free(struct route_pools **ppools)
{
	struct route_pools *pools = *ppools;

	*ppools = NULL;
	if (!pools)
		return;
	for (int i = 0; i < ROUTE_POOLS; i++)
		route_pools_restarted(pools, (enum route_pool)i);
	free(pools);
}
