/* A hostile HTTP server for tests: one thread on loopback, several connections, answers byte for
 * byte what the test's handler says, as often as it says. */
#pragma once

#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends the test program: what keeps a stub from working is no result. */
#define STUB_MUST(x) ((x) ? (void)0 : (perror(#x), abort()))

enum stub_then {
	STUB_KEEP,   /* the connection stays open for the next request */
	STUB_CLOSE,  /* the answer may be cut short: the connection ends behind it */
	STUB_AGAIN,  /* the same bytes for ever */
	STUB_SILENT, /* nothing, for ever */
};

struct stub_request {
	char method[16], target[1024];
	const char *head, *body; /* NUL-terminated */
	size_t body_len;
};

struct stub {
	enum stub_then (*handler)(struct stub *s, const struct stub_request *rq, struct str *out);
	void *user;
	int requests; /* seen so far; read it when nothing is under way */
	/* private */
	int listener, wake[2];
	pthread_t thread;
	char url[64];
};

struct stub_connection {
	int fd;
	struct str in, out;
	size_t sent;
	enum stub_then then;
	bool busy; /* answering */
};

#define STUB_CONNECTIONS 16

static void stub_connection_end(struct stub_connection *c)
{
	close(c->fd);
	str_free(&c->in);
	str_free(&c->out);
	*c = (struct stub_connection){ .fd = -1 };
}

/* Answers the request that C has received whole, if it has. */
static void stub_serve(struct stub *s, struct stub_connection *c)
{
	struct stub_request rq = { 0 };
	char *end = c->in.p ? strstr(c->in.p, "\r\n\r\n") : NULL, *length;
	size_t head;
	long n = 0;

	if (!end || c->busy)
		return;
	head = (size_t)(end - c->in.p) + 4;
	length = strcasestr(c->in.p, "\r\nContent-Length:");
	if (length && length < end)
		n = strtol(length + 17, NULL, 10);
	if (c->in.len < head + (size_t)n)
		return;
	end[2] = 0;
	rq.head = c->in.p;
	rq.body = c->in.p + head;
	rq.body_len = (size_t)n;
	if (sscanf(c->in.p, "%15s %1023s", rq.method, rq.target) != 2)
		return;
	s->requests++;
	str_reset(&c->out);
	c->sent = 0;
	c->busy = true;
	c->then = s->handler(s, &rq, &c->out);
	str_reset(&c->in);
}

static void stub_write(struct stub *s, struct stub_connection *c)
{
	ssize_t n;

	if (c->then == STUB_SILENT)
		return;
	n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN) {
		stub_connection_end(c);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->out.len)
		return;
	c->sent = 0;
	if (c->then == STUB_AGAIN)
		return;
	c->busy = false;
	if (c->then == STUB_CLOSE)
		stub_connection_end(c);
	else
		stub_serve(s, c);
}

static void stub_read(struct stub *s, struct stub_connection *c)
{
	char buf[16384];
	ssize_t n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT);

	if (n <= 0) {
		stub_connection_end(c);
		return;
	}
	str_add_n(&c->in, buf, (size_t)n);
	stub_serve(s, c);
}

static void stub_accept(struct stub *s, struct stub_connection *all)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < STUB_CONNECTIONS; i++)
		if (all[i].fd < 0) {
			all[i].fd = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void *stub_run(void *arg)
{
	struct stub_connection all[STUB_CONNECTIONS];
	struct stub *s = arg;

	for (size_t i = 0; i < STUB_CONNECTIONS; i++)
		all[i] = (struct stub_connection){ .fd = -1 };
	for (;;) {
		struct pollfd p[STUB_CONNECTIONS + 2];

		for (size_t i = 0; i < STUB_CONNECTIONS; i++) {
			bool out = all[i].busy && all[i].then != STUB_SILENT;

			p[i] = (struct pollfd){ .fd = all[i].fd,
						.events = out ? POLLIN | POLLOUT : POLLIN };
		}
		p[STUB_CONNECTIONS] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
		p[STUB_CONNECTIONS + 1] = (struct pollfd){ .fd = s->wake[0], .events = POLLIN };
		poll(p, STUB_CONNECTIONS + 2, -1);
		if (p[STUB_CONNECTIONS + 1].revents)
			break;
		for (size_t i = 0; i < STUB_CONNECTIONS; i++) {
			if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
				stub_read(s, &all[i]);
			if (all[i].fd >= 0 && all[i].busy)
				stub_write(s, &all[i]);
		}
		if (p[STUB_CONNECTIONS].revents)
			stub_accept(s, all);
	}
	for (size_t i = 0; i < STUB_CONNECTIONS; i++)
		if (all[i].fd >= 0)
			stub_connection_end(&all[i]);
	return NULL;
}

/* A loopback socket that is bound; *PORT gets its port. */
static int stub_bind(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof a;

	STUB_MUST(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0);
	STUB_MUST(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	*port = ntohs(a.sin_port);
	return fd;
}

__attribute__((unused)) static void stub_start(struct stub *s)
{
	int port;

	s->listener = stub_bind(&port);
	STUB_MUST(listen(s->listener, 16) == 0 && pipe2(s->wake, O_CLOEXEC) == 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", port);
	STUB_MUST(pthread_create(&s->thread, NULL, stub_run, s) == 0);
}

__attribute__((unused)) static void stub_stop(struct stub *s)
{
	close(s->wake[1]);
	pthread_join(s->thread, NULL);
	close(s->wake[0]);
	close(s->listener);
}

/* A whole answer. */
__attribute__((unused)) static void stub_answer(struct str *out, int status, const char *body)
{
	str_addf(out,
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 status, strlen(body), body);
}

/* An address where nobody listens. */
__attribute__((unused)) static void stub_dead(struct stub *s)
{
	int port, fd = stub_bind(&port);

	close(fd);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", port);
}

/* An address that swallows whatever is sent to it: a listener whose queue is full. */
struct stub_hole {
	int fds[6];
	char url[64];
};

__attribute__((unused)) static void stub_hole_open(struct stub_hole *h)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int port;

	h->fds[0] = stub_bind(&port);
	STUB_MUST(listen(h->fds[0], 0) == 0);
	a.sin_port = htons((uint16_t)port);
	for (size_t i = 1; i < ARRAY_LEN(h->fds); i++) {
		h->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(h->fds[i], (struct sockaddr *)&a, sizeof a);
	}
	snprintf(h->url, sizeof h->url, "http://127.0.0.1:%d", port);
}

__attribute__((unused)) static void stub_hole_close(struct stub_hole *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->fds); i++)
		close(h->fds[i]);
}
