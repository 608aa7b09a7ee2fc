/* See progress.h. */
#include "firstboot/progress.h"

#include "firstboot/paths.h"
#include "lib/console.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/timer.h"

#include <stdio.h>

void progress_free(struct progress *p)
{
	str_free(&p->head);
	str_free(&p->written);
	str_free(&p->said);
}

/* What the whole is at: the daemon's word, or the first step that is not done. */
struct head {
	const char *state, *step, *text;
};

static bool is_past(const struct step_result *r)
{
	return r->state == STATE_DONE || r->state == STATE_CHANGED || r->state == STATE_SKIPPED;
}

static struct head head_of(const struct progress *p, const struct engine *e)
{
	struct head h = { .state = "working" };
	size_t i = 0;

	if (p->state)
		return (struct head){ p->state, p->step, p->text };
	while (i < e->n && is_past(&e->results[i]))
		i++;
	if (i == e->n)
		return (struct head){ "ready", "", "" };
	if (e->results[i].state == STATE_WAITING || e->results[i].state == STATE_FAILED)
		h.state = step_state_name(e->results[i].state);
	h.step = e->steps[i].name;
	h.text = e->results[i].text;
	return h;
}

/* Notes when state, step or text of the whole became what they are. True: just now. */
static bool refresh_head(struct progress *p, const struct engine *e)
{
	struct head h = head_of(p, e);
	_str_ struct str head = { 0 };

	str_addf(&head, "%s%s%s%s%s", h.state, *h.step ? ": " : "", h.step, *h.text ? ": " : "",
		 h.text);
	if (str_eq(str_text(&head), str_text(&p->head)))
		return false;
	str_free(&p->head);
	p->head = head;
	head = (struct str){ 0 };
	p->since = timer_now();
	return true;
}

static struct json *steps_json(const struct engine *e)
{
	struct json *list = json_array();

	for (size_t i = 0; i < e->n; i++) {
		struct json *one = json_object();

		json_set_str(one, "name", e->steps[i].name);
		json_set_str(one, "state", step_state_name(e->results[i].state));
		json_set_str(one, "text", e->results[i].text);
		json_set_int(one, "ms", e->results[i].ms);
		json_set_int(one, "tries", e->results[i].tries);
		json_push(list, one);
	}
	return list;
}

struct json *progress_json(struct progress *p, const struct engine *e)
{
	struct head h = head_of(p, e);
	const struct boot *b = e->boot;
	struct json *j = json_object();

	refresh_head(p, e);
	json_set_int(j, "version", 1);
	json_set_str(j, "node", b->seed ? boot_node(b)->name : NULL);
	json_set_str(j, "state", h.state);
	json_set_str(j, "step", h.step);
	json_set_str(j, "text", h.text);
	json_set_int(j, "since_ms", p->since);
	json_set(j, "steps", steps_json(e));
	return j;
}

/* A status that cannot be written must not stop a boot: the journal has it all the same. */
static void write_status(struct progress *p, const struct engine *e)
{
	_json_ struct json *j = progress_json(p, e);
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	json_print(j, 2, &text);
	str_add(&text, "\n");
	if (str_eq(str_text(&text), str_text(&p->written)))
		return;
	if (fs_write(p->fs, STATUS_FILE, 0644, text.p, text.len, &f) < 0)
		log_warn("status: %s", f.text);
	str_free(&p->written);
	p->written = text;
	text = (struct str){ 0 };
}

/* What is being done speaks for itself; of the other states the name comes first. */
static void line_of(const struct engine *e, size_t i, char *line, size_t size)
{
	const struct step_result *r = &e->results[i];
	bool bare = r->state == STATE_WORKING && *r->text;

	snprintf(line, size, "[%zu/%zu] %s: %s%s%s", i + 1, e->n, e->steps[i].name,
		 bare ? "" : step_state_name(r->state), bare || !*r->text ? "" : ": ", r->text);
}

/* A peer that is switched off is now "no answer", now "no route": that is one wait, and not a line
 * for each try. The details, in brackets at the end, are in STATUS_FILE. */
static bool is_said(struct progress *p, const char *line)
{
	const char *details = strstr(line, " [");
	_str_ struct str now = { 0 };

	str_add_n(&now, line, details ? (size_t)(details - line) : strlen(line));
	if (str_eq(str_text(&now), str_text(&p->said)))
		return true;
	str_free(&p->said);
	p->said = now;
	now = (struct str){ 0 };
	return false;
}

static void say(struct progress *p, const struct engine *e, size_t i)
{
	const struct step_result *r = &e->results[i];
	enum log_level level = LOG_LEVEL_INFO;
	char line[CONSOLE_LINE_MAX];

	if (r->state == STATE_PENDING)
		return;
	if (r->state == STATE_FAILED)
		level = LOG_LEVEL_ERROR;
	else if ((r->state == STATE_DONE || r->state == STATE_CHANGED) && *r->text)
		level = LOG_LEVEL_WARN;
	line_of(e, i, line, sizeof line);
	if (is_said(p, line))
		return;
	log_at(level, "%s", line);
	if (r->state != STATE_DONE && r->state != STATE_SKIPPED && !console_say(line))
		log_debug("the console takes nothing");
}

static void tell(struct progress *p, const struct engine *e)
{
	if (refresh_head(p, e))
		notify_status("%s", str_text(&p->head));
	write_status(p, e);
}

void progress_report(void *user, const struct engine *e, size_t i)
{
	struct progress *p = user;

	p->state = NULL;
	say(p, e, i);
	tell(p, e);
}

void progress_set(struct progress *p, const struct engine *e, const char *state, const char *step,
		  const char *text)
{
	p->state = state;
	snprintf(p->step, sizeof p->step, "%s", step ? step : "");
	snprintf(p->text, sizeof p->text, "%s", text ? text : "");
	tell(p, e);
}
