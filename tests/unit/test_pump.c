/* Every piece once, in order, whichever side is slower; and an end that never hangs. */
#include "tests/unit/test.h"

#include "image/pump.h"
#include "lib/str.h"

#include <errno.h>
#include <unistd.h>

struct script {
	size_t pieces, made;
	size_t last;   /* bytes of the last piece */
	int fails;     /* -errno instead of the end */
	useconds_t us; /* how long a piece takes */
};

static ssize_t produce(void *user, void *buf, size_t n, struct fault *f)
{
	struct script *s = user;

	usleep(s->us);
	if (s->made == s->pieces)
		return s->fails ? fault_set(f, -s->fails, "the stick was pulled") : 0;
	s->made++;
	memset(buf, (int)s->made, n);
	return s->made == s->pieces ? (ssize_t)s->last : (ssize_t)n;
}

static void goes_through(struct script s, useconds_t us)
{
	_pump_ struct pump *p = pump_new(produce, &s);
	struct fault f = { 0 };
	unsigned char *buf;
	void *at;

	for (size_t i = 1; i <= s.pieces; i++) {
		ssize_t n = pump_next(p, &at, &f);

		buf = at;
		assert_int_equal(n, i == s.pieces ? s.last : PUMP_PIECE);
		usleep(us); /* it stays what it is while it is looked at */
		assert_int_equal(buf[0], i);
		assert_int_equal(buf[n - 1], i);
		assert_int_equal((uintptr_t)at % 4096, 0);
	}
	assert_int_equal(pump_next(p, &at, &f), s.fails);
	assert_int_equal(pump_next(p, &at, &f), s.fails);
	if (s.fails)
		assert_string_equal(f.text, "the stick was pulled");
}

static void test_in_order(void **state)
{
	(void)state;
	goes_through((struct script){ .pieces = 20, .last = 512 }, 0);
	goes_through((struct script){ .pieces = 9, .last = PUMP_PIECE, .us = 3000 }, 0);
	goes_through((struct script){ .pieces = 9, .last = 1 }, 3000);
	goes_through((struct script){ .pieces = 0 }, 0);
	goes_through((struct script){ .pieces = 4, .last = 7, .fails = -EIO }, 0);
}

/* Whoever stops early, because the disk is full, does not wait for ever. */
static void test_left_early(void **state)
{
	struct script s = { .pieces = 100, .last = 1 };
	void *at;

	(void)state;
	for (size_t taken = 0; taken < 5; taken++) {
		_pump_ struct pump *p = pump_new(produce, &s);

		for (size_t i = 0; i < taken; i++)
			assert_true(pump_next(p, &at, NULL) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_left_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
