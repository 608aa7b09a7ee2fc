/* What `phoenix status` shows: columns, colours, and whether it draws over what was there. */
#include "tests/unit/test.h"

#include "firstboot/status_table.h"
#include "lib/fs.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define VOTERS "\"voters\":[\"a\",\"b\",\"c\"]"
static const char three[] =
	"{\"version\":1,\"nodes\":["
	"{\"name\":\"a\",\"answered\":true,\"state\":\"member\"," VOTERS ",\"progress\":"
	"{\"state\":\"ready\",\"elapsed_ms\":130000,\"step\":\"\",\"text\":\"\"}},"
	"{\"name\":\"b\",\"answered\":true,\"state\":\"joining\","
	"\"voters\":[\"a\"],\"learners\":[\"b\"],\"progress\":"
	"{\"state\":\"waiting\",\"elapsed_ms\":9000,\"step\":\"k3s\",\"text\":\"a learner\"}},"
	"{\"name\":\"c\",\"answered\":false,\"trouble\":\"\\u001b[2J no route\"}]}";

static char *rendered(const char *text, struct status_look look)
{
	_json_ struct json *j = NULL;
	struct str out = { 0 };
	struct fault f = { 0 };

	if (json_parse(text, strlen(text), &j, &f) < 0)
		fail_msg("%s", f.text);
	status_render(j, look, &out);
	return str_take(&out);
}

static void is_a_plain_table_without_colors(void **state)
{
	_free_ char *out = rendered(three, (struct status_look){ 0 });

	(void)state;
	assert_string_equal(out, "NODE  STATE      STEP  SINCE  VOTERS        WHAT\n"
				 "a     member     -     2m10s  a, b and c    -\n"
				 "b     joining    k3s   9s     a; learner b  a learner\n"
				 "c     no answer  -     -      -             ?[2J no route\n");
}

static void colors_the_state_and_keeps_the_columns(void **state)
{
	_free_ char *out = rendered(three, (struct status_look){ .colors = true });

	(void)state;
	assert_string_equal(
		out, "NODE  STATE      STEP  SINCE  VOTERS        WHAT\n"
		     "a     \033[32mmember\033[0m     -     2m10s  a, b and c    -\n"
		     "b     \033[33mjoining\033[0m    k3s   9s     a; learner b  a learner\n"
		     "c     \033[31mno answer\033[0m  -     -      -             ?[2J no route\n");
}

/* Green is what exit status 0 is made of, and nothing less. */
static void green_is_well_and_red_has_failed(void **state)
{
#define NODE(state, voters, progress)                                                   \
	"{\"nodes\":[{\"name\":\"a\",\"answered\":true,\"state\":\"" state "\"," voters \
	",\"progress\":{\"state\":\"" progress "\",\"step\":\"s\",\"text\":\"t\"}}]}"
	static const struct {
		const char *json, *color;
	} rows[] = {
		{ NODE("member", VOTERS, "ready"), "\033[32mmember" },
		{ NODE("member", "\"voters\":[\"a\",\"b\"]", "ready"), "\033[33mmember" },
		{ NODE("member", VOTERS, "working"), "\033[33mmember" },
		{ NODE("joining", VOTERS, "ready"), "\033[33mjoining" },
		{ NODE("member", VOTERS, "failed"), "\033[31mmember" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_free_ char *out = rendered(rows[i].json, (struct status_look){ .colors = true });

		if (!strstr(out, rows[i].color))
			fail_msg("%s", out);
	}
}

static void draws_over_what_was_there(void **state)
{
	_free_ char *plain = rendered(three, (struct status_look){ 0 }),
		    *over = rendered(three, (struct status_look){ .redraw = true });

	(void)state;
	assert_true(str_starts(over, "\033[H\033[J"));
	assert_string_equal(over + strlen("\033[H\033[J"), plain);
	assert_null(strchr(plain, '\033'));
}

static void wraps_at_the_width(void **state)
{
	static const char json[] = "{\"nodes\":[{\"name\":\"a\",\"answered\":false,\"trouble\":"
				   "\"one two three four five six "
				   "seven eight: `phoenix forget 0123456789`\"}]}";
	_free_ char *out = rendered(json, (struct status_look){ .width = 64 });

	(void)state;
	assert_string_equal(out, "NODE  STATE      STEP  SINCE  VOTERS  WHAT\n"
				 "a     no answer  -     -      -       one two three four five\n"
				 "                                      six seven eight: `phoenix\n"
				 "                                      forget 0123456789`\n");
}

static void looks_at_the_terminal_and_its_environment(void **state)
{
	_fd_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), tty = -1,
		 file = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	struct status_look look;

	(void)state;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		skip();
	tty = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(tty >= 0);
	assert_int_equal(ioctl(tty, TIOCSWINSZ, &size), 0);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	look = status_look(tty, true);
	assert_true(look.width == 80 && look.colors && look.redraw);
	assert_false(status_look(tty, false).redraw);
	/* without colours it still draws over */
	setenv("NO_COLOR", "1", 1);
	look = status_look(tty, true);
	assert_true(look.width == 80 && !look.colors && look.redraw);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	look = status_look(tty, true);
	assert_true(look.width == 80 && !look.colors && !look.redraw);
	setenv("TERM", "xterm", 1);
	look = status_look(file, true);
	assert_true(look.width == 0 && !look.colors && !look.redraw);
	fd_closep(&tty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_plain_table_without_colors),
		cmocka_unit_test(colors_the_state_and_keeps_the_columns),
		cmocka_unit_test(green_is_well_and_red_has_failed),
		cmocka_unit_test(draws_over_what_was_there),
		cmocka_unit_test(wraps_at_the_width),
		cmocka_unit_test(looks_at_the_terminal_and_its_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
