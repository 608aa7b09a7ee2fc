/* A stub of the Kubernetes API that gives one scripted answer, and a client for it. */
#pragma once

#include "lib/kube.h"
#include "tests/unit/stub.h"
#include "tests/unit/test.h"

/* A client of up to three servers; 600 ms a request, so that the stalls of these tests stay short.
 */
__attribute__((unused)) static struct kube *client(const char *a, const char *b, const char *c)
{
	struct kube_config config = { .timeout_ms = 600 };
	struct kube *k = NULL;

	strv_add(&config.servers, a);
	if (b)
		strv_add(&config.servers, b);
	if (c)
		strv_add(&config.servers, c);
	assert_int_equal(kube_new(&config, &k, NULL), 0);
	strv_free(&config.servers);
	return k;
}

/* What a stub does, by its user pointer. */
struct script {
	const char *raw;  /* the bytes of every answer */
	int status;	  /* or a whole answer of this status */
	const char *body; /* with this body */
	enum stub_then then;
	char seen[4096]; /* the last request: "METHOD TARGET BODY" */
	char head[2048];
};

__attribute__((unused)) static enum stub_then follow(struct stub *s, const struct stub_request *rq,
						     struct str *out)
{
	struct script *t = s->user;

	snprintf(t->seen, sizeof t->seen, "%s %s %s", rq->method, rq->target, rq->body);
	snprintf(t->head, sizeof t->head, "%s", rq->head);
	if (t->raw)
		str_add(out, t->raw);
	else if (t->status)
		stub_answer(out, t->status, t->body);
	return t->then;
}

#define POD "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}"
#define REFUSAL(reason) \
	"{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"the API's own words\"}"
