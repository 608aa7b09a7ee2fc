/* See exchange.h. */
#include "firstboot/exchange.h"

#include "firstboot/paths.h"
#include "firstboot/records.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

static const char *const kinds[] = { "look", "promise", "retire", "release", "promote", "word" };

void answer_free(struct answer *a)
{
	json_freep(&a->status);
}

static int copy_text(const struct json *j, const char *key, char *out, size_t size, struct fault *f)
{
	const char *text = json_str(j, key);

	if (!text)
		text = "";
	if (strlen(text) >= size)
		return fault_set(f, EPROTO, "%s is longer than %zu", key, size - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int copy_id(const struct json *j, const char *key, char out[ID_LEN], struct fault *f)
{
	int r = copy_text(j, key, out, ID_LEN, f);

	if (r == 0 && !id_valid(out))
		r = fault_set(f, EPROTO, "%s is not 32 hex digits", key);
	return r;
}

static int copy_int(const struct json *j, const char *key, int min, int max, int *out,
		    struct fault *f)
{
	int64_t v = json_int(j, key, INT64_MIN);

	if (v < min || v > max)
		return fault_set(f, EPROTO, "%s is not a number from %d to %d", key, min, max);
	*out = (int)v;
	return 0;
}

static int parse_member_id(const char *text, uint64_t *ret, struct fault *f)
{
	if (!text || !*text || strlen(text) > 16 ||
	    strspn(text, "0123456789abcdef") != strlen(text))
		return fault_set(f, EPROTO, "a member id is not hex");
	*ret = strtoull(text, NULL, 16);
	return 0;
}

void ask_print(const struct ask *a, struct str *out)
{
	_json_ struct json *j = json_object();
	_free_ char *member = mem_printf("%" PRIx64, a->member);
	struct json *nodes = json_array();

	json_set_int(j, "v", 1);
	json_set_str(j, "kind", kinds[a->kind]);
	json_set_str(j, "digest", a->digest);
	json_set_str(j, "formation", a->formation);
	json_set_str(j, "cluster", a->cluster);
	json_set_str(j, "abandons", a->abandons);
	json_set_int(j, "generation", a->generation);
	json_set_str(j, "word", a->word);
	for (int i = 0; i < NODE_COUNT; i++)
		json_push_str(nodes, a->nodes[i] ? "yes" : "no");
	json_set(j, "nodes", nodes);
	json_set_str(j, "member", member);
	json_print(j, 0, out);
}

int ask_parse(const char *text, size_t len, struct ask *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct ask a = { .kind = ASK_LOOK };
	const char *kind;
	size_t k = 0;

	if (json_parse(text, len, &j, f) < 0)
		return -EPROTO;
	kind = json_str(j, "kind");
	while (k < ARRAY_LEN(kinds) && !str_eq(kind, kinds[k]))
		k++;
	if (json_int(j, "v", 0) != 1 || k == ARRAY_LEN(kinds))
		return fault_set(f, EPROTO, "a question this program does not know");
	a.kind = (enum ask_kind)k;
	if (copy_text(j, "digest", a.digest, sizeof a.digest, f) < 0 ||
	    copy_id(j, "formation", a.formation, f) < 0 ||
	    copy_id(j, "cluster", a.cluster, f) < 0 || copy_id(j, "abandons", a.abandons, f) < 0 ||
	    copy_text(j, "word", a.word, sizeof a.word, f) < 0 ||
	    copy_int(j, "generation", 0, INT_MAX, &a.generation, f) < 0 ||
	    /* an older program leaves it out: 0, which is nobody's id */
	    (json_str(j, "member") && parse_member_id(json_str(j, "member"), &a.member, f) < 0))
		return -EPROTO;
	for (size_t i = 0; i < NODE_COUNT; i++)
		a.nodes[i] = str_eq(json_string(json_at(json_get(j, "nodes", NULL), i)), "yes");
	*ret = a;
	return 0;
}

static struct json *print_voters(const struct voter *v, int n)
{
	struct json *list = json_array();

	for (int i = 0; i < n; i++) {
		_free_ char *id = mem_printf("%" PRIx64, v[i].id);
		struct json *one = json_object();

		json_set_int(one, "node", v[i].node);
		json_set_str(one, "id", id);
		json_push(list, one);
	}
	return list;
}

static int parse_voters(const struct json *list, struct voter *v, int *n, struct fault *f)
{
	if (json_len(list) > VOTERS_MAX)
		return fault_set(f, EPROTO, "more than %d members", VOTERS_MAX);
	for (size_t i = 0; i < json_len(list); i++)
		if (copy_int(json_at(list, i), "node", -1, NODE_COUNT - 1, &v[i].node, f) < 0 ||
		    parse_member_id(json_str(json_at(list, i), "id"), &v[i].id, f) < 0)
			return -EPROTO;
	*n = (int)json_len(list);
	return 0;
}

/* Only what was seen; an older program leaves it out. */
static void print_pulse(const struct pulse p[NODE_COUNT], struct json *j)
{
	struct json *list = json_array();

	for (int i = 0; i < NODE_COUNT; i++) {
		struct json *one = json_object();

		json_set_str(one, "renewed", p[i].renewed);
		json_set_int(one, "age_ms", p[i].age_ms);
		json_push(list, one);
	}
	json_set(j, "pulse", list);
}

static int parse_pulse(const struct json *list, struct pulse ret[NODE_COUNT], struct fault *f)
{
	for (size_t i = 0; i < NODE_COUNT && i < json_len(list); i++) {
		if (copy_text(json_at(list, i), "renewed", ret[i].renewed, PULSE_LEN, f) < 0)
			return -EPROTO;
		ret[i].age_ms = json_int(json_at(list, i), "age_ms", 0);
		if (ret[i].age_ms < 0)
			return fault_set(f, EPROTO, "age_ms is below 0");
	}
	return 0;
}

static struct json *print_view(const struct node_view *v)
{
	struct json *j = json_object(), *p = json_object();
	_free_ char *self = mem_printf("%" PRIx64, v->self);

	json_set_str(j, "state", node_state_name(v->state));
	json_set_bool(j, "removed", v->removed);
	json_set_int(p, "node", v->promise.node);
	json_set_str(p, "formation", v->promise.formation);
	json_set_str(p, "cluster", v->promise.cluster);
	json_set(j, "promise", p);
	json_set_str(j, "cluster", v->cluster);
	json_set_int(j, "generation", v->generation);
	json_set_int(j, "retired", v->retired);
	json_set_int(j, "retired_for", v->retired_for);
	json_set_str(j, "self", self);
	json_set(j, "voters", print_voters(v->voters, v->n_voters));
	json_set(j, "learners", print_voters(v->learners, v->n_learners));
	json_set_str(j, "marker", v->marker);
	return j;
}

static int parse_view(const struct json *j, struct node_view *ret, struct fault *f)
{
	const struct json *p = json_get(j, "promise", NULL);
	const char *state = json_str(j, "state");
	struct node_view v = { .answered = true };
	int s = NODE_UNKNOWN;

	while (s <= NODE_MEMBER && !str_eq(state, node_state_name((enum node_state)s)))
		s++;
	if (s > NODE_MEMBER)
		return fault_set(f, EPROTO, "a state this program does not know");
	v.state = (enum node_state)s;
	v.removed = json_bool(j, "removed", false);
	if (copy_int(p, "node", -1, NODE_COUNT - 1, &v.promise.node, f) < 0 ||
	    copy_id(p, "formation", v.promise.formation, f) < 0 ||
	    copy_id(p, "cluster", v.promise.cluster, f) < 0 ||
	    copy_id(j, "cluster", v.cluster, f) < 0 || copy_id(j, "marker", v.marker, f) < 0 ||
	    copy_int(j, "generation", 0, INT_MAX, &v.generation, f) < 0 ||
	    copy_int(j, "retired", 0, INT_MAX, &v.retired, f) < 0 ||
	    copy_int(j, "retired_for", 0, NODE_COUNT - 1, &v.retired_for, f) < 0 ||
	    parse_member_id(json_str(j, "self"), &v.self, f) < 0 ||
	    parse_voters(json_get(j, "voters", NULL), v.voters, &v.n_voters, f) < 0 ||
	    parse_voters(json_get(j, "learners", NULL), v.learners, &v.n_learners, f) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

void answer_print(const struct answer *a, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "v", 1);
	json_set_str(j, "node", a->node);
	json_set_str(j, "digest", a->digest);
	if (a->same) {
		json_set(j, "view", print_view(&a->view));
		print_pulse(a->pulse, j);
		json_set_bool(j, "granted", a->granted);
		json_set_str(j, "why", a->why);
		json_set_int(j, "time", a->time);
		if (a->status)
			json_set(j, "status", json_copy(a->status));
	}
	json_print(j, 0, out);
}

int answer_parse(const char *text, size_t len, struct answer *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct answer a = { 0 };

	if (json_parse(text, len, &j, f) < 0)
		return -EPROTO;
	if (json_int(j, "v", 0) != 1)
		return fault_set(f, EPROTO, "an answer of version %lld; this program knows 1",
				 (long long)json_int(j, "v", 0));
	if (copy_text(j, "node", a.node, sizeof a.node, f) < 0 ||
	    copy_text(j, "digest", a.digest, sizeof a.digest, f) < 0 ||
	    copy_text(j, "why", a.why, sizeof a.why, f) < 0)
		return -EPROTO;
	a.same = json_get(j, "view", NULL) != NULL;
	if (a.same && parse_view(json_get(j, "view", NULL), &a.view, f) < 0)
		return -EPROTO;
	if (a.same && parse_pulse(json_get(j, "pulse", NULL), a.pulse, f) < 0)
		return -EPROTO;
	a.granted = json_bool(j, "granted", false);
	a.time = json_int(j, "time", 0);
	if (json_get(j, "status", NULL))
		a.status = json_copy(json_get(j, "status", NULL));
	*ret = a;
	return 0;
}

int exchange_ask(struct tls *t, const struct cluster_config *config, int node, const struct ask *a,
		 int timeout_ms, struct answer *ret, struct fault *f)
{
	const struct node_config *n = &config->nodes[node];
	_str_ struct str question = { 0 }, text = { 0 };
	int r;

	ask_print(a, &question);
	r = tls_ask(t, n->address, EXCHANGE_PORT, n->name, question.p, question.len, timeout_ms,
		    &text, f);
	if (r == 0)
		r = answer_parse(str_text(&text), text.len, ret, f);
	if (r == -EACCES)
		return fault_wrap(f, "%s has the seed of another cluster, or a wrong clock",
				  n->name);
	if (r < 0)
		return fault_wrap(f, "%s", n->name);
	if (!str_eq(ret->node, n->name)) {
		answer_free(ret);
		return fault_set(f, EPROTO, "%s answers as '%s'", n->name, ret->node);
	}
	/* another description's view must never reach a decision, whatever that node sent */
	ret->same = ret->same && (str_eq(ret->digest, config->digest) || !RULE(RULE_DESCRIPTION));
	return 0;
}
