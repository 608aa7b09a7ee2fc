/* The console: whole lines, a bound, a console that is not there. The console of a test is a pipe
 * with a name. */
#include "tests/unit/test.h"

#include "lib/console.h"
#include "lib/fs.h"
#include "lib/utf8.h"

#include <fcntl.h>
#include <unistd.h>

static char dir[] = "/tmp/phoenix-test-XXXXXX";
static char path[64], got[4096];
static int console = -1;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/console", dir);
	console_path = path;
	return mkfifo(path, 0600);
}

static int teardown(void **state)
{
	(void)state;
	fd_closep(&console);
	return unlink(path) | rmdir(dir);
}

/* What arrives of LINE; NULL when nobody took it. */
static const char *said(const char *line)
{
	ssize_t n;

	if (console < 0)
		console = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(console >= 0);
	if (!console_say(line))
		return NULL;
	n = read(console, got, sizeof got - 1);
	assert_true(n > 0);
	got[n] = 0;
	return got;
}

static void nobody_is_waited_for(void **state)
{
	(void)state;
	assert_false(console_say("nobody reads"));
	console_path = "/nonexistent/console";
	assert_false(console_say("no console"));
	console_path = path;
}

static void a_line_arrives_whole(void **state)
{
	char line[CONSOLE_LINE_MAX + 1];
	_free_ char *expected = NULL;

	(void)state;
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = 0;
	expected = mem_printf("phoenix: %s\r\n", line);
	assert_string_equal(said(line), expected);
	assert_string_equal(said("höre\033[2J\n<"), "phoenix: höre [2J <\r\n");
	assert_string_equal(said(""), "phoenix: \r\n");
}

static void a_longer_one_is_cut_at_a_character(void **state)
{
	char line[CONSOLE_LINE_MAX + 100] = "";
	const char *end;

	(void)state;
	/* of "ö" one byte would fit */
	memset(line, 'x', CONSOLE_LINE_MAX - 1);
	memcpy(line + CONSOLE_LINE_MAX - 1, "ö and more", sizeof "ö and more");
	end = said(line);
	assert_int_equal(utf8_check(end, strlen(end)), strlen(end));
	assert_int_equal(strlen(end), strlen("phoenix: …\r\n") + CONSOLE_LINE_MAX - 1);
	assert_true(str_ends(end, "xx…\r\n"));
}

static void what_fits_ends_with_a_character(void **state)
{
	(void)state;
	assert_int_equal(utf8_fit("abc", 5), 3);
	assert_int_equal(utf8_fit("abc", 3), 3);
	assert_int_equal(utf8_fit("abc", 2), 2);
	assert_int_equal(utf8_fit("aö", 2), 1);
	assert_int_equal(utf8_fit("a…b", 3), 1);
	assert_int_equal(utf8_fit("a…b", 4), 4);
	assert_int_equal(utf8_fit("…", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_waited_for),
		cmocka_unit_test(a_line_arrives_whole),
		cmocka_unit_test(a_longer_one_is_cut_at_a_character),
		cmocka_unit_test(what_fits_ends_with_a_character),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
