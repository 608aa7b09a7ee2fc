/* A small HTTP server by libmicrohttpd; its types stop here. For one job at a time on a workstation
 * (network boot): a handful of machines, each with a few connections. Every limit is set: bodies,
 * connections, idle time. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdint.h>

#define HTTPD_BODY_MAX 65536

struct httpd_request {
	const char *method, *path; /* path without the query */
	const char *peer;	   /* IP address of the other side */
	const char *token;	   /* of "Authorization: Bearer TOKEN"; NULL: none */
	const char *body;	   /* at most HTTPD_BODY_MAX bytes; "" when none */
	size_t body_len;
	void *connection; /* for httpd_query */
};
/* A parameter of the query; NULL when it is not there. Lives as long as the request. */
const char *httpd_query(const struct httpd_request *rq, const char *name);

struct httpd_reply {
	int status;	  /* 200, 403, 404, … */
	const char *type; /* content type; NULL: text/plain */
	struct str body;  /* erased when it was sent */
	int fd;		  /* instead of the body: a file, sent whole and closed; -1: none */
	uint64_t size;	  /* of fd */
};

struct httpd_config {
	const char *address;		/* IPv4 literal to listen on */
	int port;			/* 0: any; httpd_port tells which */
	const char *cert_pem, *key_pem; /* NULL: plain HTTP */
	/* Called by threads of the server, several at a time. */
	void (*handle)(void *user, const struct httpd_request *rq, struct httpd_reply *reply);
	void *user;
};

struct httpd;
#define _httpd_ _cleanup_(httpd_freep)
int httpd_start(const struct httpd_config *c, struct httpd **ret, struct fault *f);
int httpd_port(const struct httpd *h);
/* Ends open connections. */
void httpd_freep(struct httpd **h);
