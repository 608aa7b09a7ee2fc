/* `phoenix route': the first process of a pooler pod. It starts Pgpool-II and four PgBouncer, keeps
 * them running, and points their pools to where the rules want them (route_rules.h).
 *
 * One thread, this one, decides and acts. Others see to it that it knows: of the API (route_api.h),
 * of the servers (route_look.h). They wake it by an eventfd. */
#include "lib/command.h"
#include "lib/kube.h"
#include "lib/log.h"
#include "lib/timer.h"
#include "lib/trim.h"
#include "phoenix-job/commands.h"
#include "phoenix-job/route_api.h"
#include "phoenix-job/route_children.h"
#include "phoenix-job/route_conf.h"
#include "phoenix-job/route_look.h"
#include "phoenix-job/route_pools.h"
#include "phoenix-job/route_status.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char route_usage[] =
	"Usage: phoenix route\n"
	"       phoenix route ready\n\n"
	"The first process of a pooler pod: runs Pgpool-II and PgBouncer and points their pools "
	"at\n"
	"the database's primary and its standbys. It takes no options: the pod's environment\n"
	"(POD_NAME, POD_NAMESPACE, NODE_ADDRESS) and the files below /etc/phoenix say all.\n"
	"`ready' is the pod's probe.\n\n"
	"Exit status: 0 ended by a signal, or ready; 1 failed, or not ready; 2 usage or\n"
	"configuration.\n";

#define CHECK_MS 2000	/* how often PgBouncer is asked what it does */
#define HURRY_MS 50	/* how often the holder is, while it is not the primary yet */
#define HURRY_FOR 30000 /* a holder that is not by then is asked as usual */
#define END_MS 3000	/* what each program is given to end */
#define TRIM_MS 5000	/* after which every library has been loaded */
#define DEAF_CHECKS 5	/* a PgBouncer that did not answer as many times is killed */

enum { PGPOOL = ROUTE_POOLS, CHILDREN };

struct route {
	struct fs fs;
	struct route_conf conf;
	struct strv servers;
	const char *ns, *pod;
	int wake, signals;
	struct route_child children[CHILDREN];
	struct route_pools *pools;
	struct route_look *look;
	struct route_api *api;
	struct route_world world;
	struct route_state state;
	struct route_wish wishes[ROUTE_POOLS];
	struct route_said said;
	char why[ROUTE_POOLS][ROUTE_WHY];      /* what was logged last */
	int64_t hurry_since, checked, trim_at; /* trim_at 0: it is done */
	bool hurries;
	char hurry_uid[ROUTE_NAME];
	int64_t hurry_term;
	int deaf[ROUTE_POOLS];
	/* the primary's positions of the last seconds, by which lag is told */
	struct {
		int64_t at;
		uint64_t position;
	} marks[2];
};

/* --- start --- */

static int need(const char *name, const char **ret, struct fault *f)
{
	*ret = getenv(name);
	return *ret && **ret ? 0 : fault_set(f, EINVAL, "environment: %s is not set", name);
}

/* Own node's API first: its network is the one that is surely there. */
static void order_servers(struct route *r)
{
	const char *node = getenv("NODE_ADDRESS");

	if (node && *node)
		strv_addf(&r->servers, "https://%s:6443", node);
	strv_each (server, &r->conf.api)
		if (!strv_has(&r->servers, server))
			strv_add(&r->servers, server);
}

static int load(struct route *r, struct fault *f)
{
	int e = need("POD_NAME", &r->pod, f);

	if (e == 0)
		e = need("POD_NAMESPACE", &r->ns, f);
	if (e == 0)
		e = fs_open(&r->fs, "/", f);
	if (e == 0)
		e = route_conf_load(&r->fs, &r->conf, f);
	if (e < 0)
		return e;
	order_servers(r);
	return route_conf_write(&r->fs, &r->conf, f);
}

static void list_children(struct route *r)
{
	static const char *const pgpool[] = { "pgpool", "-n",
					      "-D", /* what it thought of its backends before */
					      "-f",	ROUTE_RUN "/pgpool.conf",
					      "-a",	ROUTE_RUN "/pool_hba.conf",
					      "-F",	"/dev/null",
					      NULL };
	static const char *const session[] = { "pgbouncer", ROUTE_RUN "/session.ini", NULL },
				 *const rw[] = { "pgbouncer", ROUTE_RUN "/rw.ini", NULL },
				 *const ro1[] = { "pgbouncer", ROUTE_RUN "/ro1.ini", NULL },
				 *const ro2[] = { "pgbouncer", ROUTE_RUN "/ro2.ini", NULL };
	const char *const *const argv[] = { session, rw, ro1, ro2, pgpool };
	static const char *const names[] = { "pgbouncer session", "pgbouncer rw", "pgbouncer ro1",
					     "pgbouncer ro2", "pgpool" };

	for (int i = 0; i < CHILDREN; i++)
		r->children[i] = (struct route_child){
			.name = names[i],
			.argv = argv[i],
			/* Pgpool-II ends its own processes at once on SIGQUIT; its fast end is
			   SIGINT, as PgBouncer's, which waits for statements */
			.on_death = i == PGPOOL ? SIGQUIT : SIGKILL,
			.to_end = SIGINT,
			.shared_memory = i == PGPOOL,
		};
}

static int catch_signals(struct route *r, struct fault *f)
{
	sigset_t set;

	sigemptyset(&set);
	for (const int *n = (const int[]){ SIGTERM, SIGINT, SIGCHLD, 0 }; *n; n++)
		sigaddset(&set, *n);
	sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread is made */
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->signals < 0 || r->wake < 0)
		return fault_errno(f, "signalfd, eventfd");
	signal(SIGPIPE, SIG_IGN);
	/* where this is not the first process, the orphans are ours all the same */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return 0;
}

static int start(struct route *r, struct fault *f)
{
	int e = load(r, f);

	/* each of ten threads would keep memory of its own */
	mallopt(M_ARENA_MAX, 1);
	if (e == 0)
		e = catch_signals(r, f);
	if (e < 0)
		return e;
	list_children(r);
	route_children_start(r->children, CHILDREN);
	r->pools = route_pools_new(&r->fs, r->wake);
	r->look = route_look_start(&(struct route_look_as){
		.password = r->conf.route_password,
		.ca_file = ROUTE_TLS "/ca.crt",
		.wake = r->wake,
	});
	r->api = route_api_start(&(struct route_api_as){
		.servers = &r->servers,
		.account = KUBE_ACCOUNT,
		.ns = r->ns,
		.pod = r->pod,
		.wake = r->wake,
	});
	r->trim_at = timer_now() + TRIM_MS;
	r->world.standbys_read = r->conf.standbys_read;
	r->said = (struct route_said){ .w = &r->world, .s = &r->state, .wishes = r->wishes };
	return 0;
}

/* --- deciding --- */

/* Two marks, so that one is always at least as old as it has to be once both are there. */
static void mark_position(struct route *r)
{
	char why[ROUTE_WHY];
	const struct route_pod *primary = route_primary(&r->world, why);
	int64_t now = r->world.now;

	if (!primary) {
		memset(r->marks, 0, sizeof r->marks);
	} else if (!r->marks[0].at || now - r->marks[0].at >= ROUTE_LAG_MS) {
		r->marks[1] = r->marks[0];
		r->marks[0].at = now;
		r->marks[0].position = primary->server.position;
	}
	r->world.floor = r->marks[1].at ? r->marks[1].position : 0;
}

/* The holder is looked at often from the moment that the Lease names it until it is the primary,
 * and while a move is under way; the others once each time. */
static void hurry(struct route *r)
{
	char why[ROUTE_WHY];
	const struct route_lease *lease = &r->world.lease;
	bool wanted = *lease->uid &&
		      (!route_primary(&r->world, why) || r->world.move.phase == ROUTE_PAUSE ||
		       r->world.move.phase == ROUTE_MOVED);

	if (!wanted)
		r->hurry_since = 0;
	else if (!r->hurry_since || r->hurry_term != lease->term)
		r->hurry_since = r->world.now;
	wanted = wanted && r->world.now - r->hurry_since < HURRY_FOR;
	if (wanted == r->hurries && str_eq(lease->uid, r->hurry_uid) &&
	    lease->term == r->hurry_term)
		return;
	r->hurries = wanted;
	r->hurry_term = lease->term;
	memcpy(r->hurry_uid, lease->uid, sizeof r->hurry_uid);
	route_look_hurry(r->look, lease->uid, wanted ? HURRY_MS : ROUTE_LOOK_MS);
}

static void apply(struct route *r, enum route_pool p)
{
	const struct route_wish *wish = &r->wishes[p];
	int64_t left = r->state.move_since + r->world.move.seconds * 1000 - r->world.now;
	struct fault f = { 0 };

	if (!str_eq(r->why[p], wish->why)) {
		log_info("pool %s -> %s%s: %s", route_pool_name(p),
			 *wish->to.pod ? wish->to.pod : "nowhere", wish->paused ? " (paused)" : "",
			 wish->why);
		memcpy(r->why[p], wish->why, sizeof r->why[p]);
	}
	if (r->children[p].pid > 0 &&
	    route_pools_apply(r->pools, p, wish, left > 0 ? left : 1, &f) < 0)
		log_debug("%s", f.text);
}

static void decide(struct route *r)
{
	r->world.now = timer_now();
	route_api_tell(r->api, &r->world);
	route_look_pods(r->look, r->world.pods, r->world.n);
	route_look_tell(r->look, r->world.pods, r->world.n);
	hurry(r);
	mark_position(r);
	route_decide(&r->state, &r->world, r->wishes);
	/* rw first: it is what clients wait for */
	apply(r, ROUTE_RW);
	apply(r, ROUTE_SESSION);
	apply(r, ROUTE_RO1);
	apply(r, ROUTE_RO2);
	route_api_paused(r->api, r->state.paused && route_pools_paused(r->pools, ROUTE_RW)
					 ? r->state.paused_for
					 : "");
	r->said.served = r->said.served || *r->wishes[ROUTE_RW].to.pod;
}

/* --- the programs --- */

static void check(struct route *r)
{
	struct fault f = { 0 };

	r->said.down = NULL;
	for (int i = 0; i < CHILDREN; i++)
		if (r->children[i].pid <= 0)
			r->said.down = r->children[i].name;
	for (int p = 0; p < ROUTE_POOLS; p++) {
		if (r->children[p].pid <= 0 ||
		    route_pools_check(r->pools, (enum route_pool)p, &r->said.use[p], &f) == 0)
			r->deaf[p] = 0;
		else if (++r->deaf[p] == DEAF_CHECKS) {
			log_error("%s; killed", f.text);
			kill(r->children[p].pid, SIGKILL);
		}
	}
	if (route_status_write(&r->fs, &r->said, &f) < 0)
		log_error("%s", f.text);
}

static void reap(struct route *r)
{
	struct route_child *c;

	while ((c = route_children_reap(r->children, CHILDREN)))
		if (c != &r->children[PGPOOL])
			route_pools_restarted(r->pools, (enum route_pool)(c - r->children));
}

static int64_t sooner(int64_t a, int64_t b)
{
	return b < 0 || a < b ? a : b;
}

/* Until something happens; whether it was told to end. */
static bool wait_for(struct route *r, int64_t ms)
{
	struct pollfd p[] = { { .fd = r->signals, .events = POLLIN },
			      { .fd = r->wake, .events = POLLIN } };
	struct signalfd_siginfo info;
	uint64_t count;
	bool end = false;

	if (poll(p, ARRAY_LEN(p), (int)ms) <= 0)
		return false;
	if (read(r->wake, &count, sizeof count) < 0 && errno != EAGAIN)
		log_error("eventfd: %s", strerror(errno));
	while (read(r->signals, &info, sizeof info) == sizeof info)
		end = end || info.ssi_signo != SIGCHLD;
	return end;
}

static void serve(struct route *r)
{
	bool end = false;

	while (!end) {
		int64_t ms = CHECK_MS;

		reap(r);
		ms = sooner(ms, route_children_start(r->children, CHILDREN));
		decide(r);
		ms = sooner(ms, route_pools_nudge(r->pools));
		if (timer_now() - r->checked >= CHECK_MS) {
			check(r);
			r->checked = timer_now();
			if (r->trim_at && r->checked >= r->trim_at) {
				trim_code();
				r->trim_at = 0;
			}
		}
		end = wait_for(r, ms);
	}
}

/* First what takes clients, then what they are served by. */
static void finish(struct route *r)
{
	log_info("ends");
	route_children_end(&r->children[PGPOOL], END_MS);
	for (int p = 0; p < ROUTE_POOLS; p++)
		route_children_end(&r->children[p], END_MS);
	route_pools_free(&r->pools);
	route_look_stop(&r->look);
	route_api_stop(&r->api);
}

static int ready(struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	int r = fs_open(&fs, "/", f);

	if (r == 0)
		r = route_status_ready(&fs, f);
	return r < 0 ? r : EXIT_DONE;
}

int route_run(int argc, char **argv, struct fault *f)
{
	const struct command_option options[] = { { 0 } };
	int r = command_options(options, argc, argv, f);
	struct route route = { .fs.fd = -1 };

	if (r < 0)
		return r;
	if (argc - r == 1 && str_eq(argv[r], "ready"))
		return ready(f);
	if (argc != r)
		return fault_set(f, EINVAL, "wants nothing, or ready; see phoenix route --help");
	r = start(&route, f);
	if (r == 0) {
		serve(&route);
		finish(&route);
	}
	route_conf_free(&route.conf);
	strv_free(&route.servers);
	fs_close(&route.fs);
	return r < 0 ? r : EXIT_DONE;
}
