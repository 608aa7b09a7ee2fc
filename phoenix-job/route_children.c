/* See route_children.h. */
#include "phoenix-job/route_children.h"

#include "lib/log.h"
#include "lib/str.h"
#include "lib/timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_MS 100
#define PAUSE_MAX_MS 5000
#define LIVED_MS 10000

/* Between fork and exec of a program with threads: only what is safe in a signal handler. */
static void run(const struct route_child *c, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, c->on_death);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (getppid() == parent)
		execvp(c->argv[0], (char *const *)c->argv);
	_exit(127);
}

static void start(struct route_child *c)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run(c, parent);
	c->started = timer_now();
	c->pause = c->pause ? c->pause * 2 : PAUSE_MS;
	if (c->pause > PAUSE_MAX_MS)
		c->pause = PAUSE_MAX_MS;
	if (pid < 0) {
		log_error("%s: fork: %s", c->name, strerror(errno));
		c->next = c->started + c->pause;
		return;
	}
	setpgid(pid, pid); /* whoever is first */
	c->pid = pid;
}

int64_t route_children_start(struct route_child *children, int n)
{
	int64_t now = timer_now(), next = -1;

	for (int i = 0; i < n; i++) {
		struct route_child *c = &children[i];

		if (c->pid <= 0 && now >= c->next)
			start(c);
		if (c->pid <= 0 && (next < 0 || c->next - now < next))
			next = c->next - now;
	}
	return next;
}

/* Pgpool-II that was killed leaves its shared memory behind, which counts as the pod's. What nobody
 * has mapped is nobody's. */
static void forget_memory(void)
{
	struct shmid_ds ds;
	struct shm_info info;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

	for (int i = 0; i <= last; i++) {
		int id = shmctl(i, SHM_STAT, &ds);

		if (id >= 0 && ds.shm_nattch == 0 && ds.shm_perm.uid == geteuid())
			shmctl(id, IPC_RMID, NULL);
	}
}

static void has_ended(struct route_child *c, int status)
{
	int64_t now = timer_now();

	/* what it had started would keep its ports */
	kill(-c->pid, SIGKILL);
	c->pid = 0;
	if (now - c->started > LIVED_MS)
		c->pause = 0;
	c->next = now + c->pause;
	if (c->shared_memory)
		forget_memory();
	if (WIFSIGNALED(status))
		log_warn("%s ended by signal %d", c->name, WTERMSIG(status));
	else
		log_warn("%s ended with status %d%s", c->name, WEXITSTATUS(status),
			 WEXITSTATUS(status) == 127 ? ": there is no such program" : "");
}

struct route_child *route_children_reap(struct route_child *children, int n)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < n; i++)
			if (children[i].pid == pid) {
				has_ended(&children[i], status);
				return &children[i];
			}
	return NULL;
}

void route_children_end(struct route_child *c, int64_t ms)
{
	int64_t until = timer_now() + ms;

	if (c->pid <= 0)
		return;
	kill(c->pid, c->to_end);
	while (timer_now() < until) {
		if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
			kill(-c->pid, SIGKILL);
			c->pid = 0;
			return;
		}
		timer_sleep(20);
	}
	log_warn("%s does not end within %lld ms: killed", c->name, (long long)ms);
	kill(-c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}
