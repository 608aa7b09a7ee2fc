/* See k3s.h: the unit and its configuration of the moment. */
#include "firstboot/k3s.h"

#include "firstboot/paths.h"
#include "lib/proc.h"
#include "lib/timer.h"

#include <errno.h>
#include <unistd.h>

#define UNIT "k3s.service"
#define SERVER_FILE K3S_CONFIG_DIR "/10-phoenix-server.yaml"
#define START_LIMIT 30000
#define ENDED_LOOKS 4 /* the state of the last run may still be shown at first */
#define IDLE_MS 150
#define BARRED_MS 10000 /* without the permit systemd cannot start it, only we can */
#define RESET_LIMIT 180000
#define RESET_LINES 20000

static void take(const char *text, const char *key, char *out, size_t size)
{
	const char *at = strstr(text, key);
	size_t n;

	out[0] = 0;
	if (!at)
		return;
	at += strlen(key);
	n = strcspn(at, "\n");
	if (n >= size)
		n = size - 1;
	memcpy(out, at, n);
	out[n] = 0;
}

int k3s_unit(struct k3s_unit *ret, struct fault *f)
{
	static const char *const argv[] = {
		"systemctl", "show", "-p", "ActiveState,SubState,MainPID,NRestarts,Result",
		UNIT,	     NULL
	};
	_str_ struct str out = { 0 };
	char number[24];
	int r = proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 10000 }, &out, f);

	if (r < 0)
		return r;
	*ret = (struct k3s_unit){ 0 };
	take(out.p, "ActiveState=", ret->active, sizeof ret->active);
	take(out.p, "SubState=", ret->sub, sizeof ret->sub);
	take(out.p, "Result=", ret->result, sizeof ret->result);
	take(out.p, "MainPID=", number, sizeof number);
	if (!str_to_long(number, 0, 1 << 30, &ret->pid))
		ret->pid = 0;
	take(out.p, "NRestarts=", number, sizeof number);
	if (!str_to_long(number, 0, 1 << 30, &ret->restarts))
		ret->restarts = 0;
	return 0;
}

/* Asked several times a second, and each question to systemd costs it and us a few milliseconds: the
 * process found last time is looked up in /proc first, and that there was none is believed for a
 * while. */
static _Atomic long known;
static _Atomic int64_t idle_at;

bool k3s_is_running(void)
{
	struct k3s_unit u;

	if (idle_at && timer_now() - idle_at < (access(K3S_PERMIT, F_OK) < 0 ? BARRED_MS : IDLE_MS))
		return false;
	if (known > 0) {
		_free_ char *path = mem_printf("/proc/%ld/comm", (long)known);
		_fs_ struct fs root = { .fd = -1 };
		_str_ struct str comm = { 0 };

		if (fs_open(&root, "/", NULL) == 0 && fs_read(&root, path, 64, &comm, NULL) == 0 &&
		    str_starts(comm.p, "k3s"))
			return true;
		known = 0;
	}
	if (k3s_unit(&u, NULL) < 0)
		return true; /* not knowing must never let the files of a running etcd be read or
				moved */
	known = u.pid;
	idle_at = u.pid > 0 ? 0 : timer_now();
	return u.pid > 0;
}

bool k3s_installed(const struct fs *fs)
{
	return fs_exists(fs, "/usr/local/bin/k3s");
}

bool k3s_has_wal(const struct fs *fs)
{
	_strv_ struct strv names = { 0 };

	if (fs_list(fs, K3S_ETCD "/member/wal", &names, NULL) < 0)
		return false;
	strv_each (name, &names) {
		if (str_ends(name, ".wal"))
			return true;
	}
	return false;
}

static int permit(const struct fs *fs, const char *args, struct fault *f)
{
	_free_ char *text = mem_printf("PHOENIX_K3S_ARGS=%s\n", args);
	int r = fs_write_text(fs, K3S_PERMIT, 0600, text, f);

	return r < 0 ? r : 0;
}

int k3s_allow_restart(const struct fs *fs, struct fault *f)
{
	return permit(fs, "", f);
}

static bool has_ended(const struct k3s_unit *u)
{
	return str_eq(u->active, "failed") || str_starts(u->sub, "auto-restart");
}

/* One start of the unit with ARGS, which are gone again before this returns. */
static int start_once(const struct fs *fs, const char *args, struct fault *f)
{
	int64_t until = timer_now() + START_LIMIT;
	struct k3s_unit u = { 0 };
	int ended = 0, r = permit(fs, args, f);

	if (r == 0)
		r = proc_do(f, "systemctl", "reset-failed", UNIT, NULL) == -ENOENT ? -ENOENT : 0;
	idle_at = 0;
	if (r == 0)
		r = proc_do(f, "systemctl", "start", "--no-block", UNIT, NULL);
	while (r == 0 && u.pid == 0 && timer_now() < until) {
		timer_sleep(50);
		r = k3s_unit(&u, f);
		if (r == 0 && u.pid == 0 && has_ended(&u) && ++ended == ENDED_LOOKS)
			r = fault_set(f, EAGAIN, "K3s ended at once: %s; see journalctl -u " UNIT,
				      u.result);
	}
	if (r == 0 && u.pid == 0)
		r = fault_set(f, ETIMEDOUT, "%s has no process after %d s", UNIT,
			      START_LIMIT / 1000);
	/* Neither the flag nor the permit may survive into a second start: before there is data,
	 * each start is a decision. */
	if (fs_remove(fs, K3S_PERMIT, r < 0 ? NULL : f) < 0 && r == 0)
		r = -f->code;
	return r;
}

int k3s_start(const struct fs *fs, bool form, struct fault *f)
{
	return start_once(fs, form ? "--cluster-init" : "", f);
}

int k3s_stop(const struct fs *fs, struct fault *f)
{
	static const char *const argv[] = { "systemctl", "stop", UNIT, NULL };
	struct k3s_unit u;
	int r = fs_remove(fs, K3S_PERMIT, f);

	idle_at = 0;
	if (r < 0)
		return r;
	/* A K3s without quorum takes its time to leave; what counts is that it is gone. */
	r = proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 20000 }, NULL, f);
	if (r < 0) {
		proc_do(NULL, "systemctl", "kill", "-s", "KILL", UNIT, NULL);
		r = proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 20000 }, NULL, f);
	}
	if (r == 0)
		r = k3s_unit(&u, f);
	if (r == 0 && u.pid > 0)
		r = fault_set(f, EBUSY, "%s still has process %ld", UNIT, u.pid);
	return r;
}

int k3s_set_server(const struct fs *fs, const char *address, struct fault *f)
{
	_free_ char *text =
		address ? mem_printf("server: https://%s:%d\n", address, API_PORT) : NULL;
	int r = text ? fs_write_text(fs, SERVER_FILE, 0600, text, f)
		     : fs_remove(fs, SERVER_FILE, f);

	return r < 0 ? r : 0;
}

/* As the unit, so that it has the same environment and limits as every other start. Its exit status
 * is 0 and its last line an error also when all is well: the sentence is the evidence. */
int k3s_reset(const struct fs *fs, struct fault *f)
{
	static const char word[] = "Managed etcd cluster membership has been reset";
	int64_t until = timer_now() + RESET_LIMIT;
	_str_ struct str said = { 0 };
	struct k3s_unit u = { .pid = 1 };
	int r = k3s_set_server(fs, NULL, f);

	if (r == 0)
		r = fs_remove(fs, K3S_SERVER "/db/reset-flag", f);
	if (r >= 0)
		r = start_once(fs, "--cluster-reset", f);
	while (r == 0 && u.pid > 0 && timer_now() < until) {
		timer_sleep(500);
		r = k3s_unit(&u, f);
	}
	if (r == 0)
		r = k3s_stop(fs, f);
	if (r == 0)
		r = k3s_said(RESET_LINES, &said, f);
	if (r == 0 && !strstr(str_text(&said), word))
		r = fault_set(f, EREMOTEIO,
			      "k3s server --cluster-reset ended without its word of success; see "
			      "journalctl -u " UNIT);
	return r;
}
