/* A thin client of the Kubernetes API: HTTP and JSON, no types of its own.
 *
 * Several API addresses are tried in turn. A server that does not answer within the limit is left
 * for the next at once (measured: the service address hangs on a dead server for 6-33 s, a kept
 * HTTP/2 connection for 45 s); the one that answered last is asked first the next time, and a read
 * tries the first of the list (own node's) again now and then.
 *
 * A read goes on to the next server after whatever kept one from answering, 429 and 5xx included. A
 * write goes on only when it surely was not sent. Otherwise it is -ETIMEDOUT, "outcome unknown": it
 * may have happened or may still happen, so the caller reads before it judges.
 *
 * One `struct kube` belongs to one thread. */
#pragma once

#include "lib/fault.h"
#include "lib/json.h"
#include "lib/str.h"

struct kube_config {
	struct strv servers; /* "https://192.0.2.11:6443", in the order to try */
	char *ca_pem;
	char *cert_pem, *key_pem; /* client certificate, or NULL */
	char *token;		  /* bearer, or NULL */
	char *token_file; /* bearer in a file that changes (read again each minute), or NULL */
	int timeout_ms;	  /* a request to one server; 0 = 1000 */
};
struct kube;
#define _kube_ _cleanup_(kube_freep)
/* Copies C; the secrets of the copy are erased on free. -EINVAL: no server, or one that is no URL.
 */
int kube_new(const struct kube_config *c, struct kube **ret, struct fault *f);
void kube_freep(struct kube **k);
/* As the ServiceAccount whose files are in DIR; KUBE_ACCOUNT is where a pod finds its own. SERVERS
 * NULL or empty: the one that KUBERNETES_SERVICE_HOST and _PORT name. */
#define KUBE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
int kube_in_cluster(const char *dir, const struct strv *servers, struct kube **ret,
		    struct fault *f);

/* PATH is the API path ("/api/v1/nodes/a"), a query may follow. RET (may be NULL) gets the object.
 * Errors: -ENOENT (404), -EEXIST (409, there already), -ESTALE (409 otherwise: changed meanwhile,
 * failed precondition, fields of another manager; 410), -EACCES (401, 403), -EINVAL (400, 422),
 * -EFBIG (413, or an answer beyond all measure), -EAGAIN (429, 503), -ETIMEDOUT (no server answered
 * in time, 504; a write's outcome is unknown), -ECONNREFUSED, -EHOSTUNREACH, -EPROTO, -EIO. The
 * text carries the API's own message. After a write -EIO (500) too may mean that it happened. */
int kube_get(struct kube *k, const char *path, struct json **ret, struct fault *f);
/* All items, page by page (500 each). RET is an array. VERSION (may be NULL) gets the list's
 * resourceVersion, the caller's. */
int kube_list(struct kube *k, const char *path, struct json **ret, char **version, struct fault *f);
int kube_create(struct kube *k, const char *path, const struct json *object, struct json **ret,
		struct fault *f);
/* Replaces the object if it still has OBJECT's resourceVersion. */
int kube_replace(struct kube *k, const char *path, const struct json *object, struct json **ret,
		 struct fault *f);
/* Merge patch (RFC 7386). A metadata.resourceVersion in it is a precondition. */
int kube_patch(struct kube *k, const char *path, const struct json *patch, struct json **ret,
	       struct fault *f);
/* Server-side apply as field manager MANAGER of one object given as YAML or JSON text. FORCE takes
 * over conflicting fields. */
int kube_apply(struct kube *k, const char *path, const char *manager, bool force, const char *text,
	       size_t len, struct json **ret, struct fault *f);
/* With preconditions when given (NULL: none); what it owns is deleted in the background. 404 is
 * -ENOENT. 0 means accepted: finalizers may keep the object for a while. */
int kube_delete(struct kube *k, const char *path, const char *uid, const char *resource_version,
		struct fault *f);

/* Applies a stream of documents in the order given, as kubectl would: the API path comes from
 * apiVersion, kind (by discovery, cached) and metadata; without a namespace "default". NAME is for
 * messages, which name the document's number. Documents are split at lines that begin with "---"
 * (or
 * "..."), and their text is sent as it is; only apiVersion, kind and metadata are read, which must
 * be plain block YAML (lib/yaml.h), or the whole JSON. After a CustomResourceDefinition in the
 * stream an unknown kind or path is waited for, at most 20 s. An outcome that is unknown is applied
 * again: once more does no harm. CHANGED (may be NULL) gets the number of objects made or altered,
 * also when it stops at a fault. */
struct kube_item {		      /* one document of a stream */
	const char *kind, *ns, *name; /* ns NULL: it has none */
	const char *path;	      /* of the object */
	const char *text;
	size_t len;
};
struct kube_stream {
	const char *name, *manager;
	bool force;
	const char *text;
	size_t len;
	/* Asked before each try to apply a document; NOW is what is there (NULL: nothing). 1: apply it,
	 * 0: leave it as it is, -errno: stop. NULL: all are applied. */
	int (*wanted)(void *user, const struct kube_item *i, const struct json *now,
		      struct fault *f);
	/* Told what an applied document has become; -errno stops. May be NULL. */
	int (*applied)(void *user, const struct kube_item *i, const struct json *now,
		       struct fault *f);
	void *user;
};
int kube_apply_stream(struct kube *k, const struct kube_stream *s, int *changed, struct fault *f);

/* Watches PATH from *VERSION for at most MS: EVENT is called with "ADDED", "MODIFIED", "DELETED"
 * and the object. VERSION NULL, or *VERSION NULL: from now. *VERSION follows what was seen,
 * bookmarks included, so that the next call (or page of a list) goes on from there. Connections
 * last 20 s at most, since a dead server's silence looks like having nothing to tell; a broken one
 * resumes on the next server. -ESTALE: version too old (410), list again. EVENT's negative return
 * ends the watch and is returned; a positive one ends it with 0, like MS. */
int kube_watch(struct kube *k, const char *path, char **version, int ms,
	       int (*event)(void *user, const char *type, const struct json *object), void *user,
	       struct fault *f);
/* Plain GET of a health path ("/readyz") on one server: HTTP status, or -errno. */
int kube_health(struct kube *k, const char *server, const char *path, struct fault *f);
