/* What the parts of the Kubernetes client share (kube*.c), and what its tests feed directly. */
#pragma once

#include "lib/http.h"
#include "lib/kube.h"

#define KUBE_ANSWER_MAX (32u << 20) /* a page of 500 large objects */
#define KUBE_LINE_MAX (4u << 20)    /* one watch event; etcd takes no object above 1.5 MiB */

/* kube.c: requests */

/* A kind as discovery tells it; cached for the life of the client. */
struct kube_kind {
	char *api_version, *kind, *plural;
	bool namespaced;
};

struct kube {
	struct kube_config c;
	struct http_client **clients; /* a kept connection a server, for reads */
	size_t current;		      /* the server that answered last */
	int64_t home_tried;	      /* when the first of the list was last tried by a read */
	int64_t token_read;	      /* when token_file was last read */
	struct kube_kind *kinds;
	size_t n_kinds;
};

struct kube_call {
	const char *method; /* NULL = GET */
	const char *path;
	const char *content_type; /* of the body */
	const char *body;
	size_t len;
};
/* Asks one server after the other as kube.h says. 0 with an answer of whatever status, or -errno.
 */
int kube_call(struct kube *k, const struct kube_call *c, struct http_response *rs, struct fault *f);
/* kube_call, then the answer as kube.h's errors and, when RET is given, as an object. */
int kube_ask(struct kube *k, const struct kube_call *c, struct json **ret, struct fault *f);
/* Fills RQ for server I with everything but method and body. HEADERS has room for three, URL and
 * HEADERS must outlive RQ. */
struct kube_request {
	char *url, *content_type;
	const char *headers[4];
	struct http_request rq;
};
#define _kube_request_ _cleanup_(kube_request_free)
int kube_request_init(struct kube *k, const char *server, const struct kube_call *c,
		      struct kube_request *r, struct fault *f);
void kube_request_free(struct kube_request *r);
/* The next server after the one that just failed. */
void kube_next_server(struct kube *k);
/* Appends a path segment or query value, percent-encoded. */
void kube_escape(struct str *out, const char *text);
/* PATH with one more query parameter. Caller's. */
char *kube_with_query(const char *path, const char *key, const char *value);
/* metadata.KEY as a string, or NULL. */
const char *kube_meta(const struct json *object, const char *key);

/* kube_error.c: what a refusal means */

/* The fault for HTTP status STATUS with BODY (a Status object, or anything). CONTEXT says what was
 * asked. Returns -errno. */
int kube_refused(int status, const char *body, size_t len, const char *context, struct fault *f);

/* kube_watch.c: lines of a watch */

struct kube_watch {
	struct str line; /* what came of the next line */
	char *version;	 /* last seen */
	int (*event)(void *user, const char *type, const struct json *object);
	void *user;
	bool ended;  /* for good, by EVENT or a refusal: RESULT and FAULT tell */
	bool broken; /* this connection's server cannot, FAULT tells why: the next one may */
	int result;
	struct fault fault;
};
/* Takes the next bytes of a stream (shape of http.h's on_data). Negative once the watch is over. */
int kube_watch_feed(void *watch, const char *data, size_t n);
/* Forgets half a line before the next connection. */
void kube_watch_restart(struct kube_watch *w);
void kube_watch_free(struct kube_watch *w);

/* kube_discovery.c */

/* What a discovery answer (APIResourceList) says about API_VERSION is added to the cache. */
void kube_kinds_add(struct kube *k, const char *api_version, const struct json *list);
void kube_kinds_forget(struct kube *k, const char *api_version); /* NULL: all */
/* From the cache, or from the server. -ENOENT: "no matches for kind". RET is valid until the next
 * call. */
int kube_kind_find(struct kube *k, const char *api_version, const char *kind,
		   const struct kube_kind **ret, struct fault *f);

/* kube_manifest.c: streams of documents */

struct kube_document {
	const char *text;
	size_t len;
	int number, line; /* from 1; the line in the stream where it begins */
};
/* Walks over a stream; {.text, .len} of the stream is a fresh one. */
struct kube_documents {
	const char *text;
	size_t len, pos;
	int number, line;
};
/* 1: D is the next document that is not empty; 0: there is none; -EINVAL: text behind "---". */
int kube_documents_next(struct kube_documents *s, struct kube_document *d, struct fault *f);
struct kube_head {
	char *api_version, *kind, *name, *ns; /* ns NULL: none */
};
#define _kube_head_ _cleanup_(kube_head_free)
int kube_head_read(const struct kube_document *d, const char *file, struct kube_head *ret,
		   struct fault *f);
void kube_head_free(struct kube_head *h);
