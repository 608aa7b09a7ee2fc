/* A program beside this one ends with it, whatever it made of itself: also one that changed its user. */
#include "tests/unit/test.h"

#include "lib/child.h"
#include "lib/timer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first line that C writes. */
static long line_of(struct child *c)
{
	char text[32] = "";
	size_t n = 0;

	for (int i = 0; i < 100 && !strchr(text, '\n') && n < sizeof text - 1; i++) {
		ssize_t got;

		poll(&(struct pollfd){ .fd = c->out, .events = POLLIN }, 1, 100);
		got = read(c->out, text + n, sizeof text - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	return atol(text);
}

static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		timer_sleep(50);
	}
	return false;
}

static void test_ends_when_told(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo $$; exec sleep 60", NULL };
	_child_ struct child c = CHILD_NONE;
	struct fault f = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(argv, &c, &f), 0);
	pid = (pid_t)line_of(&c);
	assert_true(pid > 0);
	assert_int_equal(child_alive(&c, &f), 0);
	child_stop(&c);
	assert_true(is_gone(pid));
}

static void test_deaf_one(void **state)
{
	const char *const argv[] = { "sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done",
				     NULL };
	_child_ struct child c = CHILD_NONE;
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(argv, &c, NULL), 0);
	pid = (pid_t)line_of(&c);
	child_stop(&c);
	assert_true(is_gone(pid));
}

static void test_status(void **state)
{
	static const struct {
		const char *does, *says;
	} cases[] = { { "exit 7", "status 7" }, { "kill -KILL $$", "signal 9" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const argv[] = { "sh", "-c", cases[i].does, NULL };
		_child_ struct child c = CHILD_NONE;
		struct fault f = { 0 };

		assert_int_equal(child_start(argv, &c, &f), 0);
		for (int k = 0; k < 100 && child_alive(&c, &f) == 0; k++)
			timer_sleep(20);
		assert_non_null(strstr(f.text, cases[i].says));
	}
}

static void test_no_such_program(void **state)
{
	const char *const argv[] = { "phoenix-no-such-program", NULL };
	_child_ struct child c = CHILD_NONE;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(child_start(argv, &c, &f), -ENOENT);
	assert_int_equal(c.pid, -1);
}

/* Who started it is killed; it had become somebody else, as a server does that needs no root. */
static void test_ends_with_the_killed(void **state)
{
	const char *const plain[] = { "sh", "-c", "echo $$; exec sleep 60", NULL };
	const char *const other[] = {
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", plain[2],
		NULL
	};
	int told[2], status;
	pid_t middle, pid = 0;

	(void)state;
	assert_int_equal(pipe(told), 0);
	middle = fork();
	if (middle == 0) {
		struct child c = CHILD_NONE;

		pid = child_start(getuid() ? plain : other, &c, NULL) == 0 ? (pid_t)line_of(&c) : 0;
		_exit(write(told[1], &pid, sizeof pid) == sizeof pid && pause() ? 0 : 1);
	}
	assert_int_equal(read(told[0], &pid, sizeof pid), sizeof pid);
	assert_true(pid > 0);
	kill(middle, SIGKILL);
	waitpid(middle, &status, 0);
	assert_true(is_gone(pid));
	close(told[0]);
	close(told[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_when_told),
		cmocka_unit_test(test_deaf_one),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_ends_with_the_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
