/* See engine.h. */
#include "firstboot/engine.h"

#include "lib/timer.h"

#include <errno.h>
#include <stdio.h>

int step_needed(struct boot *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, sizeof b->why, fmt, ap);
	va_end(ap);
	return STEP_NEEDED;
}

void step_note(struct boot *b, const char *fmt, ...)
{
	size_t len = strlen(b->note);
	va_list ap;

	if (len)
		len += (size_t)snprintf(b->note + len, sizeof b->note - len, "; ");
	if (len >= sizeof b->note)
		return;
	va_start(ap, fmt);
	vsnprintf(b->note + len, sizeof b->note - len, fmt, ap);
	va_end(ap);
}

bool step_file_is(const struct boot *b, const char *path, mode_t mode, const char *text)
{
	_secret_ struct str now = { 0 };
	struct stat st;

	return fs_stat(&b->fs, path, &st, NULL) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & 07777) == mode &&
	       fs_read(&b->fs, path, strlen(text) + 1, &now, NULL) == 0 &&
	       str_eq(str_text(&now), text);
}

const char *step_state_name(enum step_state s)
{
	static const char *const names[] = {
		[STATE_PENDING] = "pending", [STATE_WORKING] = "working",
		[STATE_DONE] = "done",	     [STATE_CHANGED] = "changed",
		[STATE_NEEDED] = "needed",   [STATE_WAITING] = "waiting",
		[STATE_FAILED] = "failed",   [STATE_SKIPPED] = "skipped",
	};

	return names[s];
}

size_t engine_count(const struct step *table)
{
	size_t n = 0;

	while (table[n].name)
		n++;
	return n;
}

static void set(struct engine *e, size_t i, enum step_state state, const char *text)
{
	struct step_result *r = &e->results[i];

	if (r->state == state && str_eq(r->text, text))
		return;
	r->state = state;
	snprintf(r->text, sizeof r->text, "%s", text);
	if (e->report)
		e->report(e->user, e, i);
}

static int check(struct engine *e, size_t i, struct fault *f)
{
	struct boot *b = e->boot;
	int r;

	b->why[0] = b->note[0] = 0;
	fault_clear(f);
	r = e->steps[i].check(b, f);
	if (r < 0 && !f->code)
		fault_set(f, -r, "%s", strerror(-r));
	return r;
}

static int ended(struct engine *e, size_t i, int r, struct fault *f)
{
	set(e, i, r == -EAGAIN ? STATE_WAITING : STATE_FAILED, f->text);
	fault_wrap(f, "%s", e->steps[i].name);
	return r;
}

/* Check, apply, check. Still needed afterwards is an error: the step believed it had done it. */
static int run(struct engine *e, size_t i, struct fault *f)
{
	const struct step *s = &e->steps[i];
	struct boot *b = e->boot;
	char said[sizeof b->note];
	int r = check(e, i, f);

	if (r < 0)
		return ended(e, i, r, f);
	if (r == STEP_DONE) {
		set(e, i, STATE_DONE, b->note);
		return 0;
	}
	if (b->plan) {
		set(e, i, STATE_NEEDED, b->why);
		return STEP_NEEDED;
	}
	/* a step that is tried again keeps saying what it waits for until that changes */
	if (e->results[i].state != STATE_WAITING && e->results[i].state != STATE_FAILED)
		set(e, i, STATE_WORKING, b->why);
	e->results[i].tries++;
	fault_clear(f);
	b->note[0] = 0;
	r = s->apply(b, f);
	memcpy(said, b->note, sizeof said); /* the check below begins anew */
	if (r < 0) {
		if (!f->code)
			fault_set(f, -r, "%s", strerror(-r));
		return ended(e, i, r, f);
	}
	r = check(e, i, f);
	if (r < 0)
		return ended(e, i, r, f);
	if (r == STEP_NEEDED) {
		fault_set(f, EIO, "it was done, and still: %s", b->why);
		return ended(e, i, -EIO, f);
	}
	e->results[i].changes++;
	if (*said)
		step_note(b, "%s", said);
	set(e, i, STATE_CHANGED, b->note);
	return 0;
}

static int one(struct engine *e, size_t i, struct fault *f)
{
	int64_t start = timer_now();
	struct fault local = { 0 };
	int r;

	if (e->steps[i].live_only && !e->boot->live) {
		set(e, i, STATE_SKIPPED, "only on the running machine");
		return 0;
	}
	r = run(e, i, &local);
	e->results[i].ms += timer_now() - start;
	if (r < 0 && f)
		*f = local;
	return r;
}

int engine_pass(struct engine *e, struct fault *f)
{
	struct fault later;
	int first = 0;

	for (size_t i = 0; i < e->n; i++) {
		int r = one(e, i, first < 0 ? &later : f);

		if (r != 0 && (first == 0 || (first > 0 && r < 0)))
			first = r;
		if (r < 0 && (!e->boot->plan || !e->boot->seed)) {
			for (size_t k = i + 1; k < e->n; k++)
				set(e, k, STATE_PENDING, "");
			return r;
		}
	}
	return first;
}

int engine_step(struct engine *e, const char *name, struct fault *f)
{
	for (size_t i = 0; i < e->n; i++)
		if (str_eq(e->steps[i].name, name))
			return one(e, i, f);
	return fault_set(f, ENOENT, "there is no step %s", name);
}
