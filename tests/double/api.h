/* A double of the Kubernetes API server, for tests that need several of them, their failures and
 * pods without a cluster: in what the product relies on it behaves like the real one, which
 * tests/contract asks of both. What it is not: see `api --help`. */
#pragma once

#include "lib/fault.h"
#include "lib/json.h"
#include "lib/str.h"

#include <pthread.h>
#include <stdint.h>

/* api_json.c: what lib/json has no need of */

bool same(const struct json *a, const struct json *b); /* whatever the order of keys */
bool is_object(const struct json *j);
/* The object without KEY; the caller's. */
struct json *without(const struct json *object, const char *key);
/* TARGET (NULL: none) after a merge patch (RFC 7386); the caller's. */
struct json *merge(const struct json *target, const struct json *patch);
/* One document of YAML or JSON. */
int from_yaml(const char *text, size_t len, struct json **ret, struct fault *f);
const char *meta(const struct json *object, const char *key); /* metadata.KEY */
/* "label=value" or "label" in LABELS, by commas (NULL: all fit); !=, in, notin are not known. */
bool labels_fit(const char *selector, const struct json *object);
/* metadata.name=A, metadata.name!=A (NULL: all fit). */
bool fields_fit(const char *selector, const struct json *object);

/* api_store.c: what etcd is to the real one */

/* What a path names. Empty: not given (a list's name, the namespace of what has none). */
struct place {
	char gv[96]; /* "v1", "apps/v1" */
	char plural[64], ns[64], name[254], sub[32];
};
struct entry {
	struct place at;
	struct json *object;
};
/* A change: AFTER NULL is a deletion, BEFORE NULL a creation. */
struct event {
	int64_t version;
	struct place at;
	struct json *before, *after;
};
/* Objects in the order of their places. */
struct entries {
	struct entry *v;
	size_t n;
};
struct snapshot;
struct store {
	pthread_mutex_t lock; /* of all below: whoever calls store_* holds it */
	pthread_cond_t changed;
	struct entries now;
	struct event *events; /* a ring of MAX_EVENTS, the oldest at FIRST */
	size_t first, n_events, max_events;
	int64_t version; /* of the last change */
	int64_t floor;	 /* what happened up to here is forgotten */
	unsigned epoch;	 /* grows when the store goes back: whoever watches has to begin again */
	struct snapshot *snapshots;
};
/* With namespaces "default" and "kube-system". */
void store_start(struct store *s, size_t max_events);
const struct json *store_get(const struct store *s, const struct place *at); /* or NULL */
/* Puts OBJECT (taken) there with the next resourceVersion. Returns what is there now. */
const struct json *store_put(struct store *s, const struct place *at, struct json *object);
void store_remove(struct store *s, const struct place *at);
/* The objects that are AT (its name left out: all there; its namespace too: of all of them), as of
 * VERSION. False: that is forgotten. */
bool store_list(const struct store *s, const struct place *at, int64_t version,
		struct entries *ret);
void entries_free(struct entries *e);
#define _entries_ _cleanup_(entries_free)
/* The first event AT behind VERSION, or NULL. */
const struct event *store_event(const struct store *s, const struct place *at, int64_t version);
void store_snapshot(struct store *s, const char *name);
bool store_restore(struct store *s, const char *name); /* false: no such snapshot */

/* api_kind.c: which kinds there are */

struct kind {
	char gv[96], plural[64], name[64];
	bool namespaced;
	bool unconditional; /* may be replaced without a resourceVersion */
	bool upsert;	    /* replacing what is not there makes it */
	bool generation;    /* counts changes of its spec */
	bool typed;	    /* built in: items of a list do not say their kind */
};
bool kind_find(const struct store *s, const struct place *at, struct kind *ret);
/* The answer of discovery for a group and version, or NULL. */
struct json *kind_list(const struct store *s, const char *gv);

/* api_object.c: what may be done with an object */

struct refusal {
	int code; /* HTTP's; 0: none */
	const char *reason;
	char message[800];
};
/* Returns false. */
bool refuse(struct refusal *no, int code, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
struct json *refusal_status(const struct refusal *no);
/* Each returns what is there now (borrowed), or NULL with a refusal. MADE (may be NULL): whether it
 * is new. */
const struct json *object_create(struct store *s, const struct place *at, const struct json *o,
				 struct refusal *no);
const struct json *object_replace(struct store *s, const struct place *at, const struct json *o,
				  bool *made, struct refusal *no);
const struct json *object_patch(struct store *s, const struct place *at, const struct json *patch,
				struct refusal *no);
struct apply {
	const char *manager;
	bool force;
};
const struct json *object_apply(struct store *s, const struct place *at, const struct json *o,
				const struct apply *how, bool *made, struct refusal *no);
/* OPTIONS (may be NULL): DeleteOptions, of which the preconditions count. */
bool object_delete(struct store *s, const struct place *at, const struct json *options,
		   struct refusal *no);
/* "leases.coordination.k8s.io \"a\"", for messages; the caller's. */
char *object_words(const struct place *at);

/* api_check.c: values that the real one does not take */

bool object_check(const struct kind *k, const struct place *at, const struct json *o,
		  struct refusal *no);

/* api_access.c: who asks, and what he may do */

struct who {
	char name[128]; /* by which faults know him */
	char user[256]; /* as Kubernetes calls him */
};
int load_file(const char *path, struct str *out, struct fault *f);
/* Whose TOKEN it is by FILE (lines of TOKEN NAME [USER]; read each time, so that tokens can change)
 * or by token_new(). */
bool token_find(const char *file, const char *token, struct who *ret);
char *token_new(const char *ns, const char *account); /* the caller's */
/* Users other than ServiceAccounts may do everything; these what Roles and bindings say. */
bool access_allowed(const struct store *s, const char *user, const char *verb,
		    const struct place *at);

/* api_fault.c: what goes wrong */

enum reach { REACH_UP, REACH_DOWN, REACH_REFUSED };
#define ADDRESSES_MAX 16
struct faults {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		char *name;
		enum reach wanted, is;
	} address[ADDRESSES_MAX];
	size_t n;
	struct strv cut;
	int lose, delay_ms;
};
void faults_start(struct faults *x, const struct strv *addresses);
/* Waits while ADDRESS is down. False: it is gone. */
bool faults_wait(struct faults *x, size_t address);
/* Whether NAME is cut off from the servers. */
bool faults_cut(struct faults *x, const char *name);
/* Whether the answer to this write is to be lost. */
bool faults_lose(struct faults *x);
void faults_delay(struct faults *x);

/* api_rest.c: a request and its answer */

struct request {
	const char *method, *path;
	const char *type; /* content type */
	const char *body;
	size_t len;
	/* A parameter of the query, or NULL. */
	const char *(*query)(void *user, const char *name);
	void *user;
	struct who who;
};
struct answer {
	int status;
	const char *type;
	struct str body;
	struct watch *watch; /* instead of the body */
};
void rest_answer(struct store *s, const struct request *rq, struct answer *a);
bool rest_is_write(const struct request *rq);
/* What PATH names; false: no object, no list. */
bool place_parse(const char *path, struct place *ret);

/* api_list.c */

/* NULL: a refusal. */
struct json *list_make(struct store *s, const struct place *at, const struct kind *k,
		       const struct request *rq, struct refusal *no);

/* api_watch.c */

/* NULL: a refusal. The caller holds the lock. */
struct watch *watch_new(struct store *s, const struct place *at, const struct kind *k,
			const struct request *rq, struct refusal *no);
/* Waits for what comes next, at most MS; appends it to OUT. False: it is over. */
bool watch_next(struct watch *w, int ms, struct str *out);
void watch_free(struct watch *w);

/* api_door.c: what is listened on */

struct door;
/* For the ADDRESS-th of the faults' addresses. TAKE gets connections (the taker's) while it is up. */
struct door *door_new(struct faults *x, size_t address, void (*take)(void *user, int fd),
		      void *user);
bool door_start(struct door *d);
/* A connection that was taken begins or ends: it does not outlive a door that is shut. */
void door_note(struct door *d, int fd, bool in);
bool has_left(int fd); /* the other side has closed */

/* api_http.c: libmicrohttpd */

struct http_config {
	struct store *store;
	struct faults *faults;
	char *cert_pem, *key_pem, *client_ca_pem; /* client_ca_pem may be NULL */
	const char *tokens;			  /* file, or NULL */
};
/* Listens on the addresses of the faults, from its return until the program ends. One that cannot be
 * listened on ends the program. */
int http_serve(const struct http_config *c, struct fault *f);

/* api_tell.c: the test's hand */

/* Answers commands on the socket PATH for ever. */
int tell_serve(const char *path, struct store *s, struct faults *x, struct fault *f);
/* Gives one command to it; its words to standard output. An exit status. */
int tell(const char *path, char **words);
extern const char tell_usage[];
