/* From a path to what is done: objects, lists, watches, discovery, health. */
#include "tests/double/api.h"

#define SEGMENTS_MAX 8

/* Copies N bytes; false: too long, or nothing. */
static bool take(char *out, size_t size, const char *text, size_t n)
{
	if (!n || n >= size)
		return false;
	memcpy(out, text, n);
	out[n] = 0;
	return true;
}

/* What follows group and version: [namespaces/NS/]PLURAL[/NAME[/SUB]]. A namespace's own
 * subresource looks like a list in it, and the product asks for none. */
static bool place_parts(struct strv *parts, struct place *ret)
{
	size_t i = 0;
	char *const *v = parts->v;

	if (parts->n >= 3 && str_eq(v[0], "namespaces")) {
		if (!take(ret->ns, sizeof ret->ns, v[1], strlen(v[1])))
			return false;
		i = 2;
	}
	return i < parts->n && parts->n - i <= 3 &&
	       take(ret->plural, sizeof ret->plural, v[i], strlen(v[i])) &&
	       (i + 1 >= parts->n ||
		take(ret->name, sizeof ret->name, v[i + 1], strlen(v[i + 1]))) &&
	       (i + 2 >= parts->n || take(ret->sub, sizeof ret->sub, v[i + 2], strlen(v[i + 2])));
}

/* The rest of the path behind "/api/v1" or "/apis/GROUP/VERSION", or NULL. */
static const char *path_group(const char *path, struct place *ret)
{
	const char *gv = path + strlen("/apis/"), *end;

	*ret = (struct place){ 0 };
	if (str_starts(path, "/api/")) {
		gv = path + strlen("/api/");
		end = strchrnul(gv, '/');
	} else if (str_starts(path, "/apis/") && strchr(gv, '/')) {
		end = strchrnul(strchr(gv, '/') + 1, '/');
	} else {
		return NULL;
	}
	return take(ret->gv, sizeof ret->gv, gv, (size_t)(end - gv)) ? end : NULL;
}

bool place_parse(const char *path, struct place *ret)
{
	const char *rest = path_group(path, ret);
	_free_ char *copy = mem_strdup(rest);
	_strv_ struct strv parts = { 0 };
	char *save = NULL;

	for (char *s = copy ? strtok_r(copy, "/", &save) : NULL; s; s = strtok_r(NULL, "/", &save))
		strv_add(&parts, s);
	return place_parts(&parts, ret);
}

static void answer_json(struct answer *a, int status, const struct json *j)
{
	a->status = status;
	a->type = "application/json";
	json_print(j, 0, &a->body);
}

static void answer_refusal(struct answer *a, const struct refusal *no)
{
	_json_ struct json *status = refusal_status(no);

	answer_json(a, no->code, status);
}

static void answer_text(struct answer *a, int status, const char *text)
{
	a->status = status;
	a->type = "text/plain";
	str_add(&a->body, text);
}

static const char *param(const struct request *rq, const char *name)
{
	return rq->query(rq->user, name);
}

/* {"kind":KIND,"apiVersion":GV,"status":{}}, whose status is put together by the caller. */
static struct json *review(const char *kind, const char *gv, struct json *status)
{
	struct json *j = json_object();

	json_set_str(j, "kind", kind);
	json_set_str(j, "apiVersion", gv);
	json_set(j, "metadata", json_object());
	json_set(j, "status", status);
	return j;
}

/* Health, version, discovery, and who one is: what everybody may ask. */
static bool answer_common(struct store *s, const struct request *rq, struct answer *a)
{
	static const char *const health[] = { "/readyz", "/livez", "/healthz" };
	_json_ struct json *j = NULL;
	struct place at;
	const char *rest = path_group(rq->path, &at);

	for (size_t i = 0; i < ARRAY_LEN(health); i++)
		if (str_eq(rq->path, health[i])) {
			answer_text(a, 200, "ok");
			return true;
		}
	if (str_eq(rq->path, "/version")) {
		answer_text(a, 200,
			    "{\"major\":\"1\",\"minor\":\"36\",\"gitVersion\":\"v1.36.0+double\"}");
		return true;
	}
	if (rest && !rest[strspn(rest, "/")]) {
		j = kind_list(s, at.gv);
		if (j)
			answer_json(a, 200, j);
		else
			answer_text(a, 404, "404 page not found\n");
		return true;
	}
	if (str_eq(rq->path, "/apis/authentication.k8s.io/v1/selfsubjectreviews")) {
		struct json *status = json_object(), *user = json_object();

		json_set_str(user, "username", rq->who.user);
		json_set(status, "userInfo", user);
		j = review("SelfSubjectReview", at.gv, status);
		answer_json(a, 201, j);
		return true;
	}
	return false;
}

static const char *verb_of(const struct request *rq, const struct place *at)
{
	if (str_eq(rq->method, "POST"))
		return "create";
	if (str_eq(rq->method, "PUT"))
		return "update";
	if (str_eq(rq->method, "PATCH"))
		return "patch";
	if (str_eq(rq->method, "DELETE"))
		return "delete";
	if (!str_eq(rq->method, "GET"))
		return NULL;
	if (*at->name)
		return "get";
	return str_eq(param(rq, "watch"), "true") || str_eq(param(rq, "watch"), "1") ? "watch"
										     : "list";
}

/* What the double does not know must not look as if nothing were selected. */
static bool selectors_known(const struct request *rq, struct refusal *no)
{
	const char *labels = param(rq, "labelSelector"), *fields = param(rq, "fieldSelector");

	if (labels && (strpbrk(labels, "!() ") || strstr(labels, "===")))
		return refuse(no, 400, "BadRequest", "unable to parse requirement: %s", labels);
	if (fields &&
	    (!str_starts(fields, "metadata.name") || !strchr(fields, '=') || strchr(fields, ',')))
		return refuse(no, 400, "BadRequest", "\"%s\" is not a known field selector",
			      fields);
	return true;
}

/* What is done with one object, when the method says so. NULL: refused, or a Status is the answer. */
static const struct json *change(struct store *s, const struct place *at, const struct request *rq,
				 const struct json *body, bool *made, struct refusal *no)
{
	struct apply how = { param(rq, "fieldManager"), str_eq(param(rq, "force"), "true") };

	if (str_eq(rq->method, "POST")) {
		*made = true;
		return object_create(s, at, body, no);
	}
	if (str_eq(rq->method, "PUT"))
		return object_replace(s, at, body, made, no);
	if (str_eq(rq->method, "DELETE")) {
		if (object_delete(s, at, body, no))
			no->code = 200;
		return NULL;
	}
	if (str_eq(rq->type, "application/apply-patch+yaml"))
		return object_apply(s, at, body, &how, made, no);
	if (str_eq(rq->type, "application/merge-patch+json"))
		return object_patch(s, at, body, no);
	refuse(no, 415, "UnsupportedMediaType", "415: Unsupported Media Type");
	return NULL;
}

static void answer_change(struct store *s, const struct place *at, const struct request *rq,
			  struct answer *a)
{
	bool yaml = str_eq(rq->type, "application/apply-patch+yaml"), made = false;
	_json_ struct json *body = NULL;
	const struct json *now = NULL;
	struct refusal no = { 0 };
	struct fault f = { 0 };

	if (!*at->name == !str_eq(rq->method, "POST"))
		refuse(&no, 405, "MethodNotAllowed",
		       "the server does not allow this method on the requested resource");
	else if (rq->len && (yaml ? from_yaml(rq->body, rq->len, &body, &f)
				  : json_parse(rq->body, rq->len, &body, &f)) < 0)
		refuse(&no, 400, "BadRequest", "error decoding the body: %.600s", f.text);
	else if (!body && !str_eq(rq->method, "DELETE"))
		refuse(&no, 400, "BadRequest", "the body is empty");
	else
		now = change(s, at, rq, body, &made, &no);
	if (now)
		answer_json(a, made ? 201 : 200, now);
	else
		answer_refusal(a, &no);
}

/* A new token of the ServiceAccount AT. */
static void answer_token(struct store *s, const struct place *at, struct answer *a)
{
	_free_ char *token = NULL;
	_json_ struct json *j = NULL;
	struct json *status;
	struct refusal no = { 0 };
	struct place account = *at;

	*account.sub = 0;
	if (!store_get(s, &account)) {
		refuse(&no, 404, "NotFound", "serviceaccounts \"%s\" not found", at->name);
		answer_refusal(a, &no);
		return;
	}
	token = token_new(at->ns, at->name);
	status = json_object();
	json_set_str(status, "token", token);
	j = review("TokenRequest", "authentication.k8s.io/v1", status);
	answer_json(a, 201, j);
}

static bool allowed(const struct store *s, const struct place *at, const struct request *rq,
		    const char *verb, struct refusal *no)
{
	const char *slash = strchr(at->gv, '/');

	if (access_allowed(s, rq->who.user, verb, at))
		return true;
	return refuse(
		no, 403, "Forbidden",
		"%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%.*s\" "
		"in the namespace \"%s\"",
		at->plural, rq->who.user, verb, at->plural, slash ? (int)(slash - at->gv) : 0,
		at->gv, at->ns);
}

static void answer_object(struct store *s, const struct place *at, const struct kind *k,
			  const char *verb, const struct request *rq, struct answer *a)
{
	_json_ struct json *list = NULL;
	struct refusal no = { 0 };
	const struct json *there = str_eq(verb, "get") ? store_get(s, at) : NULL;

	if (there) {
		answer_json(a, 200, there);
	} else if (str_eq(verb, "get")) {
		_free_ char *words = object_words(at);

		refuse(&no, 404, "NotFound", "%s not found", words);
		answer_refusal(a, &no);
	} else if (str_eq(verb, "list")) {
		list = list_make(s, at, k, rq, &no);
		if (list)
			answer_json(a, 200, list);
		else
			answer_refusal(a, &no);
	} else if (str_eq(verb, "watch")) {
		a->watch = watch_new(s, at, k, rq, &no);
		if (!a->watch)
			answer_refusal(a, &no);
	} else {
		answer_change(s, at, rq, a);
	}
}

void rest_answer(struct store *s, const struct request *rq, struct answer *a)
{
	struct refusal no = { 404, "NotFound", "the server could not find the requested resource" };
	const char *verb;
	struct place at;
	struct kind k;

	pthread_mutex_lock(&s->lock);
	if (answer_common(s, rq, a)) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	if (!place_parse(rq->path, &at) || !(verb = verb_of(rq, &at)))
		answer_refusal(a, &no);
	else if (!allowed(s, &at, rq, verb, &no) || !selectors_known(rq, &no))
		answer_refusal(a, &no);
	else if (str_eq(at.plural, "serviceaccounts") && str_eq(at.sub, "token"))
		answer_token(s, &at, a);
	else if (*at.sub || !kind_find(s, &at, &k))
		answer_refusal(a, &no);
	else
		answer_object(s, &at, &k, verb, rq, a);
	pthread_mutex_unlock(&s->lock);
}

bool rest_is_write(const struct request *rq)
{
	return !str_eq(rq->method, "GET");
}
