/* Who reads the log, and what for: the journal gets priorities, a terminal colours, all others the
 * plain line; and a line from outside stays one. */
#include "tests/unit/test.h"

#include "lib/log.h"
#include "lib/str.h"

#include <pty.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RED "\033[31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

/* What SAY writes when standard error is FD, read from there by way of READER. A mark ends it: what
 * goes through a terminal comes when it likes. */
static const char *said(int fd, int reader, void (*say)(void))
{
	static char text[8192];
	int saved = dup(STDERR_FILENO);
	size_t len = 0;
	ssize_t n;

	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	say();
	fflush(stderr);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	assert_int_equal(write(fd, "\1", 1), 1);
	do {
		n = read(reader, text + len, sizeof text - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
	} while (text[len - 1] != 1);
	text[len - 1] = 0;
	return text;
}

static const char *to_pipe(void (*say)(void))
{
	const char *text;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	text = said(fds[1], fds[0], say);
	close(fds[0]);
	close(fds[1]);
	return text;
}

static const char *to_terminal(void (*say)(void))
{
	const char *text;
	int at, terminal;

	assert_int_equal(openpty(&at, &terminal, NULL, NULL, NULL), 0);
	text = said(terminal, at, say);
	close(terminal);
	close(at);
	return text;
}

/* To a pipe that JOURNAL_STREAM names, or to another one. */
static const char *to_journal(void (*say)(void), bool same)
{
	char name[64];
	const char *text;
	struct stat st;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	snprintf(name, sizeof name, "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino + !same);
	setenv("JOURNAL_STREAM", name, 1);
	text = said(fds[1], fds[0], say);
	unsetenv("JOURNAL_STREAM");
	close(fds[0]);
	close(fds[1]);
	return text;
}

static void one_each(void)
{
	log_error("no disk");
	log_warn("two disks");
	log_info("one disk");
	log_debug("looks at %s", "sda");
}

static void forged(void)
{
	log_info("a name\n<3>forged\033[31m\r\tend");
}

static void long_one(void)
{
	_free_ char *much = mem_alloc(6000);

	memset(much, 'x', 5999);
	log_info("%s", much);
}

static int begin(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	setenv("TERM", "linux", 1);
	unsetenv("NO_COLOR");
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static void the_journal_gets_priorities(void **state)
{
	(void)state;
	assert_string_equal(to_journal(one_each, true),
			    "<3>no disk\n<4>two disks\n<6>one disk\n<7>looks at sda\n");
}

/* The variable is inherited by programs whose output goes elsewhere. */
static void another_stream_is_no_journal(void **state)
{
	(void)state;
	assert_string_equal(to_journal(one_each, false),
			    "no disk\ntwo disks\none disk\nlooks at sda\n");
	setenv("JOURNAL_STREAM", "x", 1);
	assert_string_equal(to_pipe(one_each), "no disk\ntwo disks\none disk\nlooks at sda\n");
}

static void levels_above_are_dropped(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_WARN);
	assert_string_equal(to_pipe(one_each), "no disk\ntwo disks\n");
}

static void colours_are_for_a_terminal_that_has_them(void **state)
{
	static const char *const without = "no disk\r\ntwo disks\r\none disk\r\nlooks at sda\r\n";

	(void)state;
	assert_non_null(strstr(to_terminal(one_each), RED "no disk" PLAIN "\r\n"));
	assert_non_null(strstr(to_terminal(one_each), "\none disk\r\n" DIM "looks"));
	setenv("NO_COLOR", "1", 1);
	assert_string_equal(to_terminal(one_each), without);
	setenv("NO_COLOR", "", 1); /* as if it were not set: no-color.org */
	assert_non_null(strstr(to_terminal(one_each), RED));
	setenv("TERM", "dumb", 1);
	assert_string_equal(to_terminal(one_each), without);
	unsetenv("TERM");
	assert_string_equal(to_terminal(one_each), without);
}

static void a_line_stays_one(void **state)
{
	(void)state;
	assert_string_equal(to_journal(forged, true), "<6>a name <3>forged [31m  end\n");
	assert_int_equal(strlen(to_pipe(long_one)), 4096); /* cut, and still ended */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_journal_gets_priorities, begin),
		cmocka_unit_test_setup(another_stream_is_no_journal, begin),
		cmocka_unit_test_setup(levels_above_are_dropped, begin),
		cmocka_unit_test_setup(colours_are_for_a_terminal_that_has_them, begin),
		cmocka_unit_test_setup(a_line_stays_one, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
