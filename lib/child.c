/* See child.h. */
#include "lib/child.h"

#include "lib/fs.h"
#include "lib/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 3000

static void run(const char *const *argv, int out, int report, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY), e;

	/* a signal that came before this call would be missed: the parent is looked at after it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
		execvp(argv[0], (char *const *)argv);
	e = errno;
	_exit(write(report, &e, sizeof e) == sizeof e ? 127 : 126);
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
		run(argv, out[1], report[1], parent);
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
