/* The node exchange's messages: round trip, and nothing half-understood ever reaches a decision. */
#include "firstboot/exchange.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define A "0123456789abcdef0123456789abcdef"

static void a_question_comes_back(void **state)
{
	struct ask a = { .kind = ASK_PROMISE, .digest = "d", .formation = A, .cluster = A, .generation = 4, .word = "forget", .nodes = { false, true, false }, .member = 0xfedcba9876543210 };
	struct ask b;
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	(void)state;
	ask_print(&a, &text);
	assert_int_equal(ask_parse(text.p, text.len, &b, &f), 0);
	assert_int_equal(b.kind, ASK_PROMISE);
	assert_string_equal(b.formation, A);
	assert_true(b.nodes[1] && !b.nodes[0]);
	assert_true(b.member == a.member);
}

static void an_answer_comes_back_with_64_bit_ids(void **state)
{
	struct answer a = { .same = true, .node = "phoenix-b", .digest = "d", .granted = true, .why = "because", .time = 1767225600 };
	_answer_ struct answer b = { 0 };
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	(void)state;
	a.view = (struct node_view){ .answered = true, .state = NODE_MEMBER, .promise = { .node = -1 }, .cluster = A, .generation = 1,
				     .self = 0xfedcba9876543210, .n_voters = 1, .voters = { { 1, 0xfedcba9876543210 } } };
	answer_print(&a, &text);
	assert_int_equal(answer_parse(text.p, text.len, &b, &f), 0);
	assert_true(b.same && b.granted && b.view.self == 0xfedcba9876543210 && b.view.voters[0].id == b.view.self);
	assert_int_equal(b.view.state, NODE_MEMBER);
	assert_int_equal(b.time, 1767225600);
}

/* "another description" carries no view at all, so none can be believed by mistake. */
static void another_description_has_no_view(void **state)
{
	struct answer a = { .same = false, .node = "phoenix-b", .digest = "other", .view = { .state = NODE_BLANK } };
	_answer_ struct answer b = { 0 };
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	(void)state;
	answer_print(&a, &text);
	assert_null(strstr(text.p, "blank"));
	assert_int_equal(answer_parse(text.p, text.len, &b, &f), 0);
	assert_false(b.same);
}

static void half_an_answer_is_an_error(void **state)
{
	static const char *const bad[] = {
		"", "{", "{\"v\":2}", "{\"v\":1,\"node\":\"a\",\"digest\":\"d\",\"view\":{}}",
		"{\"v\":1,\"node\":\"a\",\"digest\":\"d\",\"view\":{\"state\":\"blank\"}}",
		"{\"v\":1,\"node\":\"a\",\"digest\":\"d\",\"view\":{\"state\":\"empty\",\"self\":\"0\",\"generation\":0,\"retired\":0,\"retired_for\":0,"
		"\"promise\":{\"node\":-1}}}",
		"{\"v\":1,\"node\":\"a\",\"digest\":\"d\",\"view\":{\"state\":\"blank\",\"self\":\"0\",\"generation\":0,\"retired\":0,\"retired_for\":0,"
		"\"promise\":{\"node\":7}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct answer a = { .node = "kept" };
		struct fault f = { 0 };

		assert_int_equal(answer_parse(bad[i], strlen(bad[i]), &a, &f), -EPROTO);
		assert_string_equal(a.node, "kept");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_comes_back),
		cmocka_unit_test(an_answer_comes_back_with_64_bit_ids),
		cmocka_unit_test(another_description_has_no_view),
		cmocka_unit_test(half_an_answer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
