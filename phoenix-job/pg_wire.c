/* See pg_wire.h. */
#include "phoenix-job/pg_wire.h"

#include "lib/json.h"

#include <errno.h>

static const char *const questions[] = {
	[PG_TELL] = "tell", [PG_VOTE] = "vote", [PG_PROMISE] = "promise"
};
static const char *const servers[] = {
	[PG_DOWN] = "down", [PG_STANDBY] = "standby", [PG_PRIMARY] = "primary"
};

static int word(const struct json *j, const char *key, const char *const *words, int n,
		struct fault *f)
{
	const char *text = json_str(j, key);

	for (int i = 0; i < n; i++)
		if (str_eq(text, words[i]))
			return i;
	return fault_set(f, EPROTO, "%s is '%s'", key, text ?: "");
}

static int count(const struct json *j, const char *key, int64_t max, int64_t *ret, struct fault *f)
{
	*ret = json_int(j, key, -1);
	if (*ret < 0 || *ret > max)
		return fault_set(f, EPROTO, "%s is no number from 0 to %lld", key, (long long)max);
	return 0;
}

static int text_of(const struct json *j, const char *key, char *ret, size_t size, struct fault *f)
{
	const char *text = json_str(j, key);

	if (!text || strlen(text) >= size)
		return fault_set(f, EPROTO, "%s is missing or too long", key);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static struct json *place_json(struct pg_place p)
{
	struct json *j = json_object();

	json_set_int(j, "term", p.term);
	json_set_int(j, "recorded", p.recorded);
	json_set_int(j, "position", (int64_t)p.position);
	return j;
}

static int place_parse(const struct json *j, struct pg_place *ret, struct fault *f)
{
	int64_t position;

	if (count(j, "term", PG_TERM_MAX, &ret->term, f) < 0 ||
	    count(j, "recorded", PG_NUMBER_MAX, &ret->recorded, f) < 0 ||
	    count(j, "position", INT64_MAX, &position, f) < 0)
		return fault_wrap(f, "place");
	ret->position = (uint64_t)position;
	return 0;
}

static struct json *record_json(const struct pg_record *r)
{
	struct json *j = json_object(), *pods = json_array();

	json_set_int(j, "number", r->number);
	json_set(j, "place", place_json(r->place));
	for (int i = 0; i < PG_PODS; i++) {
		_json_ struct json *each = json_object();

		json_set_bool(each, "eligible", r->eligible[i]);
		json_set_int(each, "has", (int64_t)r->has[i]);
		json_push(pods, TAKE_PTR(each));
	}
	json_set(j, "pods", pods);
	return j;
}

static int record_parse(const struct json *j, struct pg_record *ret, struct fault *f)
{
	const struct json *pods = json_get(j, "pods", NULL);

	if (!j)
		return 0;
	ret->known = true;
	if (count(j, "number", PG_NUMBER_MAX, &ret->number, f) < 0 ||
	    place_parse(json_get(j, "place", NULL), &ret->place, f) < 0)
		return fault_wrap(f, "record");
	if (json_len(pods) != PG_PODS)
		return fault_set(f, EPROTO, "record: pods are not %d", PG_PODS);
	for (int i = 0; i < PG_PODS; i++) {
		const struct json *each = json_at(pods, (size_t)i);
		int64_t has;

		if (count(each, "has", INT64_MAX, &has, f) < 0)
			return fault_wrap(f, "record");
		ret->eligible[i] = json_bool(each, "eligible", false);
		ret->has[i] = (uint64_t)has;
	}
	return 0;
}

void pg_ask_print(const struct pg_ask *q, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "version", 1);
	json_set_str(j, "what", questions[q->what]);
	json_set_str(j, "holder", q->holder);
	json_set_int(j, "term", q->term);
	json_set(j, "place", place_json(q->place));
	if (q->record.known)
		json_set(j, "record", record_json(&q->record));
	json_print(j, 0, out);
}

int pg_ask_parse(const char *text, size_t len, int from, struct pg_ask *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct pg_ask q = { .from = from };
	int what;

	if (json_parse(text, len, &j, f) < 0)
		return fault_set(f, EPROTO, "a question that is no JSON");
	if (json_int(j, "version", 0) != 1)
		return fault_set(f, EPROTO, "a question of another version");
	what = word(j, "what", questions, ARRAY_LEN(questions), f);
	if (what < 0 || text_of(j, "holder", q.holder, sizeof q.holder, f) < 0 ||
	    count(j, "term", PG_TERM_MAX, &q.term, f) < 0 ||
	    place_parse(json_get(j, "place", NULL), &q.place, f) < 0 ||
	    record_parse(json_get(j, "record", NULL), &q.record, f) < 0)
		return -f->code;
	q.what = (enum pg_question)what;
	*ret = q;
	return 0;
}

void pg_said_print(const struct pg_said *s, struct str *out)
{
	_json_ struct json *j = json_object();

	json_set_int(j, "version", 1);
	json_set_bool(j, "yes", s->answer.yes);
	json_set_bool(j, "known", s->answer.known);
	json_set(j, "place", place_json(s->answer.place));
	json_set_str(j, "server", servers[s->answer.server]);
	json_set_int(j, "term", s->answer.term);
	json_set_str(j, "system", s->system);
	json_print(j, 0, out);
}

int pg_said_parse(const char *text, size_t len, struct pg_said *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct pg_said s = { 0 };
	int server;

	if (json_parse(text, len, &j, f) < 0)
		return fault_set(f, EPROTO, "an answer that is no JSON");
	if (json_int(j, "version", 0) != 1)
		return fault_set(f, EPROTO, "an answer of another version");
	server = word(j, "server", servers, ARRAY_LEN(servers), f);
	if (server < 0 || count(j, "term", PG_TERM_MAX, &s.answer.term, f) < 0 ||
	    place_parse(json_get(j, "place", NULL), &s.answer.place, f) < 0 ||
	    text_of(j, "system", s.system, sizeof s.system, f) < 0)
		return -f->code;
	s.answer.server = (enum pg_server)server;
	s.answer.yes = json_bool(j, "yes", false);
	s.answer.known = json_bool(j, "known", false);
	*ret = s;
	return 0;
}
