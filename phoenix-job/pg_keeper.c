/* See pg_keeper.h. */
#include "phoenix-job/pg_keeper.h"

#include "phoenix-job/permit.h"
#include "phoenix-job/pg_files.h"
#include "phoenix-job/pg_loop.h"
#include "phoenix-job/pg_process.h"

#include "lib/command.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 100
#define GRACE_MS 500 /* the supervisor's own time to end what its permit has ended for */

/* 0, or what the supervisor ended with, and one more. */
static int reap(pid_t supervisor)
{
	int status, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == supervisor)
			ended = 1 + (WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED);
	return ended;
}

/* The permit has ended, and the supervisor, who would take it back, has not. */
static bool is_overdue(const struct permit *permit)
{
	int64_t until = permit_write_until(permit);

	return until && timer_now() >= until + GRACE_MS;
}

static int keep(pid_t supervisor, const struct permit *permit, const sigset_t *signals)
{
	const struct timespec a_turn = { .tv_nsec = TURN_MS * 1000000L };
	bool killed = false;

	for (;;) {
		int sig = sigtimedwait(signals, NULL, &a_turn), ended = reap(supervisor);

		if (ended) {
			pg_process_kill_all();
			return ended - 1;
		}
		if (sig == SIGTERM || sig == SIGINT)
			kill(supervisor, SIGTERM);
		if (!is_overdue(permit)) {
			killed = false;
		} else if (!killed) {
			log_error("the supervisor stands still: PostgreSQL is killed");
			killed = true;
		}
		if (killed)
			pg_process_kill_all();
	}
}

int pg_keep(struct fault *f)
{
	_permit_ struct permit *permit = NULL;
	sigset_t signals;
	pid_t pid;

	if (getpid() != 1)
		return fault_set(f, EINVAL,
				 "phoenix pg is process 1 of a database pod, and nothing else");
	if (permit_create(PG_PERMIT, &permit, f) < 0)
		return -f->code;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pid = fork();
	if (pid < 0)
		return fault_errno(f, "fork");
	if (pid > 0)
		return keep(pid, permit, &signals);
	sigdelset(&signals, SIGTERM);
	sigdelset(&signals, SIGINT);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	if (pg_loop(permit, f) < 0)
		log_error("phoenix pg: %s", f->text);
	_exit(f->code == EINVAL ? EXIT_USAGE : f->code ? EXIT_FAILED : EXIT_DONE);
}
