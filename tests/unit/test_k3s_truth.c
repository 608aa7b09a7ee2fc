/* What K3s's journal is taken to say. The journal is a file here: what journalctl itself does is
 * shown by the lab (31-bad-machine, 32-bad-token). */
#include "tests/unit/test.h"

#include "firstboot/k3s.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/phoenix-test-XXXXXX";

/* A journalctl that prints TEXT. */
static void journal(const char *text)
{
	_free_ char *path = mem_printf("%s/journalctl", dir);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fprintf(out, "#!/bin/sh\ncat <<'EOF'\n%s\nEOF\n", text);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

#define START "Starting k3s.service - K3s, started by phoenix-firstboot...\n"
#define REMOVED "fatal: This node has been removed from the cluster\n"
#define TOKEN "failed to bootstrap cluster data: not authorized\n"

static void the_last_complaint_counts(void **state)
{
	struct fault f = { 0 };

	(void)state;
	journal(START REMOVED TOKEN);
	assert_int_equal(k3s_trouble(&f), 1);
	assert_non_null(strstr(f.text, "refuses the token"));
}

/* Not by the time: between two starts the clock may be set back by hours. */
static void an_earlier_run_is_not_this_one(void **state)
{
	struct fault f = { 0 };

	(void)state;
	journal(START REMOVED START "all is well");
	assert_int_equal(k3s_trouble(&f), 0);
	journal(START "all is well\n" START REMOVED);
	assert_int_equal(k3s_trouble(&f), 1);
	assert_non_null(strstr(f.text, "was removed"));
}

/* The start is further back than what was read. */
static void a_long_run_is_read_from_its_end(void **state)
{
	struct fault f = { 0 };

	(void)state;
	journal("all is well\n" TOKEN);
	assert_int_equal(k3s_trouble(&f), 1);
	journal("");
	assert_int_equal(k3s_trouble(&f), 0);
}

static int setup(void **state)
{
	_free_ char *path = NULL;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	path = mem_printf("%s:%s", dir, getenv("PATH"));
	return setenv("PATH", path, 1);
}

static int teardown(void **state)
{
	_free_ char *path = mem_printf("%s/journalctl", dir);

	(void)state;
	unlink(path);
	return rmdir(dir);
}

/* "Starts" is not said for ever, and what is known stands behind it. */
static void who_is_not_ready_says_why_and_for_how_long(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(k3s_unready(0, "503", "", NULL, &f), -EAGAIN);
	assert_string_equal(f.text, "K3s starts: 503");
	k3s_unready(599999, "503", "no quorum", "the disk is full", &f);
	assert_string_equal(f.text,
			    "K3s starts: 503; not a voter yet: no quorum; the disk is full");
	k3s_unready(600000, "503", "", "the disk is full", &f);
	assert_string_equal(f.text, "K3s has not been ready for more than 10 minutes (journalctl "
				    "-u k3s tells more): 503; the disk is full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_not_ready_says_why_and_for_how_long),
		cmocka_unit_test(the_last_complaint_counts),
		cmocka_unit_test(an_earlier_run_is_not_this_one),
		cmocka_unit_test(a_long_run_is_read_from_its_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
