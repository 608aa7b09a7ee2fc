/* When may a node leave the cluster for a while? Each part of the rule is taken away in turn. */
#include "tests/unit/test.h"

#include "firstboot/turn.h"

#include <errno.h>

#define NODE(name, state, id, generation, voters, progress)                                       \
	"{\"name\":\"" name "\",\"answered\":true,\"state\":\"" state "\",\"id\":\"" id           \
	"\",\"generation\":" generation ",\"voters\":[" voters "],\"learners\":[],\"progress\":{" \
	"\"state\":\"" progress "\"}}"
#define VOTERS "\"a\",\"b\",\"c\""
#define WELL(name) NODE(name, "member", "11", "1", VOTERS, "ready")
#define STATUS(nodes) "{\"version\":1,\"nodes\":[" nodes "]}"

static int allowed(const char *text, struct fault *f)
{
	_json_ struct json *j = NULL;

	if (json_parse(text, strlen(text), &j, f) < 0)
		fail_msg("%s", f->text);
	return turn_allowed(j, f);
}

static void three_healthy_voters_are_needed(void **state)
{
	static const struct {
		const char *status, *says;
	} rows[] = {
		{ STATUS(WELL("a") "," WELL("b") "," WELL("c")), NULL },
		/* the node itself counts as the others do */
		{ STATUS(NODE("a", "member", "11", "1", VOTERS,
			      "failed") "," WELL("b") "," WELL("c")),
		  "a is not well" },
		{ STATUS(WELL("a") "," WELL("b") ",{\"name\":\"c\",\"answered\":false}"),
		  "c is not well" },
		{ STATUS(WELL("a") "," NODE("b", "joining", "11", "1", VOTERS,
					    "ready") "," WELL("c")),
		  "b is not well" },
		{ STATUS(WELL("a") "," NODE("b", "member", "11", "1", VOTERS,
					    "waiting") "," WELL("c")),
		  "b is not well" },
		/* one of them sees two voters only: so it is when a fellow is just being re-joined */
		{ STATUS(WELL("a") "," WELL("b") "," NODE("c", "member", "11", "1", "\"a\",\"b\"",
							  "ready")),
		  "c is not well" },
		{ STATUS(WELL("a") "," WELL("b") "," NODE("c", "member", "22", "1", VOTERS,
							  "ready")),
		  "a and c are not of the same cluster" },
		{ STATUS(WELL("a") "," NODE("b", "member", "11", "2", VOTERS,
					    "ready") "," WELL("c")),
		  "a and b are not of the same cluster" },
		{ STATUS(WELL("a") "," WELL("b")), "does not tell of three nodes" },
		{ STATUS(""), "does not tell of three nodes" },
		{ "{}", "does not tell of three nodes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { 0 };
		int r = allowed(rows[i].status, &f);

		if (!rows[i].says && r < 0)
			fail_msg("row %zu: %s", i, f.text);
		if (rows[i].says && (r != -EPERM || !strstr(f.text, rows[i].says)))
			fail_msg("row %zu: %d, %s", i, r, f.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(three_healthy_voters_are_needed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
