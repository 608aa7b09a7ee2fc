/* What database pods ask each other: it comes back as it was said, or not at all. */
#include "tests/unit/test.h"

#include "phoenix-job/pg_wire.h"

#include <errno.h>

static const struct pg_record record = { .known = true,
					 .number = 2000001,
					 .place = { 2, 2000000, 100665272 },
					 .eligible = { true, false, true },
					 .has = { 100665272, 0, INT64_MAX } };

static void assert_same_record(const struct pg_record *a, const struct pg_record *b)
{
	assert_int_equal(a->known, b->known);
	assert_int_equal(a->number, b->number);
	assert_memory_equal(&a->place, &b->place, sizeof a->place);
	assert_memory_equal(a->eligible, b->eligible, sizeof a->eligible);
	assert_memory_equal(a->has, b->has, sizeof a->has);
}

static void a_question_comes_back(void **state)
{
	static const enum pg_question all[] = { PG_TELL, PG_VOTE, PG_PROMISE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct pg_ask q = { .what = all[i], .from = 2, .term = 3, .holder = "uid/nonce" };
		struct pg_ask b;
		_str_ struct str text = { 0 };

		q.place = (struct pg_place){ 2, 2000000, INT64_MAX };
		if (q.what == PG_VOTE)
			q.record = record;
		pg_ask_print(&q, &text);
		memset(&b, 0xff, sizeof b);
		assert_int_equal(pg_ask_parse(text.p, text.len, 1, &b, NULL), 0);
		assert_int_equal(b.what, q.what);
		assert_int_equal(b.from, 1); /* by its certificate, whatever it says */
		assert_int_equal(b.term, 3);
		assert_string_equal(b.holder, q.holder);
		assert_memory_equal(&b.place, &q.place, sizeof b.place);
		assert_same_record(&b.record, &q.record);
	}
}

static void an_answer_comes_back(void **state)
{
	static const enum pg_server all[] = { PG_DOWN, PG_STANDBY, PG_PRIMARY };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct pg_said s = { .answer = { .yes = i == 0,
						 .known = i == 1,
						 .place = { 2, 2000000, 100665272 },
						 .server = all[i],
						 .term = PG_TERM_MAX },
				     .system = "18446744073709551615" };
		struct pg_said b;
		_str_ struct str text = { 0 };

		pg_said_print(&s, &text);
		memset(&b, 0xff, sizeof b);
		assert_int_equal(pg_said_parse(text.p, text.len, &b, NULL), 0);
		assert_int_equal(b.answer.yes, s.answer.yes);
		assert_int_equal(b.answer.known, s.answer.known);
		assert_memory_equal(&b.answer.place, &s.answer.place, sizeof b.answer.place);
		assert_int_equal(b.answer.server, s.answer.server);
		assert_int_equal(b.answer.term, s.answer.term);
		assert_string_equal(b.system, s.system);
	}
}

/* --- what is not believed --- */

#define PLACE "\"place\":{\"term\":1,\"recorded\":1,\"position\":1}"
#define ASK "{\"version\":1,\"what\":\"vote\",\"holder\":\"h\",\"term\":1," PLACE "}"
#define PODS "[{\"eligible\":true,\"has\":1},{\"has\":2},{\"eligible\":false,\"has\":3}]"
#define ASK_RECORD(members)                                                   \
	"{\"version\":1,\"what\":\"vote\",\"holder\":\"h\",\"term\":1," PLACE \
	",\"record\":" members "}"
#define SAID                                                                                   \
	"{\"version\":1,\"yes\":true,\"known\":true," PLACE ",\"server\":\"down\",\"term\":1," \
	"\"system\":\"\"}"

static int ask(const char *text, struct fault *f)
{
	struct pg_ask q = { .term = 77 };
	int r = pg_ask_parse(text, strlen(text), 0, &q, f);

	assert_true(r == 0 || q.term == 77); /* nothing of it was taken */
	return r;
}

static int said(const char *text, struct fault *f)
{
	struct pg_said s = { .answer.term = 77 };
	int r = pg_said_parse(text, strlen(text), &s, f);

	assert_true(r == 0 || s.answer.term == 77);
	return r;
}

/* TEXT is parsed; with FROM replaced by TO it is -EPROTO, and why is told. */
static void assert_refused(int (*parse)(const char *, struct fault *), const char *text,
			   const char *from, const char *to)
{
	const char *at = strstr(text, from);
	_free_ char *changed = NULL;
	struct fault f = { 0 };

	assert_int_equal(parse(text, &f), 0);
	assert_non_null(at);
	changed = mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_int_equal(parse(changed, &f), -EPROTO);
	assert_true(*f.text);
}

static void questions_that_are_none(void **state)
{
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{ "{\"version\"", "\"version\"" },
		{ "\"version\":1", "\"version\":2" },
		{ "\"version\":1", "\"version\":\"1\"" },
		{ "\"version\":1,", "" },
		{ "\"what\":\"vote\",", "" },
		{ "vote", "votes" },
		{ "\"holder\":\"h\",", "" },
		{ "\"holder\":\"h\"", "\"holder\":null" },
		{ "\"term\":1,\"place\"", "\"place\"" },
		{ "\"term\":1", "\"term\":-1" },
		{ "\"term\":1", "\"term\":1.5" },
		{ "\"term\":1", "\"term\":2147483648" },
		{ "\"term\":1", "\"term\":9223372036854775808" },
		{ "," PLACE, "" },
		{ "\"place\":{", "\"place\":[{" },
		{ "{\"term\":1", "{\"term\":-1" },
		{ "\"recorded\":1", "\"recorded\":-1" },
		{ "\"recorded\":1", "\"recorded\":9223372036854775807" },
		{ "\"recorded\":1,", "" },
		{ "\"position\":1", "\"position\":-1" },
		{ "\"position\":1", "\"position\":18446744073709551615" },
		{ ",\"position\":1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_refused(ask, ASK, wrong[i].from, wrong[i].to);
	assert_int_equal(ask("", &(struct fault){ 0 }), -EPROTO);
	assert_int_equal(ask("[]", &(struct fault){ 0 }), -EPROTO);
}

static void a_holder_that_would_not_fit(void **state)
{
	char longest[PG_HOLDER_LEN], longer[PG_HOLDER_LEN + 1];

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = 0;
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = 0;
	for (int i = 0; i < 2; i++) {
		_free_ char *text = mem_printf("{\"version\":1,\"what\":\"tell\",\"holder\":\"%s\","
					       "\"term\":1," PLACE "}",
					       i ? longer : longest);

		assert_int_equal(ask(text, &(struct fault){ 0 }), i ? -EPROTO : 0);
	}
}

static void a_record_is_whole(void **state)
{
	static const char text[] = ASK_RECORD("{\"number\":1," PLACE ",\"pods\":" PODS "}");
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{ "\"number\":1", "\"number\":-1" },
		{ "\"number\":1,", "" },
		{ "\"number\":1", "\"number\":9223372036854775807" },
		{ ",\"pods\":" PODS, "" },
		{ PODS, "[]" },
		{ PODS, "7" },
		{ "{\"has\":2},", "" },
		{ "{\"has\":2}", "{\"has\":2},{\"has\":2}" },
		{ "{\"has\":2}", "{\"has\":-2}" },
		{ "{\"has\":2}", "{}" },
		{ "{\"has\":2}", "null" },
		{ "\"number\":1," PLACE, "\"number\":1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_refused(ask, text, wrong[i].from, wrong[i].to);
	assert_int_equal(ask(ASK_RECORD("null"), &(struct fault){ 0 }), -EPROTO);
	assert_int_equal(ask(ASK_RECORD("[]"), &(struct fault){ 0 }), -EPROTO);
}

static void answers_that_are_none(void **state)
{
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{ "{\"version\"", "\"version\"" },
		{ "\"version\":1", "\"version\":2" },
		{ "\"version\":1,", "" },
		{ "\"server\":\"down\",", "" },
		{ "down", "up" },
		{ "\"term\":1,\"system\"", "\"system\"" },
		{ "\"term\":1,\"system\"", "\"term\":-1,\"system\"" },
		{ "\"term\":1,\"system\"", "\"term\":2147483648,\"system\"" },
		{ PLACE ",", "" },
		{ "\"position\":1", "\"position\":-1" },
		{ "\"system\":\"\"", "\"system\":7" },
		{ ",\"system\":\"\"", "" },
		{ "\"system\":\"\"", "\"system\":\"123456789012345678901234\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_refused(said, SAID, wrong[i].from, wrong[i].to);
}

/* A yes that is not said is none. */
static void silence_is_no(void **state)
{
	static const char text[] = "{\"version\":1,\"yes\":1," PLACE
				   ",\"server\":\"standby\",\"term\":1,\"system\":\"\"}";
	struct pg_said s;

	(void)state;
	assert_int_equal(pg_said_parse(text, strlen(text), &s, NULL), 0);
	assert_false(s.answer.yes);
	assert_false(s.answer.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_comes_back),
		cmocka_unit_test(an_answer_comes_back),
		cmocka_unit_test(questions_that_are_none),
		cmocka_unit_test(a_holder_that_would_not_fit),
		cmocka_unit_test(a_record_is_whole),
		cmocka_unit_test(answers_that_are_none),
		cmocka_unit_test(silence_is_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
