/* What a node grants, and to whom: what it says yes to is on its disk, and nothing is granted that
 * would let two clusters be. */
#include "tests/unit/test.h"

#include "firstboot/agent.h"
#include "firstboot/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define X "11111111111111111111111111111111"
#define Y "22222222222222222222222222222222"
#define F "ffffffffffffffffffffffffffffffff"

static struct cluster_config config = {
	.name = (char *)"railiance",
	.nodes = { { .name = (char *)"phoenix-a", .address = (char *)"192.0.2.11" },
		   { .name = (char *)"phoenix-b", .address = (char *)"192.0.2.12" },
		   { .name = (char *)"phoenix-c", .address = (char *)"192.0.2.13" } },
	.digest = "d",
};

struct node {
	char dir[40];
	struct fs fs;
	struct seed seed;
	struct agent a;
};

/* phoenix-b, on a disk of its own. */
static void begin(struct node *n, enum node_state state)
{
	struct fault f = { 0 };

	*n = (struct node){ .dir = "/tmp/phoenix-test-XXXXXX", .fs.fd = -1 };
	assert_non_null(mkdtemp(n->dir));
	assert_int_equal(fs_open(&n->fs, n->dir, &f), 0);
	n->seed = (struct seed){ .config = &config, .self = 1 };
	n->a = (struct agent){ .fs = &n->fs, .seed = &n->seed };
	pthread_mutex_init(&n->a.lock, NULL);
	n->a.rec.promise.node = -1;
	n->a.me = (struct node_view){ .answered = true, .state = state, .promise.node = -1 };
}

static void end(struct node *n)
{
	fs_remove(&n->fs, STATE_DIR "/" RECORD_FILE, NULL);
	unlinkat(n->fs.fd, &STATE_DIR[1], AT_REMOVEDIR);
	unlinkat(n->fs.fd, "var/lib/phoenix", AT_REMOVEDIR);
	unlinkat(n->fs.fd, "var/lib", AT_REMOVEDIR);
	unlinkat(n->fs.fd, "var", AT_REMOVEDIR);
	fs_close(&n->fs);
	assert_int_equal(rmdir(n->dir), 0);
}

static struct answer asked(struct node *n, const char *from, struct ask q)
{
	_str_ struct str question = { 0 }, text = { 0 };
	struct answer back = { 0 };
	struct fault f = { 0 };

	if (!*q.digest)
		memcpy(q.digest, "d", 2);
	ask_print(&q, &question);
	assert_int_equal(agent_answer(&n->a, from, question.p, question.len, &text), 0);
	assert_int_equal(answer_parse(text.p, text.len, &back, &f), 0);
	return back;
}

static struct records on_disk(struct node *n)
{
	struct fault f = { 0 };
	struct records r;

	assert_int_equal(records_load(&n->fs, STATE_DIR, &r, &f), 0);
	return r;
}

static const struct ask promise_x = {
	.kind = ASK_PROMISE, .formation = F, .cluster = X, .generation = 1
};

static void a_promise_is_on_the_disk_and_given_once(void **state)
{
	struct ask other = promise_x;
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	assert_true(asked(&n, "phoenix-a", promise_x).granted);
	assert_int_equal(on_disk(&n).promise.node, 0);
	assert_string_equal(on_disk(&n).promise.formation, F);
	memcpy(other.formation, Y, ID_LEN);
	assert_false(asked(&n, "phoenix-c", other).granted);
	assert_true(asked(&n, "phoenix-a", other).granted);
	assert_string_equal(on_disk(&n).promise.formation, Y);
	end(&n);
}

/* From the decision to start K3s on a blank disk it neither promises nor says that it is blank. */
static void a_node_that_is_leaving_says_so(void **state)
{
	struct node n;
	struct answer out;

	(void)state;
	begin(&n, NODE_BLANK);
	n.a.leaving_blank = true;
	out = asked(&n, "phoenix-a", promise_x);
	assert_false(out.granted);
	assert_int_equal(out.view.state, NODE_JOINING);
	assert_false(asked(&n, "phoenix-a", (struct ask){ .kind = ASK_RETIRE, .generation = 5 })
			     .granted);
	end(&n);
}

/* It could help another to form beside the node that is kept: being asked to retire ends that. */
static void a_blank_node_gives_up_its_promise_to_a_recovery(void **state)
{
	struct node n;
	struct answer out;

	(void)state;
	begin(&n, NODE_BLANK);
	assert_true(asked(&n, "phoenix-a", promise_x).granted);
	memcpy(n.a.rec.formation, Y, ID_LEN);
	out = asked(&n, "phoenix-c", (struct ask){ .kind = ASK_RETIRE, .generation = 2 });
	assert_true(out.granted);
	assert_int_equal(out.view.promise.node, -1);
	assert_int_equal(on_disk(&n).promise.node, -1);
	assert_string_equal(on_disk(&n).formation, "");
	assert_int_equal(on_disk(&n).retired, 0);
	end(&n);
}

static void of_two_recoveries_the_higher_generation_wins_then_the_first_node(void **state)
{
	struct ask retire = { .kind = ASK_RETIRE, .generation = 3 };
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	n.a.rec.generation = 1;
	n.a.rec.recovering = true;
	n.a.rec.words.generation = 3;
	assert_false(asked(&n, "phoenix-c", retire).granted);
	retire.generation = 1;
	assert_false(asked(&n, "phoenix-a", retire).granted);
	assert_int_equal(n.a.rec.retired, 0);
	retire.generation = 3;
	asked(&n, "phoenix-a", retire);
	assert_int_equal(on_disk(&n).retired, 3);
	assert_int_equal(on_disk(&n).retired_for, 0);
	assert_false(on_disk(&n).recovering);
	end(&n);
}

/* Who hears "retired" relies on it: not in the moment in which K3s is started. */
static void a_node_that_starts_k3s_does_not_retire(void **state)
{
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	n.a.starting = true;
	assert_false(asked(&n, "phoenix-a", (struct ask){ .kind = ASK_RETIRE, .generation = 2 })
			     .granted);
	assert_int_equal(n.a.rec.retired, 0);
	end(&n);
}

/* Three machines that are switched on together need not wait for each other's next look. */
static void who_was_silent_and_asks_is_looked_at_at_once(void **state)
{
	struct ask look = { .kind = ASK_LOOK };
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	n.a.silent[2] = true;
	asked(&n, "phoenix-a", look);
	assert_false(agent_heard(&n.a));
	asked(&n, "phoenix-c", look);
	assert_true(agent_heard(&n.a));
	assert_false(agent_heard(&n.a));
	asked(&n, "phoenix-c", look); /* until the next look finds it silent again */
	assert_false(agent_heard(&n.a));
	end(&n);
}

static int disk_full(const char *step, const char *path)
{
	(void)path;
	return str_eq(step, "write") ? -ENOSPC : 0;
}

/* The one who asked is told; who stands before this node must not have to guess. */
static void what_cannot_be_written_down_is_told_here_too(void **state)
{
	struct answer back;
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	fs_fault_hook = disk_full;
	back = asked(&n, "phoenix-a", promise_x);
	fs_fault_hook = NULL;
	assert_false(back.granted);
	assert_non_null(strstr(back.why, "No space left on device"));
	assert_non_null(strstr(n.a.unsaved, "No space left on device"));
	answer_free(&back);
	back = asked(&n, "phoenix-a", promise_x);
	assert_true(back.granted);
	assert_string_equal(n.a.unsaved, "");
	answer_free(&back);
	end(&n);
}

/* By which the one who asks sees that its own is wrong. */
static void an_answer_tells_the_clock(void **state)
{
	int64_t before = (int64_t)time(NULL);
	struct answer back;
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	back = asked(&n, "phoenix-a", (struct ask){ .kind = ASK_LOOK });
	assert_true(back.time >= before && back.time <= (int64_t)time(NULL));
	answer_free(&back);
	end(&n);
}

static void words_are_taken_from_the_node_itself_only(void **state)
{
	struct ask word = {
		.kind = ASK_WORD, .word = "missing", .nodes = { true }, .generation = 2
	};
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	assert_false(asked(&n, "phoenix-a", word).granted);
	assert_true(asked(&n, "phoenix-b", word).granted);
	assert_true(on_disk(&n).words.missing[0]);
	assert_int_equal(on_disk(&n).words.generation, 2);
	end(&n);
}

/* What was true at an earlier word need not be true at this one. */
static void recover_replaces_what_was_declared_before(void **state)
{
	struct ask word = { .kind = ASK_WORD,
			    .word = "recover",
			    .nodes = { false, false, true },
			    .generation = 4 };
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	n.a.rec.words.missing[0] = true;
	asked(&n, "phoenix-b", word);
	assert_false(on_disk(&n).words.missing[0]);
	assert_true(on_disk(&n).words.missing[2] && on_disk(&n).recovering);
	end(&n);
	begin(&n, NODE_BLANK);
	assert_false(asked(&n, "phoenix-b", word).granted);
	end(&n);
}

static void only_what_is_on_the_disk_can_be_abandoned(void **state)
{
	struct ask word = { .kind = ASK_WORD, .word = "abandon", .cluster = Y };
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	memcpy(n.a.rec.cluster, X, ID_LEN);
	assert_false(asked(&n, "phoenix-b", word).granted);
	memcpy(word.cluster, X, ID_LEN);
	assert_true(asked(&n, "phoenix-b", word).granted);
	assert_string_equal(on_disk(&n).words.abandoned, X);
	end(&n);
}

/* Data whose record is lost: decide() calls it "unrecorded"; it gets an id to be given up by. */
static void data_without_a_record_can_be_abandoned(void **state)
{
	struct ask word = { .kind = ASK_WORD, .word = "abandon" };
	struct node n;

	(void)state;
	begin(&n, NODE_JOINING);
	assert_true(asked(&n, "phoenix-b", word).granted);
	assert_int_equal(strlen(on_disk(&n).cluster), ID_LEN - 1);
	assert_string_equal(on_disk(&n).cluster, on_disk(&n).words.abandoned);
	end(&n);
}

/* Of damaged data only that it is given up; of a disk that cannot be read, nothing. */
static void damaged_data_can_only_be_abandoned(void **state)
{
	struct ask word = { .kind = ASK_WORD, .word = "abandon", .cluster = X };
	struct ask missing = { .kind = ASK_WORD, .word = "missing", .nodes = { [2] = true } };
	struct node n;

	(void)state;
	begin(&n, NODE_UNKNOWN);
	memcpy(n.a.rec.cluster, X, ID_LEN);
	assert_false(asked(&n, "phoenix-b", word).granted);
	n.a.me.damaged = true;
	assert_false(asked(&n, "phoenix-b", missing).granted);
	assert_true(asked(&n, "phoenix-b", word).granted);
	assert_string_equal(on_disk(&n).words.abandoned, X);
	end(&n);
}

/* Or `recover` on another node could not go on while this one answers. */
static void damaged_data_is_retired_like_any_other(void **state)
{
	struct ask retire = { .kind = ASK_RETIRE, .generation = 2 };
	struct node n;

	(void)state;
	begin(&n, NODE_UNKNOWN);
	assert_false(asked(&n, "phoenix-a", retire).granted);
	assert_int_equal(n.a.rec.retired, 0);
	n.a.me.damaged = true;
	asked(&n, "phoenix-a", retire); /* there is no K3s here to be stopped, as the answer says */
	assert_int_equal(on_disk(&n).retired, 2);
	end(&n);
}

static void the_own_promise_is_forgotten_only_before_it_formed(void **state)
{
	struct ask word = { .kind = ASK_WORD, .word = "forget", .formation = F };
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	assert_true(asked(&n, "phoenix-b", promise_x).granted);
	memcpy(n.a.rec.formation, F, ID_LEN);
	n.a.leaving_blank = true;
	assert_false(asked(&n, "phoenix-b", word).granted);
	n.a.leaving_blank = false;
	assert_true(asked(&n, "phoenix-b", word).granted);
	assert_string_equal(on_disk(&n).formation, "");
	assert_int_equal(on_disk(&n).promise.node, -1);
	end(&n);
}

/* An id of another node, or of a member that has long gone, means nobody. */
static void only_the_member_that_asks_is_meant(void **state)
{
	struct etcd_disk d = {
		.members = { { .id = 7, .name = "phoenix-a-01234567" },
			     { .id = 8, .name = "phoenix-c-89abcdef", .learner = true },
			     { .id = 9, .address = "192.0.2.13", .learner = true } },
		.n = 3
	};
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	assert_int_equal(agent_member(&n.a, &d, 2, 8)->id, 8);
	assert_int_equal(agent_member(&n.a, &d, 2, 9)->id, 9);
	assert_null(agent_member(&n.a, &d, 2, 7));
	assert_null(agent_member(&n.a, &d, 0, 8));
	assert_null(agent_member(&n.a, &d, 2, 5));
	assert_null(agent_member(&n.a, &d, 2, 0));
	end(&n);
}

/* Whose own etcd does not answer neither removes nor promotes anybody. */
static void without_an_etcd_nothing_is_granted(void **state)
{
	static const enum ask_kind kinds[] = { ASK_RELEASE, ASK_PROMOTE };
	struct secrets none = { 0 };
	struct node n;

	(void)state;
	begin(&n, NODE_MEMBER);
	n.seed.secrets = &none;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct answer out =
			asked(&n, "phoenix-a", (struct ask){ .kind = kinds[i], .member = 7 });

		assert_false(out.granted);
		assert_non_null(
			strstr(out.why, i == 0 ? "etcd does not answer" : "K3s is not ready"));
	}
	end(&n);
}

static void another_description_is_told_nothing(void **state)
{
	struct ask q = promise_x;
	struct node n;

	(void)state;
	begin(&n, NODE_BLANK);
	memcpy(q.digest, "e", 2);
	assert_false(asked(&n, "phoenix-a", q).same);
	assert_int_equal(n.a.rec.promise.node, -1);
	end(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_promise_is_on_the_disk_and_given_once),
		cmocka_unit_test(a_node_that_is_leaving_says_so),
		cmocka_unit_test(a_blank_node_gives_up_its_promise_to_a_recovery),
		cmocka_unit_test(of_two_recoveries_the_higher_generation_wins_then_the_first_node),
		cmocka_unit_test(a_node_that_starts_k3s_does_not_retire),
		cmocka_unit_test(who_was_silent_and_asks_is_looked_at_at_once),
		cmocka_unit_test(an_answer_tells_the_clock),
		cmocka_unit_test(what_cannot_be_written_down_is_told_here_too),
		cmocka_unit_test(words_are_taken_from_the_node_itself_only),
		cmocka_unit_test(recover_replaces_what_was_declared_before),
		cmocka_unit_test(only_what_is_on_the_disk_can_be_abandoned),
		cmocka_unit_test(data_without_a_record_can_be_abandoned),
		cmocka_unit_test(damaged_data_can_only_be_abandoned),
		cmocka_unit_test(damaged_data_is_retired_like_any_other),
		cmocka_unit_test(the_own_promise_is_forgotten_only_before_it_formed),
		cmocka_unit_test(only_the_member_that_asks_is_meant),
		cmocka_unit_test(without_an_etcd_nothing_is_granted),
		cmocka_unit_test(another_description_is_told_nothing),
	};

	/* a K3s that runs on the machine of the test is none of its business */
	setenv("PATH", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
