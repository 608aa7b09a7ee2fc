/* The way in, by libmicrohttpd: its types stop here. It has a thread for each connection
 * that comes through a door, and one daemon for each address, so that it is known which it came to. */
#include "tests/double/api.h"

#include "lib/timer.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <sys/socket.h>

#define BODY_MAX (3u << 20) /* as the real one */
#define TURN_MS 100
#define IDLE_SECONDS 120
#define LOST_MS 60000
#define WATCH_TURN_MS 500
#define BEARER "Bearer "

struct server {
	const struct http_config *c;
	size_t address; /* among the faults' */
	struct MHD_Daemon *daemon;
	struct door *door;
};

static int fd_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Says nothing until the client has left, MS are over or, with NAME, that one is no longer cut. */
static void say_nothing(struct server *s, struct MHD_Connection *c, const char *name, int ms)
{
	int64_t until = timer_now() + ms;

	while (!has_left(fd_of(c)) && timer_now() < until &&
	       (!name || faults_cut(s->c->faults, name)))
		timer_sleep(TURN_MS);
}

static bool certified(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_t session = info ? info->tls_session : NULL;
	unsigned n = 0, status = 1;

	return session && gnutls_certificate_get_peers(session, &n) && n &&
	       gnutls_certificate_verify_peers2(session, &status) == GNUTLS_E_SUCCESS && !status;
}

static bool known(const struct server *s, struct MHD_Connection *c, struct who *ret)
{
	const char *h = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	if (h && str_starts(h, BEARER))
		return token_find(s->c->tokens, h + strlen(BEARER), ret);
	if (!s->c->client_ca_pem || !certified(c))
		return false;
	*ret = (struct who){ "admin", "system:admin" };
	return true;
}

/* A watch on its way out. */
struct stream {
	struct server *s;
	struct MHD_Connection *c;
	struct watch *watch;
	char name[128];
	struct str out;
	size_t sent;
	bool ended;
};

static ssize_t stream_read(void *user, uint64_t pos, char *buf, size_t max)
{
	struct stream *t = user;
	size_t n;

	(void)pos;
	if (t->sent == t->out.len) {
		if (t->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		str_reset(&t->out);
		t->sent = 0;
		t->ended = !watch_next(t->watch, WATCH_TURN_MS, &t->out);
		if (!faults_wait(t->s->c->faults, t->s->address) || has_left(fd_of(t->c)))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (faults_cut(t->s->c->faults, t->name)) {
			say_nothing(t->s, t->c, t->name, INT32_MAX);
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
	}
	n = t->out.len - t->sent < max ? t->out.len - t->sent : max;
	if (!n)
		return t->ended ? MHD_CONTENT_READER_END_OF_STREAM : 0;
	memcpy(buf, t->out.p + t->sent, n);
	t->sent += n;
	return (ssize_t)n;
}

static void stream_end(void *user)
{
	struct stream *t = user;

	watch_free(t->watch);
	str_free(&t->out);
	free(t);
}

static struct MHD_Response *stream_new(struct server *s, struct MHD_Connection *c,
				       const struct answer *a, const struct who *who)
{
	struct stream *t = mem_alloc(sizeof *t);

	*t = (struct stream){ .s = s, .c = c, .watch = a->watch };
	memcpy(t->name, who->name, sizeof t->name);
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, t,
						 stream_end);
}

static enum MHD_Result send_answer(struct server *s, struct MHD_Connection *c, struct answer *a,
				   const struct who *who)
{
	struct MHD_Response *response =
		a->watch ? stream_new(s, c, a, who)
			 : MHD_create_response_from_buffer(a->body.len, (void *)str_text(&a->body),
							   MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	str_free(&a->body);
	MHD_add_response_header(response, "Content-Type", a->type ?: "application/json");
	r = MHD_queue_response(c, (unsigned)(a->watch ? 200 : a->status), response);
	MHD_destroy_response(response);
	return r;
}

static const char *query(void *user, const char *name)
{
	return MHD_lookup_connection_value(user, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result refuse_all(struct server *s, struct MHD_Connection *c, int code,
				  const char *reason)
{
	struct refusal no = { 0 };
	const struct who nobody = { 0 };
	struct answer a = { .status = code };
	_json_ struct json *status = NULL;

	refuse(&no, code, reason, "%s", reason);
	status = refusal_status(&no);
	json_print(status, 0, &a.body);
	return send_answer(s, c, &a, &nobody);
}

/* What arrives in pieces before anything is done. */
struct pending {
	struct str body;
	bool too_long;
};

static enum MHD_Result handle(struct server *s, struct MHD_Connection *c, const char *url,
			      const char *method, const struct pending *p)
{
	struct request rq = { .method = method,
			      .path = url,
			      .type = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
								  "Content-Type"),
			      .body = str_text(&p->body),
			      .len = p->body.len,
			      .query = query,
			      .user = c };
	struct faults *x = s->c->faults;
	struct answer a = { 0 };

	if (!faults_wait(x, s->address))
		return MHD_NO;
	if (!known(s, c, &rq.who))
		return refuse_all(s, c, 401, "Unauthorized");
	if (faults_cut(x, rq.who.name)) {
		say_nothing(s, c, rq.who.name, INT32_MAX);
		return MHD_NO;
	}
	if (p->too_long)
		return refuse_all(s, c, 413, "RequestEntityTooLarge");
	faults_delay(x);
	rest_answer(s->c->store, &rq, &a);
	if (rest_is_write(&rq) && faults_lose(x)) {
		str_free(&a.body);
		say_nothing(s, c, NULL, LOST_MS);
		return MHD_NO;
	}
	return send_answer(s, c, &a, &rq.who);
}

/* The library's way: once for the headers, then for each piece of the body, then for its end. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **state)
{
	struct pending *p = *state;

	(void)version;
	if (!p) {
		*state = mem_alloc(sizeof *p);
		return MHD_YES;
	}
	if (!*size)
		return handle(user, c, url, method, p);
	if (p->body.len + *size > BODY_MAX)
		p->too_long = true;
	else
		str_add_n(&p->body, data, *size);
	*size = 0;
	return MHD_YES;
}

static void on_end(void *user, struct MHD_Connection *c, void **state,
		   enum MHD_RequestTerminationCode code)
{
	struct pending *p = *state;

	(void)user, (void)c, (void)code;
	if (p)
		str_free(&p->body);
	free(p);
	*state = NULL;
}

/* Who is connected is known, so that a server that goes takes its connections along. */
static void on_connection(void *user, struct MHD_Connection *c, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct server *s = user;

	(void)state;
	door_note(s->door, fd_of(c), code == MHD_CONNECTION_NOTIFY_STARTED);
}

static void hand_over(void *user, int fd)
{
	struct server *s = user;
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof from;

	getpeername(fd, (struct sockaddr *)&from, &n);
	MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from, n);
}

static int server_start(const struct http_config *c, size_t address, struct fault *f)
{
	struct server *s = mem_alloc(sizeof *s);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, c->cert_pem },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, c->key_pem },
		{ c->client_ca_pem ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		  c->client_ca_pem },
		{ MHD_OPTION_END, 0, NULL },
	};

	*s = (struct server){ .c = c, .address = address };
	s->door = door_new(c->faults, address, hand_over, s);
	s->daemon = MHD_start_daemon(
		MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_POLL | MHD_USE_TLS,
		0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (!s->daemon || !door_start(s->door))
		return fault_set(f, EIO, "no server: wrong certificate or key?");
	return 0;
}

int http_serve(const struct http_config *c, struct fault *f)
{
	for (size_t i = 0; i < c->faults->n; i++) {
		int r = server_start(c, i, f);

		if (r < 0)
			return r;
	}
	pthread_mutex_lock(&c->faults->lock);
	for (size_t i = 0; i < c->faults->n; i++)
		while (c->faults->address[i].is != REACH_UP)
			pthread_cond_wait(&c->faults->changed, &c->faults->lock);
	pthread_mutex_unlock(&c->faults->lock);
	return 0;
}
