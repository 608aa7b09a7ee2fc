/* See pg_process.h. */
#include "phoenix-job/pg_process.h"

#include "phoenix-job/pg_files.h"

#include "lib/log.h"
#include "lib/str.h"
#include "lib/timer.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MS 5000

extern char **environ;

int pg_process_start(struct pg_process *p, const char *data, bool standby, const char *extra,
		     struct fault *f)
{
	const char *argv[] = { "postgres",	    "-D",  data, "-c", "config_file=" PG_CONF,
			       extra ? "-c" : NULL, extra, NULL };
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	r = posix_spawnp(&p->pid, "postgres", NULL, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	if (r != 0) {
		p->pid = 0;
		return fault_set(f, r, "cannot start postgres: %s", strerror(r));
	}
	p->standby = standby;
	return 0;
}

static bool is_postgres(const char *pid)
{
	char path[64], exe[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	n = readlink(path, exe, sizeof exe - 1);
	if (n < 0)
		return false;
	exe[n] = 0;
	name = strrchr(exe, '/');
	return name && str_starts(name, "/postgres") &&
	       (!name[strlen("/postgres")] || name[strlen("/postgres")] == ' ');
}

bool pg_process_kill_all(void)
{
	DIR *proc = opendir("/proc");
	bool any = false;

	for (struct dirent *e; proc && (e = readdir(proc));) {
		long pid;

		if (str_to_long(e->d_name, 2, 1L << 30, &pid) && is_postgres(e->d_name) &&
		    kill((pid_t)pid, SIGKILL) == 0)
			any = true;
	}
	if (proc)
		closedir(proc);
	return any;
}

bool pg_process_lacks_wal(const struct pg_process *p)
{
	_free_ char *path = mem_printf("/proc/%d/task/%d/children", (int)p->pid, (int)p->pid);
	FILE *children = fopen(path, "re");
	bool yes = false;
	int pid;

	while (children && !yes && fscanf(children, "%d", &pid) == 1) {
		_free_ char *file = mem_printf("/proc/%d/cmdline", pid);
		FILE *title = fopen(file, "re");
		char text[256] = "";

		if (title && fgets(text, sizeof text, title))
			yes = strstr(text, "startup waiting for") != NULL;
		if (title)
			fclose(title);
	}
	if (children)
		fclose(children);
	return yes;
}

/* One whose parent is not yet reaped shows no exe any more. */
static void clear(struct pg_process *p)
{
	p->pid = 0;
	for (int i = 0; i < 200 && pg_process_kill_all(); i++)
		timer_sleep(10);
}

bool pg_process_runs(struct pg_process *p)
{
	int status;

	if (!p->pid)
		return false;
	if (waitpid(p->pid, &status, WNOHANG) == 0)
		return true;
	if (WIFSIGNALED(status))
		log_warn("PostgreSQL was ended by signal %d", WTERMSIG(status));
	else
		log_info("PostgreSQL has ended, status %d", WEXITSTATUS(status));
	clear(p);
	return false;
}

static bool ends(struct pg_process *p, int sig, int ms)
{
	int64_t until = timer_now() + ms;

	kill(p->pid, sig);
	while (pg_process_runs(p))
		if (timer_now() >= until)
			return false;
		else
			timer_sleep(10);
	return true;
}

void pg_process_stop(struct pg_process *p, int fast_ms)
{
	if (!p->pid || (fast_ms && ends(p, SIGINT, fast_ms)))
		return;
	if (fast_ms) {
		log_warn("PostgreSQL does not end: at once");
		if (ends(p, SIGQUIT, AT_ONCE_MS))
			return;
	}
	pg_process_kill_all();
	if (!ends(p, SIGKILL, AT_ONCE_MS))
		log_error("PostgreSQL cannot be killed");
}
