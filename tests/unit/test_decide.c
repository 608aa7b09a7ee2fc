/* decide.h, a row a situation: what is decided, and that the text names the word that would
 * help. What these rules are good for together is tests/sim's business. */
#include "tests/unit/test.h"

#include "firstboot/decide.h"

enum { A, B, C };
#define X "11111111111111111111111111111111"
#define Y "22222222222222222222222222222222"
#define F "ffffffffffffffffffffffffffffffff"

static const char *const names[NODE_COUNT] = { "phoenix-a", "phoenix-b", "phoenix-c" };

struct scene {
	int self;
	struct node_view v[NODE_COUNT];
	struct words words;
	const char *formation;
	struct decision d;
};

static void set_id(char to[ID_LEN], const char *id)
{
	snprintf(to, ID_LEN, "%s", id);
}

static void promise(struct scene *s, int giver, int to, const char *formation)
{
	s->v[giver].promise.node = to;
	set_id(s->v[giver].promise.formation, formation);
}

/* Data of cluster ID with the voters of MASK; the rest of LISTED are learners. Member ids: node
 * + 1. */
static void data(struct scene *s, int i, const char *id, int generation, int mask, int listed)
{
	struct node_view *v = &s->v[i];

	v->state = mask >> i & 1 ? NODE_MEMBER : NODE_JOINING;
	v->self = (uint64_t)i + 1;
	v->n_voters = v->n_learners = 0;
	set_id(v->cluster, id);
	v->generation = generation;
	for (int j = 0; j < NODE_COUNT; j++) {
		struct voter one = { j, (uint64_t)j + 1 };

		if (mask >> j & 1)
			v->voters[v->n_voters++] = one;
		else if (listed >> j & 1)
			v->learners[v->n_learners++] = one;
	}
}

static void blank(struct scene *s)
{
	*s = (struct scene){ .formation = "" };
	for (int i = 0; i < NODE_COUNT; i++)
		s->v[i] = (struct node_view){ .answered = true,
					      .state = NODE_BLANK,
					      .promise.node = -1 };
}

static void all_promised(struct scene *s)
{
	s->formation = F;
	for (int i = 0; i < NODE_COUNT; i++)
		promise(s, i, A, F);
}

/* The situations, from three blank nodes seen by A. */
static void unknown(struct scene *s)
{
	s->v[A].state = NODE_UNKNOWN;
}
static void damaged(struct scene *s)
{
	s->v[A].state = NODE_UNKNOWN;
	s->v[A].damaged = true;
	set_id(s->v[A].cluster, X);
}
static void damaged_abandoned(struct scene *s)
{
	damaged(s);
	set_id(s->words.abandoned, X);
}
static void damaged_retired(struct scene *s)
{
	damaged(s);
	s->v[A].generation = 1;
	s->v[A].retired = 2;
	s->v[A].retired_for = B;
}
static void damaged_retired_ready(struct scene *s)
{
	damaged_retired(s);
	data(s, B, X, 2, 6, 0);
	s->v[B].api_ready = true;
}
static void unreadable_abandoned(struct scene *s)
{
	damaged_abandoned(s);
	s->v[A].damaged = false;
}
static void peer_unknown(struct scene *s)
{
	s->v[C].state = NODE_UNKNOWN;
}
static void silent(struct scene *s)
{
	s->v[B].answered = false;
}
static void second(struct scene *s)
{
	s->self = B;
}
static void nothing(struct scene *s)
{
	(void)s;
}
static void one_lacks(struct scene *s)
{
	all_promised(s);
	promise(s, C, -1, "");
}
static void old_try(struct scene *s)
{
	all_promised(s);
	promise(s, C, A, Y);
}
static void promised_b(struct scene *s)
{
	all_promised(s);
	promise(s, C, B, Y);
}
static void self_promised_b(struct scene *s)
{
	promise(s, A, B, Y);
}
static void peer_has_data(struct scene *s)
{
	data(s, B, X, 1, 3, 3);
}
static void own_marker(struct scene *s)
{
	all_promised(s);
	set_id(s->v[A].marker, X);
}
static void peers_marker(struct scene *s)
{
	all_promised(s);
	set_id(s->v[B].marker, X);
}

static void marker_abandoned(struct scene *s)
{
	own_marker(s);
	set_id(s->words.abandoned, X);
}

static void destroyed(struct scene *s)
{
	all_promised(s);
	s->v[B].answered = false;
	s->words.missing[B] = true;
}

static void first_destroyed(struct scene *s)
{
	s->self = B;
	s->v[A].answered = false;
	s->words.missing[A] = true;
}

static void ready(struct scene *s)
{
	data(s, B, X, 1, 6, 6);
	s->v[B].api_ready = true;
}

static void ready_older(struct scene *s)
{
	ready(s);
	s->v[A].generation = 2;
}

static void ready_twice(struct scene *s)
{
	ready(s);
	data(s, C, Y, 1, 4, 4);
	s->v[C].api_ready = true;
}

/* Its API still answers, but it was retired: it stops as soon as it looks. */
static void ready_retired(struct scene *s)
{
	ready(s);
	s->v[B].retired = 2;
	s->v[B].retired_for = C;
}

/* A forms the cluster that B promised it; its etcd answers, its API does not yet. */
static void founding(struct scene *s)
{
	s->self = B;
	data(s, A, X, 1, 1, 1);
	s->v[A].state = NODE_JOINING;
	s->v[A].serves_list = true;
	promise(s, A, A, F);
	promise(s, B, A, F);
	set_id(s->v[B].promise.cluster, X);
}

static void founding_silent(struct scene *s)
{
	founding(s);
	s->v[A].serves_list = false;
}

static void founding_unpromised(struct scene *s)
{
	founding(s);
	promise(s, B, -1, "");
}

static void founding_another(struct scene *s)
{
	founding(s);
	set_id(s->v[B].promise.cluster, Y);
}

/* It is founded: what was promised for is done, whatever this node still holds. */
static void founded(struct scene *s)
{
	founding(s);
	promise(s, A, -1, "");
}

static void founding_marked(struct scene *s)
{
	founding(s);
	set_id(s->v[B].marker, Y);
}

static void member(struct scene *s)
{
	for (int i = 0; i < NODE_COUNT; i++)
		data(s, i, X, 1, 7, 7);
}

static void member_alone(struct scene *s)
{
	member(s);
	s->v[B].answered = s->v[C].answered = false;
}

static void behind(struct scene *s)
{
	member(s);
	s->v[B].generation = 2;
}

static void behind_a_try(struct scene *s)
{
	member(s);
	s->v[B] = (struct node_view){
		.answered = true, .state = NODE_BLANK, .generation = 2, .promise.node = -1
	};
}

static void other_ready(struct scene *s)
{
	member(s);
	data(s, B, Y, 1, 6, 6);
	s->v[B].api_ready = true;
}

static void lone(struct scene *s)
{
	data(s, A, X, 1, 1, 1);
}
static void lone_silence(struct scene *s)
{
	lone(s);
	s->v[C].answered = false;
}
static void lone_data(struct scene *s)
{
	lone(s);
	data(s, C, X, 1, 7, 7);
}
static void lone_learner(struct scene *s)
{
	data(s, A, X, 1, 1, 3);
	data(s, B, X, 1, 1, 3);
}
/* Its learner's etcd runs: it tells nobody who else is a member. */
static void lone_joining(struct scene *s)
{
	lone(s);
	data(s, B, X, 1, 0, 0);
}
static void lone_promise(struct scene *s)
{
	lone(s);
	promise(s, C, B, Y);
}
static void lone_retired(struct scene *s)
{
	lone_data(s);
	s->v[C].retired = 2;
	s->v[C].retired_for = A;
}
/* Its data cannot be read, its records can: they say that it is not started again. */
static void lone_damaged(struct scene *s)
{
	lone(s);
	s->v[B].state = NODE_UNKNOWN;
	s->v[B].generation = 1;
}
static void lone_damaged_retired(struct scene *s)
{
	lone_damaged(s);
	s->v[B].retired = 2;
	s->v[B].retired_for = A;
}
static void lone_damaged_retired_for_another(struct scene *s)
{
	lone_damaged_retired(s);
	s->v[B].retired_for = C;
}
static void lone_rejoined(struct scene *s)
{
	lone_retired(s);
	s->v[C].generation = 2;
}

static void lone_word(struct scene *s)
{
	lone_silence(s);
	s->words.missing[C] = true;
}

static void lone_stale_word(struct scene *s)
{
	lone_word(s);
	data(s, A, X, 1, 1, 5);
}

static void retired(struct scene *s)
{
	member(s);
	s->v[A].retired = 2;
	s->v[A].retired_for = B;
}

static void retired_ready(struct scene *s)
{
	retired(s);
	data(s, B, X, 2, 2, 2);
	s->v[B].api_ready = true;
}

static void retired_joined(struct scene *s)
{
	retired_ready(s);
	s->v[A].generation = 2;
}

static void removed(struct scene *s)
{
	member(s);
	s->v[A].removed = true;
	s->v[A].state = NODE_JOINING;
	s->v[B].api_ready = true;
}

static void removed_alone(struct scene *s)
{
	removed(s);
	s->v[B].api_ready = false;
}

static void empty_log(struct scene *s)
{
	data(s, A, X, 1, 0, 0);
	s->v[A].empty_log = true;
}

static void not_named(struct scene *s)
{
	ready(s);
	data(s, A, X, 1, 6, 7);
}

static void abandoned(struct scene *s)
{
	retired(s);
	set_id(s->words.abandoned, X);
}

static const struct row {
	void (*make)(struct scene *s);
	enum action action;
	bool even_running;
	const char *says;
} rows[] = {
	{ unknown, ACT_WAIT, false, "neither forms nor joins" },
	{ damaged, ACT_WAIT, false, "`phoenix abandon " X "` on phoenix-a" },
	{ damaged_abandoned, ACT_MOVE_ASIDE, false, "kept aside" },
	{ damaged_retired, ACT_STOP, true, "`phoenix recover --keep phoenix-b` again" },
	{ damaged_retired_ready, ACT_MOVE_ASIDE, true, "kept aside" },
	{ unreadable_abandoned, ACT_WAIT, false, "neither forms nor joins" },
	{ peer_unknown, ACT_WAIT, false, "phoenix-c cannot read its own data disk" },
	{ silent, ACT_WAIT, false, "`phoenix form --with-missing phoenix-b`" },
	{ second, ACT_WAIT, false, "phoenix-a forms" },
	{ nothing, ACT_ASK_PROMISES, false, "3 nodes" },
	{ one_lacks, ACT_ASK_PROMISES, false, "1 node " },
	{ old_try, ACT_ASK_PROMISES, false, "1 node " },
	{ all_promised, ACT_FORM, false, "" },
	{ promised_b, ACT_STOP, false, "`phoenix forget " Y "` on phoenix-c" },
	{ self_promised_b, ACT_STOP, false, "`phoenix forget " Y "` on phoenix-a" },
	{ peer_has_data, ACT_WAIT, false, "`phoenix recover --keep phoenix-b`" },
	{ peer_has_data, ACT_WAIT, false, "`phoenix abandon " X "` on phoenix-b" },
	{ own_marker, ACT_STOP, false, "`phoenix abandon " X "` on phoenix-a" },
	{ peers_marker, ACT_STOP, false, "`phoenix abandon " X "` on phoenix-b" },
	{ marker_abandoned, ACT_FORM, false, "" },
	{ destroyed, ACT_FORM, false, "" },
	{ first_destroyed, ACT_ASK_PROMISES, false, "2 nodes" },
	{ ready, ACT_JOIN, false, "through phoenix-b" },
	{ ready_older, ACT_WAIT, false, "of an older generation" },
	{ ready_older, ACT_WAIT, false, "`phoenix recover --keep phoenix-b`" },
	{ ready_retired, ACT_WAIT, false, "phoenix-b has cluster data" },
	{ ready_twice, ACT_STOP, false, "`phoenix abandon " Y "` on phoenix-c" },
	{ founding, ACT_JOIN, false, "through phoenix-a" },
	{ founding_silent, ACT_WAIT, false, "its API is not ready" },
	{ founding_unpromised, ACT_WAIT, false, "its API is not ready" },
	{ founding_another, ACT_WAIT, false, "its API is not ready" },
	{ founded, ACT_WAIT, false, "its API is not ready" },
	{ founding_marked, ACT_WAIT, false, "its API is not ready" },
	{ member, ACT_START, false, "`phoenix recover --keep phoenix-a`" },
	{ member_alone, ACT_START, false, "`phoenix abandon " X "` on phoenix-a" },
	{ behind, ACT_STOP, true, "`phoenix abandon " X "` on phoenix-a" },
	{ behind_a_try, ACT_START, false, "" },
	{ other_ready, ACT_STOP, true, "`phoenix abandon " X "` on phoenix-a" },
	{ lone, ACT_START, false, "" },
	{ lone_silence, ACT_WAIT, false, "`phoenix form --with-missing phoenix-c`" },
	{ lone_word, ACT_START, false, "" },
	{ lone_stale_word, ACT_WAIT, false, "phoenix-c must answer" },
	{ lone_data, ACT_STOP, false, "`phoenix abandon " X "` on phoenix-a" },
	{ lone_data, ACT_STOP, false, "`phoenix recover --keep phoenix-a`" },
	{ lone_learner, ACT_START, false, "" },
	{ lone_joining, ACT_WAIT, false, "phoenix-b is joining a cluster" },
	{ lone_promise, ACT_STOP, false, "`phoenix forget " Y "` on phoenix-c" },
	{ lone_retired, ACT_START, false, "" },
	{ lone_damaged, ACT_WAIT, false, "phoenix-b must answer" },
	{ lone_damaged_retired, ACT_START, false, "" },
	{ lone_damaged_retired_for_another, ACT_WAIT, false, "phoenix-b must answer" },
	{ lone_rejoined, ACT_STOP, true, "`phoenix abandon " X "` on phoenix-a" },
	{ retired, ACT_STOP, true, "`phoenix recover --keep phoenix-b` again" },
	{ retired_ready, ACT_MOVE_ASIDE, true, "" },
	{ retired_joined, ACT_START, false, "" },
	{ removed, ACT_MOVE_ASIDE, false, "" },
	{ removed_alone, ACT_WAIT, false, "until a member is ready" },
	{ empty_log, ACT_MOVE_ASIDE, false, "kept aside" },
	{ not_named, ACT_START, false, "`phoenix abandon " X "` on phoenix-a" },
	{ abandoned, ACT_MOVE_ASIDE, true, "abandoned" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct scene s;

		blank(&s);
		r->make(&s);
		decide(s.self, s.v, &s.words, s.formation, names, &s.d);
		if (s.d.action != r->action || s.d.even_running != r->even_running ||
		    !strstr(s.d.why, r->says))
			fail_msg("row %zu: %s%s: %s", i, action_name(s.d.action),
				 s.d.even_running ? " (even running)" : "", s.d.why);
		assert_true(strlen(s.d.why) < WHY_LEN - 1);
		assert_true(r->action != ACT_STOP || strstr(s.d.why, "`phoenix "));
	}
}

static int asks(const struct scene *s, int generation, const char *abandons)
{
	struct promise p = { .node = A };
	char why[WHY_LEN];

	set_id(p.formation, F);
	set_id(p.cluster, X);
	return decide_promise(&s->v[B], A, &p, generation, abandons, why);
}

static void test_promise(void **state)
{
	struct scene s;

	(void)state;
	blank(&s);
	assert_int_equal(asks(&s, 1, ""), 1);
	promise(&s, B, A, F);
	assert_int_equal(asks(&s, 1, ""), 2);
	promise(&s, B, A, Y);
	assert_int_equal(asks(&s, 1, ""), 1);
	promise(&s, B, C, F);
	assert_int_equal(asks(&s, 1, ""), 0);
	blank(&s);
	s.v[B].generation = 2;
	assert_int_equal(asks(&s, 1, ""), 0);
	assert_int_equal(asks(&s, 2, ""), 1);
	s.v[B].retired = 3;
	assert_int_equal(asks(&s, 2, ""), 0);
	blank(&s);
	/* a marker is of a cluster that was, even if the one who asks carries its id */
	set_id(s.v[B].marker, X);
	assert_int_equal(asks(&s, 1, ""), 0);
	assert_int_equal(asks(&s, 1, X), 1);
	blank(&s);
	data(&s, B, X, 1, 7, 7);
	assert_int_equal(asks(&s, 1, ""), 0);
	s.v[B].state = NODE_UNKNOWN;
	assert_int_equal(asks(&s, 1, ""), 0);
}

static bool recovers(const struct scene *s, const char *says)
{
	char why[WHY_LEN];
	int r = decide_recover(A, s->v, &s->words, 2, names, why);

	assert_true(r == 1 || strstr(why, says));
	return r;
}

static void test_recover(void **state)
{
	struct scene s;

	(void)state;
	blank(&s);
	assert_false(recovers(&s, "nothing to keep"));
	data(&s, A, X, 1, 7, 7);
	assert_true(recovers(&s, ""));
	promise(&s, C, B, F);
	assert_false(recovers(&s, "phoenix-c has promised"));
	data(&s, B, X, 1, 7, 7);
	promise(&s, C, -1, "");
	assert_false(recovers(&s, "phoenix-b is not retired"));
	s.v[B].retired = 2;
	s.v[B].retired_for = C;
	assert_false(recovers(&s, "phoenix-b is not retired"));
	s.v[B].retired_for = A;
	assert_true(recovers(&s, ""));
	s.v[C].answered = false;
	assert_false(recovers(&s, "phoenix-c does not answer"));
	s.words.missing[C] = true;
	assert_true(recovers(&s, ""));
	s.v[A].retired = 2;
	assert_false(recovers(&s, "itself was retired"));
}

static void test_recover_void(void **state)
{
	struct scene s;

	(void)state;
	member(&s);
	for (int i = 0; i < NODE_COUNT; i++)
		s.v[i].answered = true;
	assert_false(recover_is_void(A, s.v, 2));
	s.v[B].generation = 2;
	assert_true(recover_is_void(A, s.v, 2));
	assert_false(recover_is_void(A, s.v, 3));
	s.v[B].answered = false;
	assert_false(recover_is_void(A, s.v, 2));
}

static void test_names(void **state)
{
	(void)state;
	for (int r = 0; r < RULE_COUNT; r++)
		assert_true(strlen(rule_name((enum rule)r)) > 1);
	assert_string_equal(rule_name(RULE_COUNT), "?");
	assert_string_equal(node_state_name(NODE_MEMBER), "member");
	assert_string_equal(action_name(ACT_MOVE_ASIDE), "move-aside");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	cmocka_unit_test(test_promise),
		cmocka_unit_test(test_recover), cmocka_unit_test(test_recover_void),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
