/* See httpd.h. */
#include "lib/httpd.h"

#include "lib/library.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <unistd.h>

#define THREADS 4
#define CONNECTIONS 64
#define CONNECTIONS_OF_ONE 16
#define IDLE_SECONDS 60
#define BEARER "Bearer "

static struct {
	__typeof__(MHD_add_response_header) *add_response_header;
	__typeof__(MHD_create_response_from_buffer_with_free_callback_cls)
		*create_response_from_buffer_with_free_callback_cls;
	__typeof__(MHD_create_response_from_fd64) *create_response_from_fd64;
	__typeof__(MHD_destroy_response) *destroy_response;
	__typeof__(MHD_get_connection_info) *get_connection_info;
	__typeof__(MHD_get_daemon_info) *get_daemon_info;
	__typeof__(MHD_lookup_connection_value) *lookup_connection_value;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_stop_daemon) *stop_daemon;
} mhd;
#define CALL(name)                      \
	{                               \
		"MHD_" #name, &mhd.name \
	}
static const struct library_call calls[] = {
	CALL(add_response_header),
	CALL(create_response_from_buffer_with_free_callback_cls),
	CALL(create_response_from_fd64),
	CALL(destroy_response),
	CALL(get_connection_info),
	CALL(get_daemon_info),
	CALL(lookup_connection_value),
	CALL(queue_response),
	CALL(start_daemon),
	CALL(stop_daemon),
};
#undef CALL
static struct library library = { .so = "libmicrohttpd.so.12",
				  .calls = calls,
				  .n = ARRAY_LEN(calls) };

struct httpd {
	struct httpd_config config;
	struct MHD_Daemon *daemon;
};

/* What arrives in pieces before the handler is asked. */
struct pending {
	struct str body;
	bool too_long;
};

const char *httpd_query(const struct httpd_request *rq, const char *name)
{
	return mhd.lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void peer_of(struct MHD_Connection *c, char out[INET_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		mhd.get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr_in *a = info ? (const void *)info->client_addr : NULL;

	if (!a || a->sin_family != AF_INET ||
	    !inet_ntop(AF_INET, &a->sin_addr, out, INET_ADDRSTRLEN))
		out[0] = '\0';
}

static const char *token_of(struct MHD_Connection *c)
{
	const char *text = mhd.lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	return text && str_starts(text, BEARER) ? text + strlen(BEARER) : NULL;
}

/* It may have been a secret. */
static void body_sent(void *user)
{
	str_erase(user);
	free(user);
}

/* The library keeps it until it is sent. */
static struct MHD_Response *body_response(struct str *body)
{
	struct str *kept = mem_alloc(sizeof *kept);
	struct MHD_Response *response;

	*kept = *body;
	*body = (struct str){ 0 };
	response = mhd.create_response_from_buffer_with_free_callback_cls(
		kept->len, (void *)str_text(kept), body_sent, kept);
	if (!response)
		body_sent(kept);
	return response;
}

static enum MHD_Result send_reply(struct MHD_Connection *c, struct httpd_reply *reply)
{
	struct MHD_Response *response =
		reply->fd >= 0 ? mhd.create_response_from_fd64(reply->size, reply->fd)
			       : body_response(&reply->body);
	enum MHD_Result r;

	str_erase(&reply->body);
	if (!response) {
		if (reply->fd >= 0)
			close(reply->fd);
		return MHD_NO;
	}
	mhd.add_response_header(response, "Content-Type",
				reply->type ? reply->type : "text/plain; charset=utf-8");
	r = mhd.queue_response(c, (unsigned)reply->status, response);
	mhd.destroy_response(response);
	return r;
}

static enum MHD_Result answer(struct httpd *h, struct MHD_Connection *c, const char *url,
			      const char *method, const struct pending *p)
{
	char peer[INET_ADDRSTRLEN];
	const struct httpd_request rq = { .method = method,
					  .path = url,
					  .peer = peer,
					  .token = token_of(c),
					  .body = str_text(&p->body),
					  .body_len = p->body.len,
					  .connection = c };
	struct httpd_reply reply = { .status = 404, .fd = -1 };

	peer_of(c, peer);
	if (p->too_long)
		reply.status = 413;
	else
		h->config.handle(h->config.user, &rq, &reply);
	return send_reply(c, &reply);
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
		return answer(user, c, url, method, p);
	if (p->body.len + *size > HTTPD_BODY_MAX)
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
		str_erase(&p->body);
	free(p);
	*state = NULL;
}

int httpd_start(const struct httpd_config *c, struct httpd **ret, struct fault *f)
{
	_httpd_ struct httpd *h = mem_alloc(sizeof *h);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->port) };
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (c->cert_pem ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)c->cert_pem },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)c->key_pem },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3" },
		{ MHD_OPTION_END, 0, NULL },
	};

	int r = library_load(&library, f);

	if (r < 0)
		return r;
	if (inet_pton(AF_INET, c->address, &at.sin_addr) != 1)
		return fault_set(f, EINVAL, "'%s' is no IPv4 address to listen on", c->address);
	h->config = *c;
	errno = 0;
	h->daemon = mhd.start_daemon(
		flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &at,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_SECONDS, MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_NOTIFY_COMPLETED,
		on_end, NULL, MHD_OPTION_ARRAY, c->cert_pem ? tls : tls + 3, MHD_OPTION_END);
	if (!h->daemon)
		return fault_set(f, errno ? errno : EIO, "%s port %d: cannot be listened on%s%s",
				 c->address, c->port, errno ? ": " : "",
				 errno ? strerror(errno) : "");
	*ret = TAKE_PTR(h);
	return 0;
}

int httpd_port(const struct httpd *h)
{
	const union MHD_DaemonInfo *info =
		mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : -1;
}

void httpd_freep(struct httpd **ph)
{
	struct httpd *h = *ph;

	if (!h)
		return;
	if (h->daemon)
		mhd.stop_daemon(h->daemon);
	free(h);
	*ph = NULL;
}
