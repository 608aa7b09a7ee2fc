/* The engine on tables of its own: order, stop, plan, what is reported. */
#include "tests/unit/test.h"

#include "firstboot/engine.h"
#include "firstboot/paths.h"
#include "firstboot/progress.h"
#include "lib/console.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

static int state_of[3]; /* what check says; apply makes it 0 unless stuck */
static int applied[3];
static int apply_result[3];
static bool stuck;

static int check_n(struct boot *b, struct fault *f, int n)
{
	if (state_of[n] < 0)
		return fault_set(f, -state_of[n], "trouble %d", n);
	return state_of[n] ? step_needed(b, "thing %d is missing", n) : STEP_DONE;
}
static int apply_n(struct fault *f, int n)
{
	applied[n]++;
	if (apply_result[n] < 0)
		return fault_set(f, -apply_result[n], "no way %d", n);
	if (!stuck)
		state_of[n] = 0;
	return 0;
}
#define STEP_OF(n)                                            \
	static int check_##n(struct boot *b, struct fault *f) \
	{                                                     \
		return check_n(b, f, n);                      \
	}                                                     \
	static int apply_##n(struct boot *b, struct fault *f) \
	{                                                     \
		(void)b;                                      \
		return apply_n(f, n);                         \
	}
STEP_OF(0)
STEP_OF(1)
STEP_OF(2)

static const struct step table[] = { { "one", "first", false, check_0, apply_0 },
				     { "two", "second", true, check_1, apply_1 },
				     { "three", "third", false, check_2, apply_2 },
				     { 0 } };

struct fixture {
	struct boot boot;
	struct step_result results[3];
	struct engine engine;
	int reports;
};

static void count(void *user, const struct engine *e, size_t i)
{
	(void)e, (void)i;
	((struct fixture *)user)->reports++;
}

static void begin(struct fixture *x, int a, int b, int c)
{
	*x = (struct fixture){ .boot.live = true };
	x->engine = (struct engine){ .boot = &x->boot,
				     .steps = table,
				     .results = x->results,
				     .n = engine_count(table),
				     .report = count,
				     .user = x };
	state_of[0] = a, state_of[1] = b, state_of[2] = c;
	memset(applied, 0, sizeof applied);
	memset(apply_result, 0, sizeof apply_result);
	stuck = false;
}

static void all_is_done_in_order(void **state)
{
	struct fixture x;
	struct fault f = { 0 };
	int reports;

	(void)state;
	begin(&x, 1, 0, 1);
	assert_int_equal(engine_pass(&x.engine, &f), 0);
	assert_int_equal(x.results[0].state, STATE_CHANGED);
	assert_int_equal(x.results[1].state, STATE_DONE);
	assert_int_equal(x.results[2].state, STATE_CHANGED);
	assert_int_equal(x.results[0].changes, 1);
	assert_int_equal(engine_pass(&x.engine, &f), 0);
	assert_int_equal(x.results[0].state, STATE_DONE);
	assert_int_equal(x.results[0].changes, 1);
	assert_int_equal(applied[0], 1);
	/* a third pass finds the same and says nothing */
	reports = x.reports;
	assert_int_equal(engine_pass(&x.engine, &f), 0);
	assert_int_equal(x.reports, reports);
}

static void the_first_that_fails_stops_the_rest(void **state)
{
	struct fixture x;
	struct fault f = { 0 };

	(void)state;
	begin(&x, 0, 1, 1);
	apply_result[1] = -EACCES;
	assert_int_equal(engine_pass(&x.engine, &f), -EACCES);
	assert_string_equal(f.text, "two: no way 1");
	assert_int_equal(x.results[1].state, STATE_FAILED);
	assert_int_equal(x.results[2].state, STATE_PENDING);
	assert_int_equal(applied[2], 0);
	begin(&x, 0, -EAGAIN, 1);
	assert_int_equal(engine_pass(&x.engine, &f), -EAGAIN);
	assert_int_equal(x.results[1].state, STATE_WAITING);
	assert_string_equal(x.results[1].text, "trouble 1");
	assert_int_equal(applied[1] + applied[2], 0);
}

static void done_but_still_needed_is_an_error(void **state)
{
	struct fixture x;
	struct fault f = { 0 };

	(void)state;
	begin(&x, 1, 0, 0);
	stuck = true;
	assert_int_equal(engine_pass(&x.engine, &f), -EIO);
	assert_string_equal(x.results[0].text, "it was done, and still: thing 0 is missing");
}

static void a_later_failure_makes_what_follows_pending_again(void **state)
{
	struct fixture x;
	struct fault f = { 0 };

	(void)state;
	begin(&x, 0, 0, 0);
	assert_int_equal(engine_pass(&x.engine, &f), 0);
	state_of[0] = -EROFS;
	assert_int_equal(engine_pass(&x.engine, &f), -EROFS);
	assert_int_equal(x.results[2].state, STATE_PENDING);
}

static void a_plan_changes_nothing_and_goes_on(void **state)
{
	struct fixture x;
	struct seed seed = { 0 };
	struct fault f = { 0 };

	(void)state;
	begin(&x, 1, -EPERM, 1);
	x.boot.plan = true;
	x.boot.seed = &seed;
	assert_int_equal(engine_pass(&x.engine, &f), -EPERM);
	assert_int_equal(x.results[0].state, STATE_NEEDED);
	assert_string_equal(x.results[0].text, "thing 0 is missing");
	assert_int_equal(x.results[1].state, STATE_FAILED);
	assert_int_equal(x.results[2].state, STATE_NEEDED);
	assert_int_equal(applied[0] + applied[1] + applied[2], 0);
	begin(&x, 1, 0, 0);
	x.boot.plan = true;
	x.boot.seed = &seed;
	assert_int_equal(engine_pass(&x.engine, &f), 1);
	/* without a seed nothing after the first can be looked at */
	begin(&x, -ENOENT, 1, 1);
	x.boot.plan = true;
	assert_int_equal(engine_pass(&x.engine, &f), -ENOENT);
	assert_int_equal(x.results[1].state, STATE_PENDING);
}

static void steps_of_the_running_machine_are_skipped_by_name(void **state)
{
	struct fixture x;
	struct fault f = { 0 };

	(void)state;
	begin(&x, 1, 1, 1);
	x.boot.live = false;
	assert_int_equal(engine_pass(&x.engine, &f), 0);
	assert_int_equal(x.results[1].state, STATE_SKIPPED);
	assert_int_equal(applied[1], 0);
	assert_int_equal(engine_step(&x.engine, "nonsense", &f), -ENOENT);
}

static void notes_are_sentences_and_end_in_time(void **state)
{
	struct boot b = { 0 };

	(void)state;
	step_note(&b, "a");
	step_note(&b, "b %d", 2);
	assert_string_equal(b.note, "a; b 2");
	for (int i = 0; i < 200; i++)
		step_note(&b, "a longer sentence %d", i);
	assert_int_equal(strlen(b.note), sizeof b.note - 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void the_status_file_says_what_the_whole_is_at(void **state)
{
	char dir[] = "/tmp/phoenix-test-XXXXXX";
	_fs_ struct fs fs = { .fd = -1 };
	struct progress p = { .fs = &fs };
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;
	struct fault f = { 0 };
	struct fixture x;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(fs_open(&fs, dir, &f), 0);
	begin(&x, 1, -EAGAIN, 1);
	x.engine.report = progress_report;
	x.engine.user = &p;
	engine_pass(&x.engine, &f);
	assert_int_equal(fs_read(&fs, STATUS_FILE, 65536, &text, &f), 0);
	assert_int_equal(json_parse(text.p, text.len, &j, &f), 0);
	assert_int_equal(json_int(j, "version", 0), 1);
	assert_string_equal(json_str(j, "state"), "waiting");
	assert_string_equal(json_str(j, "step"), "two");
	assert_string_equal(json_str(j, "text"), "trouble 1");
	assert_int_equal(json_len(json_get(j, "steps", NULL)), 3);
	assert_string_equal(json_str(json_at(json_get(j, "steps", NULL), 0), "state"), "changed");
	progress_set(&p, &x.engine, "stopping", NULL, "by hand");
	str_reset(&text);
	assert_int_equal(fs_read(&fs, STATUS_FILE, 65536, &text, &f), 0);
	assert_non_null(strstr(text.p, "\"stopping\""));
	progress_free(&p);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char sentence[900];

static int check_long(struct boot *b, struct fault *f)
{
	(void)b;
	return fault_set(f, EAGAIN, "%s", sentence);
}

/* The console of an engine whose only step waits for what `sentence' says. */
struct watched {
	struct fixture x;
	struct progress p;
	struct fs fs;
	char dir[32], *path, line[2048];
	int console;
};

static void watch(struct watched *w)
{
	static const struct step waits[] = { { "waits", "waits", false, check_long, check_long },
					     { 0 } };
	struct fault f = { 0 };

	*w = (struct watched){ .p = { .fs = &w->fs }, .fs = { .fd = -1 } };
	snprintf(w->dir, sizeof w->dir, "/tmp/phoenix-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(fs_open(&w->fs, w->dir, &f), 0);
	w->path = mem_printf("%s/console", w->dir);
	assert_int_equal(mkfifo(w->path, 0600), 0);
	w->console = open(w->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	begin(&w->x, 0, 0, 0);
	w->x.engine.steps = waits;
	w->x.engine.n = 1;
	w->x.engine.report = progress_report;
	w->x.engine.user = &w->p;
}

/* What a pass writes. */
static const char *pass_says(struct watched *w)
{
	struct fault f = { 0 };
	ssize_t n;

	console_path = w->path;
	assert_int_equal(engine_pass(&w->x.engine, &f), -EAGAIN);
	console_path = "/dev/null";
	n = read(w->console, w->line, sizeof w->line - 1);
	w->line[n > 0 ? n : 0] = 0;
	return w->line;
}

static void watch_end(struct watched *w)
{
	progress_free(&w->p);
	fs_close(&w->fs);
	fd_closep(&w->console);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w->path);
}

/* The command that a person is to type stands at the end of a sentence. */
static void the_console_gets_the_whole_sentence(void **state)
{
	_free_ char *expected = NULL;
	struct watched w;

	(void)state;
	watch(&w);
	memset(sentence, 'x', sizeof sentence - 1);
	memcpy(sentence + sizeof sentence - 8, "`word`.", 7);
	expected = mem_printf("phoenix: [1/1] waits: waiting: %s\r\n", sentence);
	assert_string_equal(pass_says(&w), expected);
	watch_end(&w);
}

static void a_wait_is_one_line(void **state)
{
	struct watched w;

	(void)state;
	watch(&w);
	snprintf(sentence, sizeof sentence, "waits for b [b: no answer]");
	assert_string_equal(pass_says(&w),
			    "phoenix: [1/1] waits: waiting: waits for b [b: no answer]\r\n");
	snprintf(sentence, sizeof sentence, "waits for b [b: no route]");
	assert_string_equal(pass_says(&w), "");
	assert_string_equal(w.x.engine.results[0].text, "waits for b [b: no route]");
	snprintf(sentence, sizeof sentence, "waits for c [c: no route]");
	assert_string_equal(pass_says(&w),
			    "phoenix: [1/1] waits: waiting: waits for c [c: no route]\r\n");
	watch_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_done_in_order),
		cmocka_unit_test(the_first_that_fails_stops_the_rest),
		cmocka_unit_test(done_but_still_needed_is_an_error),
		cmocka_unit_test(a_later_failure_makes_what_follows_pending_again),
		cmocka_unit_test(a_plan_changes_nothing_and_goes_on),
		cmocka_unit_test(steps_of_the_running_machine_are_skipped_by_name),
		cmocka_unit_test(notes_are_sentences_and_end_in_time),
		cmocka_unit_test(the_status_file_says_what_the_whole_is_at),
		cmocka_unit_test(the_console_gets_the_whole_sentence),
		cmocka_unit_test(a_wait_is_one_line),
	};

	console_path = "/dev/null";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
