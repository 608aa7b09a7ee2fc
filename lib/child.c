/* See child.h. */
#include "lib/child.h"

#include "lib/fs.h"
#include "lib/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The keeper is less patient than who waits for it: killed itself, it could end nobody any more. */
#define PATIENCE_MS 3000
#define KEEPER_PATIENCE_S 2

/* Where the fork leaves its descriptors, whatever they were. */
#define REPORT_FD 3

/* The program itself. What came before the exec failed is told by REPORT_FD, which it closes. */
static void run(const char *const *argv, const sigset_t *mask)
{
	int e;

	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], (char *const *)argv);
	e = errno;
	_exit(write(REPORT_FD, &e, sizeof e) == sizeof e ? 127 : 126);
}

/* Ends as the program did, so that whoever waits sees its end. */
static void end_like(int status)
{
	sigset_t all;

	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

static void keep(pid_t program, const sigset_t *waited)
{
	const struct timespec patience = { .tv_sec = KEEPER_PATIENCE_S };
	bool ending = false;
	int status, number;

	for (;;) {
		number = sigtimedwait(waited, NULL, ending ? &patience : NULL);
		if (waitpid(program, &status, WNOHANG) == program)
			end_like(status);
		if (number < 0 && errno == EAGAIN)
			kill(program, SIGKILL);
		else if (number > 0 && number != SIGCHLD)
			kill(program, SIGTERM);
		ending = ending || (number > 0 && number != SIGCHLD);
	}
}

/* The keeper: a copy of this program with several threads' locks in whatever state, so only what is
 * safe in a signal handler is called here. Signals of the terminal reach the program by way of us. */
static void begin(const char *const *argv, int out, int report, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t waited, before;
	pid_t program;

	sigemptyset(&waited);
	for (const int *n = (const int[]){ SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 }; *n; n++)
		sigaddset(&waited, *n);
	sigprocmask(SIG_BLOCK, &waited, &before);
	/* the death of a parent that came before this call would be missed: it is looked at after it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || null < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
	    dup2(null, 0) < 0 || dup2(report, REPORT_FD) < 0)
		_exit(126);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	close_range(REPORT_FD + 1, ~0U, 0); /* a socket of ours that it kept would look alive */
	program = fork();
	if (program == 0)
		run(argv, &before);
	close_range(1, ~0U, 0);
	if (program < 0)
		_exit(126);
	keep(program, &waited);
}

int child_start(const char *const *argv, struct child *ret, struct fault *f)
{
	int out[2], report[2], e = 0;
	pid_t parent = getpid(), pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return fault_errno(f, "%s", argv[0]);
	if (pipe2(report, O_CLOEXEC) < 0) {
		e = fault_errno(f, "%s", argv[0]);
		close(out[0]);
		close(out[1]);
		return e;
	}
	pid = fork();
	if (pid == 0)
		begin(argv, out[1], report[1], parent);
	close(out[1]);
	close(report[1]);
	if (pid < 0)
		e = errno;
	else if (read(report[0], &e, sizeof e) == sizeof e)
		waitpid(pid, NULL, 0);
	close(report[0]);
	if (e) {
		close(out[0]);
		return fault_set(f, e, "%s: %s", argv[0],
				 e == ENOENT ? "there is no such program" : strerror(e));
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	*ret = (struct child){ .pid = pid, .out = out[0] };
	return 0;
}

int child_alive(struct child *c, struct fault *f)
{
	int status;

	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return 0;
	c->pid = -1;
	if (WIFSIGNALED(status))
		return fault_set(f, ECHILD, "ended by signal %d", WTERMSIG(status));
	return fault_set(f, ECHILD, "ended with status %d", WEXITSTATUS(status));
}

void child_stop(struct child *c)
{
	int64_t until = timer_now() + PATIENCE_MS;

	if (c->pid > 0) {
		kill(c->pid, SIGTERM);
		while (child_alive(c, NULL) == 0 && timer_now() < until)
			timer_sleep(20);
	}
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	c->pid = -1;
	fd_closep(&c->out);
}
