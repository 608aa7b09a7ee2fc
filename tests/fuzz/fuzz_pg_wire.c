/* What another database pod asks and answers: what is believed comes back as it was said, and no sum
 * of it leaves its range. */
#include "phoenix-job/pg_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(struct pg_place p)
{
	if (p.term < 0 || p.term > PG_TERM_MAX || p.recorded < 0 || p.recorded > PG_NUMBER_MAX ||
	    p.position > INT64_MAX)
		abort();
}

/* Printed, parsed and printed again it is the same. */
static void question(const char *text, size_t len)
{
	_str_ struct str once = { 0 }, twice = { 0 };
	struct pg_ask q;

	if (pg_ask_parse(text, len, 1, &q, &(struct fault){ 0 }) < 0)
		return;
	check_place(q.place);
	check_place(q.record.place);
	if (q.from != 1 || q.term < 0 || q.term > PG_TERM_MAX ||
	    strnlen(q.holder, sizeof q.holder) == sizeof q.holder)
		abort();
	pg_ask_print(&q, &once);
	if (pg_ask_parse(once.p, once.len, 1, &q, &(struct fault){ 0 }) < 0)
		abort();
	pg_ask_print(&q, &twice);
	if (!str_eq(once.p, twice.p))
		abort();
}

static void answer(const char *text, size_t len)
{
	_str_ struct str once = { 0 }, twice = { 0 };
	struct pg_said s;

	if (pg_said_parse(text, len, &s, &(struct fault){ 0 }) < 0)
		return;
	check_place(s.answer.place);
	if (s.answer.term < 0 || s.answer.term > PG_TERM_MAX ||
	    strnlen(s.system, sizeof s.system) == sizeof s.system)
		abort();
	pg_said_print(&s, &once);
	if (pg_said_parse(once.p, once.len, &s, &(struct fault){ 0 }) < 0)
		abort();
	pg_said_print(&s, &twice);
	if (!str_eq(once.p, twice.p))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	question((const char *)data, size);
	answer((const char *)data, size);
	return 0;
}
