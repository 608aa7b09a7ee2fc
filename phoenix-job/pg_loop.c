/* The supervisor's heart: tells the core what its ears heard, and hands on what the core wishes. It
 * waits for nobody. */
#include "phoenix-job/pg_loop.h"

#include "phoenix-job/pg_data.h"
#include "phoenix-job/pg_super.h"

#include "lib/crypto.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/timer.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURN_MS 25
#define LOOK_MS 100
#define BLIND_MS 4000 /* PostgreSQL does not answer: it is as good as down */
#define STATUS_MS 1000

static void new_holder(struct pg_super *s)
{
	_free_ char *nonce = crypto_random_hex(4);

	snprintf(s->core.holder, sizeof s->core.holder, "%s/%s", s->unit.uid, nonce);
	s->core.need_holder = false;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* Every walsender goes by the names that were written; see pg_first_priority. */
static bool names_known(const struct pg_super *s)
{
	int next = pg_first_priority(s->settings.turn);

	if (!s->names_written || s->sight.at <= s->names_written)
		return false;
	for (int i = 0; i < PG_PODS; i++) {
		int ought = s->settings.names[i] ? next++ : 0;

		if (s->sight.standby[i] && s->sight.priority[i] != ought)
			return false;
	}
	return true;
}

static enum pg_server server_now(const struct pg_super *s)
{
	if (!s->process.pid || has_ended(s->process.pid) || !s->sight.at)
		return PG_DOWN;
	if (timer_now() - s->sight.at > BLIND_MS)
		return PG_DOWN;
	if (s->sight.recovering)
		return PG_STANDBY;
	return s->primary_term && s->sight.place.term == s->primary_term ? PG_PRIMARY : PG_STANDBY;
}

static void told(struct pg_super *s)
{
	struct pg_core *c = &s->core;

	c->server = server_now(s);
	if (s->blank) {
		c->place = (struct pg_place){ 0 };
		c->place_known = true;
	}
	if (c->server == PG_DOWN) {
		memset(c->streams, 0, sizeof c->streams);
		return;
	}
	s->starting = false;
	if (s->sight.known) {
		c->place = s->sight.place;
		c->place_known = true;
	}
	for (int i = 0; i < PG_PODS; i++) {
		c->streams[i] = s->sight.standby[i];
		c->fresh[i] = s->sight.fresh[i];
		c->flushed[i] = s->sight.flushed[i];
	}
	if (c->mode == PG_SYNC && memcmp(s->settings.names, c->names, sizeof c->names) == 0 &&
	    names_known(s))
		c->names_set = true;
}

static void hand_on(struct pg_super *s, const struct pg_wish *w, int64_t now)
{
	bool asks = false;

	s->wish = *w;
	/* a promotion that the Lease was lost over: it is out of recovery, and nobody's primary */
	if (s->core.server == PG_STANDBY && s->sight.at && !s->sight.recovering &&
	    w->server == PG_LEAVE)
		s->wish.server = PG_STOP;
	if (w->read_lease || w->write_lease) {
		s->api_wanted = true;
		s->api_wish = *w;
		s->api_sent = now;
	}
	for (int i = 0; i < PG_PODS; i++)
		if (w->ask[i]) {
			s->ask_wanted[i] = asks = true;
			s->question[i] = w->question;
			s->ask_sent[i] = now;
		}
	if (s->api_wanted || asks)
		pthread_cond_broadcast(&s->wake);
}

static void turn(struct pg_super *s)
{
	int64_t now = timer_now();
	struct pg_core *c = &s->core;
	struct pg_wish w;

	told(s);
	pg_core_tick(c, now, &w);
	hand_on(s, &w, now);
	if (c->need_holder && !c->in_flight)
		new_holder(s);
	permit_write(s->permit, c->permit_until);
	s->ended = c->leaving && !s->process.pid && !c->holds && !c->in_flight;
}

static void *look_thread(void *super)
{
	struct pg_super *s = super;
	struct pg_look l = { 0 };

	for (;; timer_sleep(LOOK_MS)) {
		struct pg_sight sight;
		struct fault f = { 0 };
		pid_t pid;
		int r;

		pthread_mutex_lock(&s->lock);
		sight = s->sight;
		pid = s->process.pid;
		pthread_mutex_unlock(&s->lock);
		if (!pid) {
			pg_look_forget(&l);
			continue;
		}
		r = pg_look(&l, &sight, &f);
		pthread_mutex_lock(&s->lock);
		if (r == 0 && pid == s->process.pid)
			s->sight = sight;
		pthread_cond_broadcast(&s->wake);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void write_status(struct pg_super *s)
{
	static const char *const servers[] = { "down", "standby", "primary" };
	_json_ struct json *j = json_object();
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	pthread_mutex_lock(&s->lock);
	json_set_int(j, "version", 1);
	json_set_int(j, "at", timer_now());
	json_set_str(j, "server", servers[s->core.server]);
	json_set_int(j, "term", s->core.place.term);
	json_set_bool(j, "streams", s->sight.streams);
	json_set_bool(j, "writes", pg_core_may_write(&s->core, timer_now()));
	json_set_str(j, "doing", s->doing);
	json_set_str(j, "waits", s->core.why);
	pthread_mutex_unlock(&s->lock);
	json_print(j, 0, &text);
	if (fs_write_text(&s->fs, PG_STATUS, 0644, str_text(&text), &f) < 0)
		log_warn("%s", f.text);
}

/* --- start --- */

static int identity(struct pg_super *s, struct fault *f)
{
	_str_ struct str ca = { 0 }, cert = { 0 };
	_secret_ struct str key = { 0 };
	_free_ char *cert_path = mem_printf(PG_TLS "/%s.crt", s->unit.pod);
	_free_ char *key_path = mem_printf(PG_TLS "/%s.key", s->unit.pod);

	if (fs_read(&s->fs, PG_TLS "/ca.crt", 1 << 20, &ca, f) < 0 ||
	    fs_read(&s->fs, cert_path, 1 << 20, &cert, f) < 0 ||
	    fs_read(&s->fs, key_path, 1 << 20, &key, f) < 0)
		return -f->code;
	return tls_new(str_text(&ca), str_text(&cert), str_text(&key), &s->tls, f);
}

static int prepare(struct pg_super *s, struct permit *permit, struct fault *f)
{
	const struct passwd *user = getpwuid(geteuid());
	struct pg_vote vote;
	int lock;

	s->permit = permit;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (!user)
		return fault_set(f, ENOENT, "user %d has no name in /etc/passwd", (int)geteuid());
	snprintf(s->user, sizeof s->user, "%s", user->pw_name);
	if (fs_open(&s->fs, "/", f) < 0 || pg_unit_read(&s->fs, &s->unit, f) < 0 ||
	    pg_data_open(&s->fs, &lock, f) < 0 || pg_data_vote(&s->fs, &vote, f) < 0 ||
	    identity(s, f) < 0 || pg_files_write(&s->fs, &s->unit, s->user, f) < 0 ||
	    pg_write_conf(s, f) < 0 || pg_serve_start(s, f) < 0)
		return -f->code;
	snprintf(s->addresses[s->unit.self], sizeof s->addresses[0], "%s", s->unit.address);
	pg_core_start(&s->core, s->unit.self, s->unit.mode, timer_now(), "", &vote);
	new_holder(s);
	return 0;
}

static int start_threads(struct pg_super *s, struct fault *f)
{
	static struct pg_peer_thread peers[PG_PODS];
	void *(*const threads[])(void *) = { pg_api_thread,   pg_pods_thread,  pg_work_thread,
					     pg_serve_thread, pg_serve_thread, look_thread };
	pthread_t t;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(threads) && r == 0; i++)
		r = pthread_create(&t, NULL, threads[i], s);
	for (int i = 0; i < PG_PODS && r == 0; i++) {
		peers[i] = (struct pg_peer_thread){ s, i };
		if (i != s->unit.self)
			r = pthread_create(&t, NULL, pg_ask_thread, &peers[i]);
	}
	return r ? fault_set(f, r, "cannot start a thread: %s", strerror(r)) : 0;
}

int pg_loop(struct permit *permit, struct fault *f)
{
	static struct pg_super super;
	struct pg_super *s = &super;
	const struct timespec a_turn = { .tv_nsec = TURN_MS * 1000000L };
	int64_t status_at = 0;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (prepare(s, permit, f) < 0 || start_threads(s, f) < 0)
		return -f->code;
	log_info("%s, %s", s->unit.pod, s->unit.mode == PG_SYNC ? "sync" : "async");
	while (!s->ended) {
		bool leave = sigtimedwait(&signals, NULL, &a_turn) > 0;

		pthread_mutex_lock(&s->lock);
		if (leave && !s->core.leaving)
			log_info("is to end");
		s->core.leaving |= leave;
		turn(s);
		pthread_mutex_unlock(&s->lock);
		if (timer_now() >= status_at) {
			write_status(s);
			status_at = timer_now() + STATUS_MS;
		}
	}
	log_info("has ended");
	return 0;
}
