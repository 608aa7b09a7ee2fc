/* `phoenix firstboot`: the daemon of a node. It takes the machine through the table of steps, stays
 * to answer the other nodes, and goes on looking: K3s is started by nobody else. With --plan it
 * only tells, with --root it works on a tree of files. */
#include "firstboot/cluster.h"
#include "firstboot/commands.h"
#include "firstboot/engine.h"
#include "firstboot/k3s.h"
#include "firstboot/progress.h"
#include "firstboot/pulse.h"
#include "firstboot/steps.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/stop.h"
#include "lib/table.h"
#include "lib/timer.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Waiting for the others is looked at often at first: three machines that were switched on together
 * agree within a second. */
#define WAIT_BASE 250
#define EAGER_CAP 250
#define START_BASE 1000 /* a K3s that starts takes ten seconds; each question costs it some ms */
#define EAGER_MS 20000
#define WAIT_CAP 2000
#define FAIL_BASE 1000
#define FAIL_CAP 30000
#define CLUSTER_MS 5000	    /* between two looks at the others while the own K3s starts */
#define WATCH_MS 3000	    /* between two looks when all is done… */
#define FULL_PASS_MS 300000 /* …and at the whole table, and for a corrected seed */
#define SEED_MS 20000	    /* for a corrected seed while something is not done */

const char firstboot_usage[] =
	"Usage: phoenix firstboot [--plan] [--root DIR] [--json]\n\n"
	"Brings this node to its described state and stays to keep it there; started by\n"
	"phoenix-firstboot.service at every boot.\n\n"
	"      --plan      only tells what would be done, changes nothing\n"
	"      --root DIR  works on the tree DIR instead of the running machine; steps that\n"
	"                  need the machine are skipped by name\n"
	"      --json      with --plan or --root: one JSON object, version 1\n\n"
	"Exit status: 0 done (with --plan: nothing to do), 1 failed (with --plan: something\n"
	"would be done), 2 usage or configuration.\n";

struct daemon {
	struct engine engine;
	struct progress progress;
	struct backoff wait, fail;
	size_t stuck; /* step that was not done last time: a new one begins with short waits */
	int64_t stuck_since;  /* since when it is that one */
	bool ready;	      /* READY=1 was sent */
	bool whole;	      /* the last pass through the whole table found nothing wrong */
	int64_t full_pass;    /* when the whole table was last gone through */
	int64_t next_cluster; /* when to ask the others again while the own K3s starts */
	int64_t next_seed;    /* when to look for a corrected seed */
};

/* A node that is well keeps an eye on the others' signs of life meanwhile, one that joins asks to
 * be made a voter, and one that waits for another looks as soon as that one has asked it something.
 */
static void nap(struct daemon *d, int64_t ms, bool well)
{
	struct agent *a = d->engine.boot->agent;
	int64_t until = timer_now() + ms, slice = well ? 100 : 50;

	malloc_trim(0); /* what the last round took and gave back is the kernel's again */
	while (!stop_asked() && timer_now() < until) {
		if (well)
			pulse_look(a);
		else if (a)
			joining_ask_promotion(a);
		if (!well && a && agent_heard(a))
			break;
		timer_sleep(until - timer_now() < slice ? until - timer_now() : slice);
	}
}

static void report(void *user, const struct engine *e, size_t i)
{
	struct daemon *d = user;

	progress_report(&d->progress, e, i);
	if (e->boot->agent)
		agent_set_status(e->boot->agent, &d->progress.written);
}

static size_t first_not_done(const struct engine *e)
{
	size_t i = 0;

	while (i < e->n &&
	       (e->results[i].state == STATE_DONE || e->results[i].state == STATE_CHANGED ||
		e->results[i].state == STATE_SKIPPED))
		i++;
	return i;
}

/* How soon to look again after a pass that ended with R. */
static int64_t pause_after(struct daemon *d, int r)
{
	size_t now = first_not_done(&d->engine);

	if (now != d->stuck) {
		backoff_reset(&d->wait);
		backoff_reset(&d->fail);
		d->stuck = now;
		d->stuck_since = timer_now();
	}
	if (r != -EAGAIN)
		return backoff_next(&d->fail, FAIL_BASE, FAIL_CAP);
	if (k3s_is_running())
		return backoff_next(&d->wait, START_BASE, WAIT_CAP);
	return backoff_next(&d->wait, WAIT_BASE,
			    timer_now() - d->stuck_since < EAGER_MS ? EAGER_CAP : WAIT_CAP);
}

/* The steps before `cluster` were done a moment ago: while the cluster forms, only what is moving
 * is looked at. */
static int look_again(struct daemon *d, struct fault *f)
{
	int r = -ENOENT;

	if (d->engine.boot->agent && timer_now() - d->full_pass < FULL_PASS_MS) {
		/* the other nodes need not be asked as often as one's own K3s that is just starting
		 */
		r = timer_now() < d->next_cluster ? 0 : engine_step(&d->engine, "cluster", f);
		if (r == 0 && timer_now() >= d->next_cluster)
			d->next_cluster = timer_now() + CLUSTER_MS;
		if (r == 0)
			r = engine_step(&d->engine, "k3s", f);
		if (r < 0)
			d->next_cluster = k3s_is_running() ? d->next_cluster : 0;
		if (r < 0 || (d->ready && d->whole))
			return r;
	}
	d->full_pass = timer_now();
	r = engine_pass(&d->engine, f);
	d->whole = r == 0;
	return r;
}

/* A corrected seed is taken up by starting over: half of the program holds what it read from the
 * old one. Looked for often only while something is wrong: media are mounted for it. */
static bool seed_changed(struct daemon *d)
{
	const struct boot *b = d->engine.boot;
	_diags_ struct diags diags = { 0 };
	_seed_ struct seed *now = NULL;

	if (!b->seed || timer_now() < d->next_seed)
		return false;
	d->next_seed = timer_now() + (d->ready ? FULL_PASS_MS : SEED_MS);
	if (seed_find(&b->fs, &now, &diags, NULL) == 0 && !str_eq(now->sha256, b->seed->sha256))
		return true;
	step_seed_tell(b, &diags); /* a correction with a mistake of its own */
	return false;
}

static void say_ready(struct daemon *d)
{
	progress_set(&d->progress, &d->engine, "ready", NULL, NULL);
	agent_set_status(d->engine.boot->agent, &d->progress.written);
	if (d->ready)
		return;
	d->ready = true;
	notify_send("READY=1");
	log_info("this node is in its described state");
}

static int run_daemon(struct boot *b)
{
	struct daemon d = {
		.engine = { .boot = b, .steps = steps, .n = engine_count(steps), .report = report }
	};
	_free_ struct step_result *results = mem_alloc(d.engine.n * sizeof *results);

	/* a few threads that each do little: one heap, not one each, grown in small steps, large
	 * pieces apart from it, and given back early */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 16 * 1024);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	d.engine.results = results;
	d.engine.user = &d;
	stop_catch();
	signal(SIGPIPE, SIG_IGN);
	d.progress.fs = &b->fs;
	d.full_pass = -FULL_PASS_MS;
	d.next_seed = timer_now() + SEED_MS;
	while (!stop_asked()) {
		struct fault f = { 0 };
		int r = look_again(&d, &f);

		if (seed_changed(&d)) {
			log_warn("the seed changed: starts over with it");
			execl("/proc/self/exe", "phoenix", "firstboot", NULL);
			return EXIT_FAILED;
		}
		if (r == 0)
			say_ready(&d);
		nap(&d, r == 0 ? WATCH_MS : pause_after(&d, r), r == 0);
	}
	progress_free(&d.progress);
	return EXIT_DONE;
}

static void engine_json(const struct engine *e, struct str *out)
{
	struct progress p = { .fs = &e->boot->fs };
	_json_ struct json *j = progress_json(&p, e);

	json_print(j, 2, out);
	str_add(out, "\n");
}

static void engine_table(const struct engine *e, struct str *out)
{
	_table_ struct table t = { .columns = 3 };

	table_row(&t, "STEP", "STATE", "WHAT", NULL);
	for (size_t i = 0; i < e->n; i++)
		table_row(&t, e->steps[i].name, step_state_name(e->results[i].state),
			  *e->results[i].text ? e->results[i].text : e->steps[i].summary, NULL);
	table_print(&t, 0, out);
}

/* One pass for people or tests: --plan, --root. */
static int run_once(struct boot *b, bool as_json, struct fault *f)
{
	size_t n = engine_count(steps);
	_free_ struct step_result *results = mem_alloc(n * sizeof *results);
	struct engine e = { .boot = b, .steps = steps, .n = n, .results = results };
	_str_ struct str out = { 0 };
	int r = engine_pass(&e, f);

	if (as_json)
		engine_json(&e, &out);
	else
		engine_table(&e, &out);
	fputs(str_text(&out), stdout);
	if (r < 0 && !(b->plan && r == -EAGAIN))
		return r;
	return b->plan && r != 0 ? EXIT_FAILED : EXIT_DONE;
}

int firstboot_run(int argc, char **argv, struct fault *f)
{
	const char *root = NULL;
	bool plan = false, as_json = false;
	const struct command_option options[] = { { "plan", 0, NULL, &plan, NULL },
						  { "root", 0, &root, NULL, NULL },
						  { "json", 0, NULL, &as_json, NULL },
						  { 0 } };
	struct boot b = { .fs.fd = -1 };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (r < argc)
		return fault_set(f, EINVAL, "takes no argument '%s'; see phoenix firstboot --help",
				 argv[r]);
	if (as_json && !plan && !root)
		return fault_set(f, EINVAL,
				 "--json goes with --plan or --root; the daemon's state is in "
				 "`phoenix status --json`");
	r = fs_open(&b.fs, root ? root : "/", f);
	if (r < 0)
		return r;
	b.live = !root;
	b.plan = plan;
	if (!root && !plan && geteuid() != 0)
		return fault_set(f, EPERM, "changes the machine: wants root (or --plan)");
	r = root || plan ? run_once(&b, as_json, f) : run_daemon(&b);
	seed_freep(&b.seed);
	fs_close(&b.fs);
	return r;
}
