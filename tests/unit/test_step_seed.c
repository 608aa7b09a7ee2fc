/* A seed with mistakes: what the machine's own screen shows of it, and that a corrected one is
 * taken up. */
#include "tests/unit/boot_tree.h"

#include "lib/console.h"

#define ETC "/etc/phoenix/" SEED_FILE

static char got[65536];

/* What came since the last time. */
static const char *shown(int console)
{
	ssize_t n = read(console, got, sizeof got - 1);

	got[n > 0 ? n : 0] = 0;
	return got;
}

static void every_mistake_is_shown_once(void **state)
{
	struct tree *t = tree_new(-1);
	_free_ char *path = mem_printf("%s/console", t->path);
	struct step_result r = { 0 };
	_fd_ int console = -1;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	console = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	console_path = path;
	t->boot.live = true;
	tree_put(t, ETC, "node: phoenix-a\ncolour: red\nwipe: maybe\n");
	assert_int_equal(tree_step(t, "seed", &r), -EINVAL);
	assert_int_equal(r.state, STATE_FAILED);
	assert_true(str_starts(r.text, "the seed is not whole: " ETC ":2:1: colour: no such key"));
	assert_true(str_ends(r.text, "; and 3 more (journalctl -u phoenix-firstboot)"));
	shown(console);
	assert_non_null(strstr(got, "phoenix: seed: " ETC ":2:1: colour: no such key"));
	assert_non_null(strstr(got, "phoenix: seed: " ETC ":3:7: wipe: 'maybe' is neither"));
	assert_non_null(strstr(got, ": description: is missing"));
	assert_non_null(strstr(got, ": secrets: is missing"));
	/* looked at again: nothing new */
	assert_int_equal(tree_step(t, "seed", &r), -EINVAL);
	assert_string_equal(shown(console), "");
	/* another mistake is news */
	tree_put(t, ETC, "node: phoenix-a\n\twipe: true\n");
	assert_int_equal(tree_step(t, "seed", &r), -EINVAL);
	assert_true(str_starts(r.text, "the seed is not whole: " ETC ":2:1: "));
	assert_true(str_starts(shown(console), "phoenix: seed: " ETC ":2:1: "));
	/* who only looks has a screen of his own */
	t->boot.plan = true;
	tree_put(t, ETC, "node: [\n");
	tree_step(t, "seed", &r);
	assert_string_equal(shown(console), "");
	tree_free(t);
}

static void a_corrected_seed_is_taken_up(void **state)
{
	struct tree *t = tree_new(0);
	_seed_ struct seed *whole = TAKE_PTR(t->boot.seed);
	struct step_result r = { 0 };

	(void)state;
	tree_put(t, ETC, "node: [");
	assert_int_equal(tree_step(t, "seed", &r), -EINVAL);
	tree_put(t, ETC, whole->text);
	tree_step_twice(t, "seed");
	assert_string_equal(t->boot.seed->source, "/etc/phoenix");
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_shown_once),
		cmocka_unit_test(a_corrected_seed_is_taken_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
