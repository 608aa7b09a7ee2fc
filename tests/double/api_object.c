/* What may be done with one object, and the words of the refusals. */
#include "tests/double/api.h"

#include "lib/crypto.h"

#include <time.h>

bool refuse(struct refusal *no, int code, const char *reason, const char *fmt, ...)
{
	va_list ap;

	no->code = code;
	no->reason = reason;
	va_start(ap, fmt);
	vsnprintf(no->message, sizeof no->message, fmt, ap);
	va_end(ap);
	return false;
}

struct json *refusal_status(const struct refusal *no)
{
	struct json *j = json_object();

	json_set_str(j, "kind", "Status");
	json_set_str(j, "apiVersion", "v1");
	json_set(j, "metadata", json_object());
	json_set_str(j, "status", no->code < 400 ? "Success" : "Failure");
	json_set_str(j, "message", *no->message ? no->message : NULL);
	json_set_str(j, "reason", no->reason);
	json_set_int(j, "code", no->code);
	return j;
}

char *object_words(const struct place *at)
{
	const char *slash = strchr(at->gv, '/');

	if (!slash)
		return mem_printf("%s \"%s\"", at->plural, at->name);
	return mem_printf("%s.%.*s \"%s\"", at->plural, (int)(slash - at->gv), at->gv, at->name);
}

static bool not_found(const struct place *at, struct refusal *no)
{
	_free_ char *words = object_words(at);

	return refuse(no, 404, "NotFound", "%s not found", words);
}

static bool conflict(const struct place *at, const char *why, struct refusal *no)
{
	_free_ char *words = object_words(at);

	return refuse(no, 409, "Conflict", "Operation cannot be fulfilled on %s: %s", words, why);
}

#define MODIFIED                                                                                 \
	"the object has been modified; please apply your changes to the latest version and try " \
	"again"

/* A random UUID (version 4). */
static char *uuid(void)
{
	_free_ char *x = crypto_random_hex(16);

	return mem_printf("%.8s-%.4s-4%.3s-8%.3s-%.12s", x, x + 8, x + 13, x + 17, x + 20);
}

static char *now_text(void)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return mem_strdup(text);
}

/* The metadata of O with what the server alone decides. */
static struct json *metadata_of(const struct kind *k, const struct place *at,
				const struct json *old, const struct json *o)
{
	const struct json *given = json_get(o, "metadata", NULL);
	struct json *m = is_object(given) ? json_copy(given) : json_object();
	_free_ char *id = old ? mem_strdup(meta(old, "uid")) : uuid();
	_free_ char *born = old ? mem_strdup(meta(old, "creationTimestamp")) : now_text();
	int64_t generation = json_int(json_get(old, "metadata", NULL), "generation", 0);

	json_set_str(m, "name", at->name);
	json_set_str(m, "namespace", *at->ns ? at->ns : NULL);
	json_set_str(m, "uid", id);
	json_set_str(m, "creationTimestamp", born);
	json_set_str(m, "resourceVersion", meta(old, "resourceVersion"));
	if (k->generation)
		json_set_int(m, "generation",
			     generation + (!old || !same(json_get(old, "spec", NULL),
							 json_get(o, "spec", NULL))));
	return m;
}

/* Writes O in OLD's place (NULL: new). What changes nothing is no write. */
static const struct json *write_object(struct store *s, const struct kind *k,
				       const struct place *at, const struct json *old,
				       const struct json *o)
{
	_json_ struct json *new = json_object();

	json_set_str(new, "kind", k->name);
	json_set_str(new, "apiVersion", k->gv);
	json_set(new, "metadata", metadata_of(k, at, old, o));
	for (size_t i = 0; i < json_len(o); i++) {
		const char *key = json_key_at(o, i);

		if (!json_get(new, key, NULL))
			json_set(new, key, json_copy(json_get(o, key, NULL)));
	}
	if (old && same(old, new))
		return old;
	return store_put(s, at, TAKE_PTR(new));
}

/* The kind of what is AT, if O (NULL: nothing is sent) may stand there. */
static bool fits(struct store *s, const struct place *at, const struct json *o, struct kind *k,
		 struct refusal *no)
{
	const char *gv = json_str(o, "apiVersion"), *name = json_str(o, "kind");

	if (!kind_find(s, at, k) || k->namespaced != !!*at->ns)
		return refuse(no, 404, "NotFound",
			      "the server could not find the requested resource");
	if (!o)
		return true;
	if (!is_object(o))
		return refuse(no, 400, "BadRequest", "the object provided is unrecognized");
	if ((gv && !str_eq(gv, k->gv)) || (name && !str_eq(name, k->name)))
		return refuse(no, 400, "BadRequest",
			      "%s in version \"%s\" cannot be handled as a %s", name ?: "an object",
			      gv ?: "", k->name);
	if (meta(o, "namespace") && *meta(o, "namespace") && !str_eq(meta(o, "namespace"), at->ns))
		return refuse(no, 400, "BadRequest",
			      "the namespace of the provided object does not match the namespace "
			      "sent on the request");
	if (meta(o, "name") && !str_eq(meta(o, "name"), at->name))
		return refuse(no, 400, "BadRequest",
			      "the name of the object (%s) does not match the name on the URL (%s)",
			      meta(o, "name"), at->name);
	return object_check(k, at, o, no);
}

static bool namespace_is_there(const struct store *s, const struct place *at, struct refusal *no)
{
	struct place ns = { .gv = "v1", .plural = "namespaces" };

	memcpy(ns.name, at->ns, sizeof at->ns);
	return !*at->ns || store_get(s, &ns) ? true : not_found(&ns, no);
}

const struct json *object_create(struct store *s, const struct place *at, const struct json *o,
				 struct refusal *no)
{
	struct place there = *at;
	struct kind k;

	snprintf(there.name, sizeof there.name, "%s", meta(o, "name") ?: "");
	if (!fits(s, &there, o, &k, no) || !namespace_is_there(s, at, no))
		return NULL;
	if (meta(o, "resourceVersion")) {
		refuse(no, 500, NULL, "resourceVersion should not be set on objects to be created");
		return NULL;
	}
	if (store_get(s, &there)) {
		_free_ char *words = object_words(&there);

		refuse(no, 409, "AlreadyExists", "%s already exists", words);
		return NULL;
	}
	return write_object(s, &k, &there, NULL, o);
}

/* O's uid, if it has one, is OLD's (NULL: nothing is there). */
static bool uid_fits(const struct place *at, const struct json *old, const struct json *o,
		     struct refusal *no)
{
	_free_ char *why = NULL;

	if (!meta(o, "uid") || str_eq(meta(o, "uid"), meta(old, "uid")))
		return true;
	why = mem_printf("StorageError: invalid object, Code: 4, AdditionalErrorMsg: Precondition "
			 "failed: UID in precondition: %s, UID in object meta: %s",
			 meta(o, "uid"), meta(old, "uid") ?: "");
	return conflict(at, why, no);
}

const struct json *object_replace(struct store *s, const struct place *at, const struct json *o,
				  bool *made, struct refusal *no)
{
	const struct json *old = store_get(s, at);
	const char *version = meta(o, "resourceVersion");
	struct kind k;

	if (!fits(s, at, o, &k, no) || !uid_fits(at, old, o, no))
		return NULL;
	if (made)
		*made = !old;
	if (!old && !k.upsert) {
		not_found(at, no);
		return NULL;
	}
	/* As the real one: what is upserted may come with a version, which is then of no matter. */
	if (!old)
		return namespace_is_there(s, at, no) ? write_object(s, &k, at, NULL, o) : NULL;
	if (!version && !k.unconditional) {
		_free_ char *words = object_words(at);

		refuse(no, 422, "Invalid",
		       "%s is invalid: metadata.resourceVersion: Invalid value: 0: must be "
		       "specified for an update",
		       words);
		return NULL;
	}
	if (version && !str_eq(version, meta(old, "resourceVersion"))) {
		conflict(at, MODIFIED, no);
		return NULL;
	}
	return write_object(s, &k, at, old, o);
}

const struct json *object_patch(struct store *s, const struct place *at, const struct json *patch,
				struct refusal *no)
{
	const struct json *old = store_get(s, at);
	_json_ struct json *merged = NULL;
	struct kind k;

	if (!is_object(patch)) {
		refuse(no, 400, "BadRequest", "error decoding patch: no object");
		return NULL;
	}
	if (!fits(s, at, NULL, &k, no))
		return NULL;
	if (!old) {
		not_found(at, no);
		return NULL;
	}
	merged = merge(old, patch);
	if (!fits(s, at, merged, &k, no))
		return NULL;
	if (!str_eq(meta(merged, "uid"), meta(old, "uid"))) {
		refuse(no, 422, "Invalid", "%s \"%s\" is invalid: metadata.uid: field is immutable",
		       k.name, at->name);
		return NULL;
	}
	if (meta(merged, "resourceVersion") &&
	    !str_eq(meta(merged, "resourceVersion"), meta(old, "resourceVersion"))) {
		conflict(at, MODIFIED, no);
		return NULL;
	}
	return write_object(s, &k, at, old, merged);
}

/* What is in a namespace goes with it. */
static void empty_namespace(struct store *s, const char *ns)
{
	for (size_t i = 0; i < s->now.n;) {
		struct place at = s->now.v[i].at;

		if (str_eq(at.ns, ns))
			store_remove(s, &at);
		else
			i++;
	}
}

bool object_delete(struct store *s, const struct place *at, const struct json *options,
		   struct refusal *no)
{
	const struct json *must = json_get(options, "preconditions", NULL);
	const char *uid = json_str(must, "uid"), *version = json_str(must, "resourceVersion");
	const struct json *old = store_get(s, at);
	struct kind k;

	if (!fits(s, at, NULL, &k, no))
		return false;
	if (!old)
		return not_found(at, no);
	if (uid && !str_eq(uid, meta(old, "uid")))
		return conflict(at,
				"the UID in the precondition does not match the UID in record. The "
				"object might have been deleted and then recreated",
				no);
	if (version && !str_eq(version, meta(old, "resourceVersion")))
		return conflict(at,
				"the ResourceVersion in the precondition does not match the "
				"ResourceVersion in record. The object might have been modified",
				no);
	if (str_eq(k.name, "Namespace"))
		empty_namespace(s, at->name);
	store_remove(s, at);
	return true;
}
