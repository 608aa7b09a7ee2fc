/* See proc.h. */
#include "lib/proc.h"

#include "lib/fs.h"
#include "lib/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT 30000
#define DEFAULT_OUTPUT (1 << 20)
#define LINGER 50
#define KILL_WAIT 5000

struct child {
	pid_t pid;
	int pidfd, in, out, err;
	size_t written;
};

static void child_close(struct child *c)
{
	fd_closep(&c->in);
	fd_closep(&c->out);
	fd_closep(&c->err);
	fd_closep(&c->pidfd);
}

static void child_exec(const struct proc *p, int in, int out, int err, int report)
{
	sigset_t none;
	int e;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0) {
		for (size_t i = 0; p->env && p->env[i]; i++)
			putenv((char *)p->env[i]);
		execvp(p->argv[0], (char *const *)p->argv);
	}
	e = errno;
	if (write(report, &e, sizeof e) != sizeof e)
		_exit(126);
	_exit(127);
}

/* The child reports a failed exec through a close-on-exec pipe, so that "no such program" is
 * told apart from a program that exits with 127. */
static int start(const struct proc *p, struct child *c, struct fault *f)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, rep[2] = { -1, -1 },
	    e = 0;
	_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	*c = (struct child){ .pid = -1, .pidfd = -1 };
	if (null < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    pipe2(rep, O_CLOEXEC) < 0 || (p->input && pipe2(in, O_CLOEXEC) < 0) ||
	    (c->pid = fork()) < 0)
		e = errno;
	if (c->pid == 0)
		child_exec(p, p->input ? in[0] : null, out[1], err[1], rep[1]);
	fd_closep(&in[0]);
	fd_closep(&out[1]);
	fd_closep(&err[1]);
	fd_closep(&rep[1]);
	while (!e && read(rep[0], &e, sizeof e) < 0 && errno == EINTR)
		;
	fd_closep(&rep[0]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	if (c->in >= 0)
		fcntl(c->in, F_SETFL, O_NONBLOCK);
	if (!e && (c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0)) < 0) {
		e = errno;
		kill(c->pid, SIGKILL);
	}
	if (!e)
		return 0;
	if (c->pid > 0)
		waitpid(c->pid, NULL, 0);
	child_close(c);
	errno = e;
	return fault_errno(f, "start %s", p->argv[0]);
}

static void drain(int *fd, struct str *to, size_t max)
{
	char buf[8192];
	ssize_t n = read(*fd, buf, sizeof buf);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		fd_closep(fd);
		return;
	}
	if (to->len < max)
		str_add_n(to, buf, (size_t)n < max - to->len ? (size_t)n : max - to->len);
	explicit_bzero(buf, sizeof buf);
}

static void feed(const struct proc *p, struct child *c)
{
	ssize_t n = write(c->in, (const char *)p->input + c->written, p->input_len - c->written);

	if (n > 0)
		c->written += (size_t)n;
	if ((n < 0 && errno != EINTR && errno != EAGAIN) || c->written == p->input_len)
		fd_closep(&c->in);
}

/* Waits for the end of the process and of both outputs, within the limit. A grandchild that
 * keeps an output open after the program ended is waited for a moment only. */
static bool converse(const struct proc *p, struct child *c, struct proc_result *r, int64_t until,
		     int *wstatus)
{
	size_t max = p->max_output ? p->max_output : DEFAULT_OUTPUT;
	bool gone = false;

	while (!gone || c->out >= 0 || c->err >= 0) {
		struct pollfd fds[] = { { c->out, POLLIN, 0 },
					{ c->err, POLLIN, 0 },
					{ c->in, POLLOUT, 0 },
					{ gone ? -1 : c->pidfd, POLLIN, 0 } };
		int64_t left = until - timer_now();
		int ready;

		if (left <= 0)
			return gone;
		ready = poll(fds, ARRAY_LEN(fds), (int)(gone ? LINGER : left));
		if (ready == 0 && gone)
			return true;
		if (ready > 0 && fds[0].revents)
			drain(&c->out, &r->out, max);
		if (ready > 0 && fds[1].revents)
			drain(&c->err, &r->err, max);
		if (ready > 0 && fds[2].revents)
			feed(p, c);
		if (ready > 0 && fds[3].revents)
			gone = waitpid(c->pid, wstatus, WNOHANG) == c->pid;
	}
	return true;
}

/* A program need not read its input: writing then raises SIGPIPE. It is held back for this
 * thread alone; ignoring it would change all of them, and two of them would undo each other's
 * change. */
static void hold_sigpipe(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

static void release_sigpipe(const sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	if (!sigismember(old, SIGPIPE))
		while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) == SIGPIPE)
			;
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* Kills the group and waits, but not for ever: a process that hangs in the kernel, on a dead
 * disk, does not die of SIGKILL either. */
static void put_down(struct child *c, int *wstatus)
{
	struct pollfd gone = { .fd = c->pidfd, .events = POLLIN };

	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
	*wstatus = SIGKILL;
	if (poll(&gone, 1, KILL_WAIT) > 0)
		waitpid(c->pid, wstatus, WNOHANG);
}

int proc_run(const struct proc *p, struct proc_result *r, struct fault *f)
{
	int64_t limit = p->timeout_ms ? p->timeout_ms : DEFAULT_TIMEOUT;
	int wstatus = 0, ret;
	sigset_t old;
	struct child c;
	bool done;

	*r = (struct proc_result){ 0 };
	ret = start(p, &c, f);
	if (ret < 0)
		return ret;
	hold_sigpipe(&old);
	done = converse(p, &c, r, timer_now() + limit, &wstatus);
	release_sigpipe(&old);
	if (!done)
		put_down(&c, &wstatus);
	child_close(&c);
	r->status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
	if (!done)
		ret = fault_set(f, ETIMEDOUT, "%s: no end after %lld ms", p->argv[0],
				(long long)limit);
	return ret;
}

void proc_result_free(struct proc_result *r)
{
	str_erase(&r->out);
	str_erase(&r->err);
}

const char *proc_last_line(struct str *said, const char *nothing)
{
	char *text = said->len ? str_trim(said->p) : NULL, *nl = text ? strrchr(text, '\n') : NULL;

	return nl ? str_trim(nl) : text && *text ? text : nothing;
}

int proc_ok(const struct proc *p, struct str *out, struct fault *f)
{
	_proc_ struct proc_result r = { 0 };
	int ret = proc_run(p, &r, f);

	if (ret < 0)
		return ret;
	if (r.status)
		return fault_set(f, EREMOTEIO, "%s: exit status %d: %s", p->argv[0], r.status,
				 proc_last_line(&r.err, "it said nothing"));
	if (out)
		str_add_n(out, str_text(&r.out), r.out.len);
	return 0;
}

int proc_do(struct fault *f, const char *argv0, ...)
{
	const char *argv[32] = { argv0 };
	size_t n = 1;
	va_list ap;

	va_start(ap, argv0);
	while (n < ARRAY_LEN(argv) && (argv[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	if (n == ARRAY_LEN(argv))
		return fault_set(f, E2BIG, "%s: too many arguments", argv0);
	return proc_ok(&(struct proc){ .argv = argv }, NULL, f);
}
