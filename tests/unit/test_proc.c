/* Other programs: their end, their words, and that none of them holds us. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/proc.h"
#include "lib/timer.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void captures(void **state)
{
	struct proc p = { .argv = SH("cat; echo words >&2; echo $X; exit 3"),
			  .input = "in",
			  .input_len = 2,
			  .env = (const char *const[]){ "X=env", NULL } };
	_proc_ struct proc_result r = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(proc_run(&p, &r, &f), 0);
	assert_int_equal(r.status, 3);
	assert_string_equal(str_text(&r.out), "inenv\n");
	assert_string_equal(str_text(&r.err), "words\n");
	assert_null(getenv("X"));
}

static void tells_missing_from_127(void **state)
{
	struct proc missing = { .argv = (const char *const[]){ "phoenix-no-such-program", NULL } },
		    script = { .argv = SH("exit 127") };
	_proc_ struct proc_result r = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(proc_run(&missing, &r, &f), -ENOENT);
	assert_non_null(strstr(f.text, "phoenix-no-such-program"));
	assert_int_equal(proc_run(&script, &r, &f), 0);
	assert_int_equal(r.status, 127);
	missing.argv = (const char *const[]){ "/dev/null", NULL };
	assert_int_equal(proc_run(&missing, &r, &f), -EACCES);
}

static void reports_signals(void **state)
{
	struct proc p = { .argv = SH("kill -TERM $$") };
	_proc_ struct proc_result r = { 0 };

	(void)state;
	assert_int_equal(proc_run(&p, &r, NULL), 0);
	assert_int_equal(r.status, 128 + SIGTERM);
}

/* The group dies with its leader, also a grandchild that ignores SIGTERM and SIGHUP. */
static void time_limit_kills_the_group(void **state)
{
	struct proc p = { .argv = SH("trap '' TERM HUP; sleep 60 & echo $!; wait"),
			  .timeout_ms = 300 };
	_proc_ struct proc_result r = { 0 };
	struct fault f = { 0 };
	int64_t before = timer_now();
	long pid;

	(void)state;
	assert_int_equal(proc_run(&p, &r, &f), -ETIMEDOUT);
	assert_in_range(timer_now() - before, 300, LATE);
	assert_int_equal(r.status, 128 + SIGKILL);
	assert_true(str_to_long(str_trim(r.out.p), 2, 1 << 30, &pid));
	for (int i = 0; i < 100; i++) {
		_free_ char *path = mem_printf("/proc/%ld/stat", pid);
		char text[256] = "", *state_at;
		FILE *in = fopen(path, "r");

		if (!in)
			return;
		if (!fgets(text, sizeof text, in))
			text[0] = 0;
		fclose(in);
		state_at = strrchr(text, ')');
		if (!state_at || state_at[2] == 'Z')
			return; /* dead; its new parent has not looked yet */
		timer_sleep(20);
	}
	fail_msg("the grandchild %ld lives", pid);
}

/* Ends although a grandchild keeps the output open, and although it writes without end. */
static void grandchildren_do_not_hold(void **state)
{
	struct proc quiet = { .argv = SH("sleep 5 & echo done"), .timeout_ms = 4000 };
	struct proc loud = {
		.argv = SH("(while :; do echo y; sleep 0.01; done) & echo $! >&2; exit 0"),
		.timeout_ms = 600
	};
	_proc_ struct proc_result r = { 0 }, l = { 0 };
	int64_t before = timer_now();
	long pid;

	(void)state;
	assert_int_equal(proc_run(&quiet, &r, NULL), 0);
	assert_string_equal(r.out.p, "done\n");
	assert_int_equal(proc_run(&loud, &l, NULL), 0);
	assert_in_range(timer_now() - before, 0, LATE);
	assert_true(str_to_long(str_trim(l.err.p), 2, 1 << 30, &pid));
	kill((pid_t)pid, SIGKILL);
}

static void limits_output(void **state)
{
	struct proc p = { .argv = SH("head -c 300000 /dev/zero; echo end >&2"),
			  .max_output = 1000 };
	_proc_ struct proc_result r = { 0 };

	(void)state;
	assert_int_equal(proc_run(&p, &r, NULL), 0);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.out.len, 1000);
	assert_string_equal(r.err.p, "end\n");
}

/* Programs that do not read their input; several threads, because signals belong to the process. */
static void *unread_input(void *user)
{
	_free_ char *big = mem_alloc(1 << 20);
	int *bad = user;

	for (int i = 0; i < 20; i++) {
		struct proc p = { .argv = SH("exec 0<&-; exit 4"),
				  .input = big,
				  .input_len = 1 << 20 };
		_proc_ struct proc_result r = { 0 };

		if (proc_run(&p, &r, NULL) != 0 || r.status != 4)
			__atomic_add_fetch(bad, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void bears_unread_input(void **state)
{
	pthread_t threads[4];
	sigset_t pending;
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, unread_input, &bad), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(bad, 0);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
}

static void passes_much_both_ways(void **state)
{
	_free_ char *big = mem_alloc(3 << 20);
	struct proc p = { .argv = (const char *const[]){ "cat", NULL },
			  .input = big,
			  .input_len = 3 << 20,
			  .max_output = 4 << 20 };
	_proc_ struct proc_result r = { 0 };

	(void)state;
	memset(big, 'x', 3 << 20);
	assert_int_equal(proc_run(&p, &r, NULL), 0);
	assert_int_equal(r.out.len, 3 << 20);
	assert_memory_equal(r.out.p, big, 3 << 20);
	proc_result_free(&r);
	p.input = "";
	p.input_len = 0;
	assert_int_equal(proc_run(&p, &r, NULL), 0);
	assert_int_equal(r.out.len, 0);
}

static void inherits_nothing(void **state)
{
	struct proc p = { .argv = SH("ls /proc/self/fd | wc -l; kill -PIPE $$") };
	int before;

	(void)state;
	close_range(3, ~0U, 0); /* what the test itself was started with */
	before = open_files();
	for (int i = 0; i < 5; i++) {
		_proc_ struct proc_result r = { 0 };

		assert_int_equal(proc_run(&p, &r, NULL), 0);
		assert_string_equal(r.out.p, "4\n"); /* 0, 1, 2 and the folder itself */
		assert_int_equal(r.status, 128 + SIGPIPE);
	}
	assert_int_equal(open_files(), before);
}

static void ok_wants_success(void **state)
{
	struct proc p = { .argv = SH("echo out; echo first >&2; echo 'last words' >&2; exit 9") };
	_str_ struct str out = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(proc_ok(&p, &out, &f), -EREMOTEIO);
	assert_non_null(strstr(f.text, "last words"));
	assert_non_null(strstr(f.text, "9"));
	assert_null(strstr(f.text, "first"));
	assert_int_equal(out.len, 0);
	p.argv = SH("echo out");
	str_add(&out, "+");
	assert_int_equal(proc_ok(&p, &out, &f), 0);
	assert_string_equal(out.p, "+out\n");
	assert_int_equal(proc_do(&f, "false", NULL), -EREMOTEIO);
	assert_non_null(strstr(f.text, "it said nothing"));
	assert_int_equal(proc_do(&f, "true", "a", "b", NULL), 0);
}

#define EIGHT "x", "x", "x", "x", "x", "x", "x", "x"
static void do_loses_no_argument(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(proc_do(&f, "true", EIGHT, EIGHT, EIGHT, EIGHT, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures),
		cmocka_unit_test(tells_missing_from_127),
		cmocka_unit_test(reports_signals),
		cmocka_unit_test(time_limit_kills_the_group),
		cmocka_unit_test(grandchildren_do_not_hold),
		cmocka_unit_test(limits_output),
		cmocka_unit_test(bears_unread_input),
		cmocka_unit_test(passes_much_both_ways),
		cmocka_unit_test(inherits_nothing),
		cmocka_unit_test(ok_wants_success),
		cmocka_unit_test(do_loses_no_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
