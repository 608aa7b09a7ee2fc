/* The Lease as a lock: two holders against one object with compare-and-swap, lost answers,
 * deletion. */
#include "tests/unit/test.h"

#include "lib/kube_internal.h"
#include "lib/lease.h"
#include "lib/timer.h"
#include "tests/unit/stub.h"

/* One Lease object in memory, as the API keeps it. */
struct store {
	struct json *object; /* NULL: absent */
	int version;
	int lose;   /* writes that are done but not answered */
	int drop;   /* writes that are neither */
	int fail;   /* writes answered by 500 without being done */
	int meddle; /* somebody annotates between the read and the write, so often */
	int writes;
};

static void store_put(struct store *st, const char *text, size_t len)
{
	struct json *j = NULL;
	const struct json *meta;
	struct json *copy;
	_free_ char *version = mem_printf("%d", ++st->version);

	STUB_MUST(json_parse(text, len, &j, NULL) == 0);
	meta = json_get(j, "metadata", NULL);
	copy = json_copy(meta);
	json_set_str(copy, "resourceVersion", version);
	json_set(j, "metadata", copy);
	json_freep(&st->object);
	st->object = j;
}

static void store_answer(const struct store *st, struct str *out)
{
	_str_ struct str text = { 0 };

	json_print(st->object, 0, &text);
	stub_answer(out, 200, text.p);
}

static enum stub_then serve_write(struct store *st, const struct stub_request *rq, struct str *out)
{
	_json_ struct json *j = NULL;

	st->writes++;
	if (st->drop-- > 0)
		return STUB_SILENT;
	if (st->fail-- > 0) {
		stub_answer(out, 500, "{\"message\":\"etcdserver: leader changed\"}");
		return STUB_KEEP;
	}
	STUB_MUST(json_parse(rq->body, rq->body_len, &j, NULL) == 0);
	if (st->meddle-- > 0)
		st->version++;
	if (str_eq(rq->method, "POST") && st->object) {
		stub_answer(out, 409, "{\"reason\":\"AlreadyExists\",\"message\":\"there\"}");
		return STUB_KEEP;
	}
	if (str_eq(rq->method, "PUT") &&
	    (!st->object || atoi(kube_meta(j, "resourceVersion")) != st->version)) {
		if (st->object) { /* what the meddler wrote */
			_str_ struct str text = { 0 };

			json_print(st->object, 0, &text);
			store_put(st, text.p, text.len);
		}
		stub_answer(out, st->object ? 409 : 404,
			    "{\"reason\":\"Conflict\",\"message\":\"changed\"}");
		return STUB_KEEP;
	}
	store_put(st, rq->body, rq->body_len);
	if (st->lose-- > 0)
		return STUB_SILENT;
	store_answer(st, out);
	return STUB_KEEP;
}

static enum stub_then serve(struct stub *s, const struct stub_request *rq, struct str *out)
{
	struct store *st = s->user;

	if (!str_eq(rq->method, "GET"))
		return serve_write(st, rq, out);
	if (!st->object)
		stub_answer(out, 404, "{\"message\":\"not found\"}");
	else
		store_answer(st, out);
	return STUB_KEEP;
}

struct world {
	struct store store;
	struct stub stub;
	struct kube *k;
	struct lease a, b;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof *w);
	struct kube_config c = { .timeout_ms = 300 };

	w->stub = (struct stub){ .handler = serve, .user = &w->store };
	stub_start(&w->stub);
	strv_add(&c.servers, w->stub.url);
	assert_int_equal(kube_new(&c, &w->k, NULL), 0);
	strv_free(&c.servers);
	w->a = (struct lease){ .ns = "db", .name = "postgres", .holder = "a", .duration_ms = 1000 };
	w->b = w->a;
	w->b.holder = "b";
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kube_freep(&w->k);
	stub_stop(&w->stub);
	json_freep(&w->store.object);
	free(w);
	return 0;
}

/* Until L has it; how long that took. */
static int64_t acquire(struct world *w, struct lease *l)
{
	int64_t began = timer_now();

	while (lease_acquire(l, w->k, NULL, NULL) != 1) {
		assert_true(timer_now() - began < 5000);
		timer_sleep(20);
	}
	return timer_now() - began;
}

static const struct json *spec(const struct world *w)
{
	return json_get(w->store.object, "spec", NULL);
}

/* Absence is watched for as long as a holder could live: it may have been deleted under his feet.
 */
static void test_first(void **state)
{
	struct world *w = *state;
	_str_ struct str holder = { 0 };

	assert_false(lease_held(&w->a));
	assert_int_equal(lease_look(&w->b, w->k, NULL, NULL), 1);
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL), 1);
	assert_true(lease_held(&w->a));
	assert_int_equal(w->a.transitions, 1);
	assert_string_equal(json_str(spec(w), "holderIdentity"), "a");
	assert_int_equal(json_int(spec(w), "leaseDurationSeconds", 0), 1);
	assert_int_equal(strlen(json_str(spec(w), "renewTime")),
			 strlen("2026-01-01T00:00:00.000000Z"));
	assert_int_equal(lease_acquire(&w->b, w->k, &holder, NULL), 0);
	assert_string_equal(str_text(&holder), "a");
	assert_false(lease_held(&w->b));
}

static void test_renew_and_expire(void **state)
{
	struct world *w = *state;
	_free_ char *acquired = NULL;
	int64_t until, renewed;

	acquire(w, &w->a);
	acquired = mem_strdup(json_str(spec(w), "acquireTime"));
	for (int i = 0; i < 8; i++) {
		timer_sleep(200);
		renewed = timer_now();
		assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL), 1);
		assert_true(w->a.held_until >= renewed + 1000);
		assert_int_equal(lease_acquire(&w->b, w->k, NULL, NULL), 0);
	}
	assert_string_equal(json_str(spec(w), "acquireTime"), acquired);
	assert_int_equal(w->a.transitions, 1);
	until = w->a.held_until;
	acquire(w, &w->b);
	/* nobody took what a still believed to hold */
	assert_true(w->b.held_until - 1000 >= until);
	assert_false(lease_held(&w->a));
	assert_int_equal(w->b.transitions, 2);
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL), 0);
}

static void test_release(void **state)
{
	struct world *w = *state;

	acquire(w, &w->a);
	assert_int_equal(lease_look(&w->b, w->k, NULL, NULL), 0);
	assert_int_equal(lease_release(&w->b, w->k, NULL), 0); /* not his: nothing happens */
	assert_string_equal(json_str(spec(w), "holderIdentity"), "a");
	w->store.meddle = 1;
	assert_int_equal(lease_release(&w->a, w->k, NULL), 0);
	assert_false(lease_held(&w->a));
	assert_int_equal(lease_look(&w->b, w->k, NULL, NULL), 1);
	assert_int_equal(lease_acquire(&w->b, w->k, NULL, NULL), 1);
	assert_int_equal(w->b.transitions, 2);
}

static void test_lost_answers(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };
	int64_t until;

	acquire(w, &w->a);
	w->store.lose = 1; /* done, as the read shows */
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, &f), 1);
	until = w->a.held_until;
	w->store.drop = 1; /* not done: what was held counts on, no longer */
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, &f), -ETIMEDOUT);
	assert_int_equal(w->a.held_until, until);
	w->store.fail = 1;
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, &f), -EIO);
	assert_int_equal(w->a.held_until, until);
	w->store.lose = 1;
	assert_int_equal(lease_release(&w->a, w->k, &f), 0);
	assert_string_equal(json_str(spec(w), "holderIdentity"), "");
}

static void test_races(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };

	acquire(w, &w->a);
	w->store.meddle = 2;
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, &f), 1);
	w->store.meddle = 100;
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, &f), -EAGAIN);
	w->store.meddle = 0;
}

/* With wait_absent an object deleted under its holder's feet is not taken from him. */
static void test_deleted(void **state)
{
	struct world *w = *state;
	int64_t until, took;

	w->a.wait_absent = w->b.wait_absent = true;
	took = acquire(w, &w->a);
	assert_true(took >= 1100 && took < 2000);
	json_freep(&w->store.object);
	assert_int_equal(lease_acquire(&w->b, w->k, NULL, NULL), 0);
	assert_int_equal(lease_look(&w->b, w->k, NULL, NULL), 0);
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL),
			 1); /* its own: made again at once */
	assert_int_equal(w->a.transitions, 1);
	until = w->a.held_until;
	json_freep(&w->store.object);
	acquire(w, &w->b);
	assert_true(w->b.held_until - 1000 >= until);
}

static void test_annotations(void **state)
{
	struct world *w = *state;
	_json_ struct json *notes = json_object(), *seen = NULL;
	const struct json *there;

	json_set_str(notes, "timeline", "7");
	w->a.annotations = notes;
	acquire(w, &w->a);
	w->a.annotations = NULL;
	assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL), 1);
	assert_int_equal(lease_look(&w->b, w->k, &seen, NULL), 0);
	there = json_get(seen, "metadata", "annotations", NULL);
	assert_string_equal(json_str(there, "timeline"), "7");
}

/* An object of whatever shape is held by somebody or free; it never breaks the program. */
static void test_hostile(void **state)
{
	static const char *const objects[] = {
		"{\"kind\":\"Lease\"}",
		"{\"kind\":\"Lease\",\"metadata\":[],\"spec\":7}",
		"{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":"
		"{\"holderIdentity\":\"x\",\"leaseDurationSeconds\":9000000000000000000,"
		"\"leaseTransitions\":-5,\"renewTime\":7}}",
		"{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":"
		"{\"holderIdentity\":\"x\",\"leaseDurationSeconds\":-1}}",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		int r;

		json_freep(&w->store.object);
		assert_int_equal(json_parse(objects[i], strlen(objects[i]), &w->store.object, NULL),
				 0);
		r = lease_look(&w->a, w->k, NULL, NULL);
		assert_int_equal(r, i < 2);
		/* without a resourceVersion there is nothing to compare with */
		assert_int_equal(lease_acquire(&w->a, w->k, NULL, NULL), i < 2 ? -EINVAL : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renew_and_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_races, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_annotations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
