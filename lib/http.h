/* HTTP by libcurl, with a limit on everything: time, size, redirects (none), protocols (http,
 * https). TLS is at least 1.2 and always verified, against exactly the CA given. No proxy, whatever
 * the environment says. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdint.h>

struct http_request {
	const char *method; /* NULL = GET */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body;
	size_t body_len;
	const char *ca_pem; /* NULL: the system's CAs */
	/* "sha256//BASE64" of the server's public key (crypto_key_pin): it counts instead of every
	 * CA, name and date. For a server that made its key a moment ago, and a client whose clock
	 * nobody has set yet. NULL: none. */
	const char *pinned_key;
	const char *cert_pem, *key_pem; /* client certificate, or NULL */
	const char *user, *password;	/* basic auth, or NULL */
	const char *bearer;
	const char *connect_to; /* "HOST:PORT:ADDRESS:PORT" as curl's CONNECT_TO, or NULL */
	int timeout_ms;		/* whole request; 0 = 10 s */
	int stall_s;		/* this long almost nothing arrives: -ETIMEDOUT; 0 = no limit */
	int connect_timeout_ms; /* 0 = same as timeout */
	size_t max_bytes;	/* 0 = 4 MiB, or no limit with on_data; more is -EFBIG */
	/* For streams (watch, downloads): called with each piece of a 2xx answer instead of
	 * keeping it (the body of another status is kept: it says what is wrong). Negative ends it
	 * and is returned. */
	int (*on_data)(void *user_data, const char *data, size_t n);
	void *user_data;
};
struct http_response {
	int status; /* 0 when there was no answer */
	struct str body;
	char *location, *content_type, *etag; /* or NULL */
};
#define _http_ _cleanup_(http_response_free)

/* RS is emptied first, so it must be initialised ({ 0 }). Any HTTP status is 0; -ETIMEDOUT,
 * -ECONNREFUSED, -EHOSTUNREACH, -EPROTO (TLS or HTTP broken; text says which), -EACCES (certificate
 * refused, theirs or ours), -EFBIG, -EINVAL (a header with a line break), -EIO otherwise. */
int http_do(const struct http_request *rq, struct http_response *rs, struct fault *f);
void http_response_free(struct http_response *rs);

/* A connection kept for several requests to one server (HTTP/1.1 keep-alive); for one thread. */
struct http_client;
struct http_client *http_client_new(void);
void http_client_freep(struct http_client **c);
int http_client_do(struct http_client *c, const struct http_request *rq, struct http_response *rs,
		   struct fault *f);
