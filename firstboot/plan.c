/* See plan.h. */
#include "firstboot/plan.h"

#include "firstboot/exchange.h"

#define ASK_MS 1500

static const struct json *step_of(const struct json *status, const char *name)
{
	const struct json *list = json_get(status, "steps", NULL);

	for (size_t i = 0; i < json_len(list); i++)
		if (str_eq(json_str(json_at(list, i), "name"), name))
			return json_at(list, i);
	return NULL;
}

int plan_ask_daemon(struct boot *b, const char *name, const char *what)
{
	const struct secrets *s = b->seed->secrets;
	const struct node_secrets *own = &s->nodes[b->seed->self];
	struct ask ask = { .kind = ASK_LOOK };
	_answer_ struct answer answer = { 0 };
	struct tls *tls = NULL;
	const struct json *step;
	const char *state, *text;
	int r;

	if (!b->plan || !b->live)
		return step_needed(b, "%s", what);
	memcpy(ask.digest, b->seed->config->digest, sizeof ask.digest);
	r = tls_new(s->exchange_ca, own->cert, own->key, &tls, NULL);
	if (r == 0)
		r = exchange_ask(tls, b->seed->config, b->seed->self, &ask, ASK_MS, &answer, NULL);
	tls_freep(&tls);
	step = r == 0 && answer.same ? step_of(answer.status, name) : NULL;
	state = json_str(step, "state");
	if (!state)
		return step_needed(b, "%s", what);
	text = json_str(step, "text");
	if (!str_eq(state, "done") && !str_eq(state, "changed"))
		return step_needed(b, "%.390s", text && *text ? text : what);
	return STEP_DONE;
}
