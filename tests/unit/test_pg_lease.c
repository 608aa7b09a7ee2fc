/* The Lease between API and core: what we wrote comes back as it was, what an editor wrote gives
 * nobody a right. */
#include "tests/unit/test.h"

#include "phoenix-job/pg_lease.h"

#include "lib/str.h"

#define HOLDER "b5db7e8f-1598-4390-837b-c77e59a93cce/43be8ebf"
#define POD_UID "b5db7e8f-1598-4390-837b-c77e59a93cce"
#define LEASE_UID "b4df1e23-6ba7-4a90-845d-c20bc37ab8f7"
static struct pg_lease lease(void)
{
	struct pg_lease l = { .exists = true,
			      .term = 2,
			      .renewals = 7,
			      .version = 119,
			      .holder = HOLDER,
			      .uid = LEASE_UID };

	l.record = (struct pg_record){ .known = true,
				       .number = 2000000,
				       .place = { 2, 1000000, 100665272 },
				       .eligible = { true, false, true },
				       .has = { 100665272, 100, 100665271 } };
	return l;
}

static void assert_same(const struct pg_lease *a, const struct pg_lease *b)
{
	assert_int_equal(a->exists, b->exists);
	assert_string_equal(a->holder, b->holder);
	assert_int_equal(a->released, b->released);
	assert_int_equal(a->term, b->term);
	assert_int_equal(a->renewals, b->renewals);
	assert_int_equal(a->version, b->version);
	assert_string_equal(a->uid, b->uid);
	assert_int_equal(a->record.known, b->record.known);
	assert_int_equal(a->record.number, b->record.number);
	assert_memory_equal(&a->record.place, &b->record.place, sizeof a->record.place);
	assert_memory_equal(a->record.eligible, b->record.eligible, sizeof a->record.eligible);
	assert_memory_equal(a->record.has, b->record.has, sizeof a->record.has);
}

static struct pg_lease back(const struct pg_lease *l)
{
	_json_ struct json *j = pg_lease_object(l, "database", "postgres-0", "now");
	struct pg_lease ret;

	memset(&ret, 0xff, sizeof ret); /* whole, whatever it was */
	pg_lease_read(j, &ret);
	return ret;
}

static struct pg_lease parsed(const char *text)
{
	_json_ struct json *j = NULL;
	struct pg_lease ret;

	assert_int_equal(json_parse(text, strlen(text), &j, NULL), 0);
	pg_lease_read(j, &ret);
	return ret;
}

static void assert_written(const struct pg_lease *l, const char *text)
{
	_json_ struct json *j =
		pg_lease_object(l, "database", "postgres-0", "2026-11-23T23:57:20.809694Z");
	_str_ struct str out = { 0 };

	json_print(j, 0, &out);
	assert_string_equal(str_text(&out), text);
}

static void what_was_written_comes_back(void **state)
{
	struct pg_lease l = lease(), b = back(&l);

	(void)state;
	assert_same(&l, &b);
	l.record = (struct pg_record){ 0 };
	b = back(&l);
	assert_same(&l, &b);
	l.holder[0] = 0;
	l.released = true;
	b = back(&l);
	assert_same(&l, &b);
}

static void the_greatest_numbers_come_back(void **state)
{
	struct pg_lease l = lease(), b;

	(void)state;
	l.term = l.record.place.term = PG_TERM_MAX;
	l.renewals = l.record.number = l.record.place.recorded = PG_NUMBER_MAX;
	l.version = l.record.place.position = l.record.has[1] = INT64_MAX;
	b = back(&l);
	assert_same(&l, &b);
}

static void as_the_api_gets_it(void **state)
{
	struct pg_lease l = lease();

	(void)state;
	assert_written(&l, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			   "\"metadata\":{\"name\":\"postgres\",\"namespace\":\"database\","
			   "\"resourceVersion\":\"119\",\"uid\":\"" LEASE_UID "\","
			   "\"annotations\":{\"phoenix/pod\":\"postgres-0\","
			   "\"phoenix/renewals\":\"7\",\"phoenix/record\":"
			   "\"{\\\"number\\\":2000000,\\\"term\\\":2,\\\"recorded\\\":1000000,"
			   "\\\"position\\\":100665272,\\\"eligible\\\":[\\\"postgres-0\\\","
			   "\\\"postgres-2\\\"],\\\"has\\\":{\\\"postgres-0\\\":100665272,"
			   "\\\"postgres-1\\\":100,\\\"postgres-2\\\":100665271}}\"}},"
			   "\"spec\":{\"holderIdentity\":\"" HOLDER "\","
			   "\"leaseDurationSeconds\":5,\"leaseTransitions\":2,"
			   "\"renewTime\":\"2026-11-23T23:57:20.809694Z\"}}");
}

/* Version 0 is created: with a version or a UID the API would refuse it. */
static void a_new_one_names_no_version(void **state)
{
	struct pg_lease l = { .exists = true, .term = 1, .holder = HOLDER, .uid = LEASE_UID };

	(void)state;
	assert_written(&l, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			   "\"metadata\":{\"name\":\"postgres\",\"namespace\":\"database\","
			   "\"annotations\":{\"phoenix/pod\":\"postgres-0\","
			   "\"phoenix/renewals\":\"0\"}},"
			   "\"spec\":{\"holderIdentity\":\"" HOLDER "\","
			   "\"leaseDurationSeconds\":5,\"leaseTransitions\":1,"
			   "\"renewTime\":\"2026-11-23T23:57:20.809694Z\"}}");
}

static void there_is_none(void **state)
{
	struct pg_lease l;

	(void)state;
	memset(&l, 0xff, sizeof l);
	pg_lease_read(NULL, &l);
	assert_same(&l, &(struct pg_lease){ 0 });
}

/* Somebody takes the holder out of it, PostgreSQL of that holder still runs. */
static void only_its_holder_releases_it(void **state)
{
	struct pg_lease l;

	(void)state;
	l = parsed("{\"spec\":{\"holderIdentity\":\"\"}}");
	assert_true(l.exists);
	assert_false(l.released);
	l = parsed("{\"spec\":{}}");
	assert_false(l.released);
	l = parsed("{\"spec\":{},\"metadata\":{\"annotations\":{\"phoenix/released\":\"yes\"}}}");
	assert_false(l.released);
	l = parsed("{\"spec\":{},\"metadata\":{\"annotations\":{\"phoenix/released\":\"true\"}}}");
	assert_true(l.released);
	l = parsed("{\"spec\":{\"holderIdentity\":\"" HOLDER "\"},"
		   "\"metadata\":{\"annotations\":{\"phoenix/released\":\"true\"}}}");
	assert_false(l.released);
	assert_string_equal(l.holder, HOLDER);
}

static void taken_again_it_is_not_released(void **state)
{
	struct pg_lease l = lease();
	_json_ struct json *j = NULL;

	(void)state;
	j = pg_lease_object(&l, "database", "postgres-0", "now");
	assert_null(json_get(j, "metadata", "annotations", "phoenix/released", NULL));
}

static void without_annotations(void **state)
{
	struct pg_lease l = parsed("{\"metadata\":{\"uid\":\"" LEASE_UID "\",\"resourceVersion\":"
				   "\"119\"},\"spec\":{\"holderIdentity\":\"" HOLDER "\","
				   "\"leaseTransitions\":2}}");
	struct pg_lease want = lease();

	(void)state;
	want.renewals = 0;
	want.record = (struct pg_record){ 0 };
	assert_same(&l, &want);
}

static void strange_shapes_are_read_as_nothing(void **state)
{
	static const char *const texts[] = {
		"7",
		"[]",
		"{}",
		"{\"spec\":7,\"metadata\":[]}",
		"{\"metadata\":{\"uid\":7,\"resourceVersion\":119,\"annotations\":\"x\"},"
		"\"spec\":{\"holderIdentity\":null,\"leaseTransitions\":\"2\"}}",
		"{\"metadata\":{\"resourceVersion\":\"-1\",\"annotations\":"
		"{\"phoenix/renewals\":\"-1\"}},\"spec\":{\"leaseTransitions\":-1}}",
		"{\"metadata\":{\"resourceVersion\":\"x\",\"annotations\":{\"phoenix/renewals\":"
		"\"9223372036854775807\"}},\"spec\":{\"leaseTransitions\":2147483648}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct pg_lease l = parsed(texts[i]);

		assert_same(&l, &(struct pg_lease){ .exists = true });
	}
}

static void a_long_holder_is_cut_and_nobodys(void **state)
{
	struct pg_lease l = parsed("{\"spec\":{\"holderIdentity\":\"" HOLDER HOLDER HOLDER "\"}}");

	(void)state;
	assert_int_equal(strlen(l.holder), PG_HOLDER_LEN - 1);
	assert_string_not_equal(l.holder, HOLDER);
}

/* What is left out of a record, or cannot be, would make a pod eligible that is not: there is no
 * record then, and only the best of all three is promoted. */
static void half_a_record_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"no json",
		"[]",
		"{}",
		"{\"number\":-1,\"term\":2,\"recorded\":1,\"position\":5,\"eligible\":"
		"[\"postgres-0\"],\"has\":{\"postgres-0\":1,\"postgres-1\":1,\"postgres-2\":1}}",
		"{\"number\":1,\"term\":2147483648,\"recorded\":1,\"position\":5,\"eligible\":"
		"[\"postgres-0\"],\"has\":{\"postgres-0\":1,\"postgres-1\":1,\"postgres-2\":1}}",
		"{\"number\":9223372036854775807,\"term\":2,\"recorded\":1,\"position\":5,"
		"\"has\":{\"postgres-0\":1,\"postgres-1\":1,\"postgres-2\":1}}",
		"{\"number\":1,\"term\":2,\"recorded\":1,\"eligible\":[\"postgres-0\"],"
		"\"has\":{\"postgres-0\":1,\"postgres-1\":1,\"postgres-2\":1}}",
		"{\"number\":1,\"term\":2,\"recorded\":1,\"position\":-5,\"eligible\":"
		"[\"postgres-0\"],\"has\":{\"postgres-0\":1,\"postgres-1\":1,\"postgres-2\":1}}",
		"{\"number\":1,\"term\":2,\"recorded\":1,\"position\":5,\"eligible\":"
		"[\"postgres-0\"],\"has\":{\"postgres-0\":1,\"postgres-1\":1}}",
		"{\"number\":1,\"term\":2,\"recorded\":1,\"position\":5,\"eligible\":"
		"[\"postgres-0\"],\"has\":{\"postgres-0\":-1,\"postgres-1\":1,\"postgres-2\":1}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_json_ struct json *j = json_object();
		struct json *meta = json_object(), *notes = json_object();
		struct pg_lease l;

		json_set_str(notes, "phoenix/record", texts[i]);
		json_set(meta, "annotations", notes);
		json_set(j, "metadata", meta);
		pg_lease_read(j, &l);
		assert_same(&l, &(struct pg_lease){ .exists = true });
	}
}

static void eligible_names_pods_only(void **state)
{
	struct pg_lease l = parsed("{\"metadata\":{\"annotations\":{\"phoenix/record\":"
				   "\"{\\\"number\\\":1,\\\"term\\\":1,\\\"recorded\\\":1,"
				   "\\\"position\\\":5,\\\"eligible\\\":[\\\"postgres-3\\\",7,"
				   "\\\"postgres-1\\\"],\\\"has\\\":{\\\"postgres-0\\\":1,"
				   "\\\"postgres-1\\\":2,\\\"postgres-2\\\":3}}\"}}}");

	(void)state;
	assert_true(l.record.known);
	assert_true(l.record.eligible[1]);
	assert_false(l.record.eligible[0] || l.record.eligible[2]);
	assert_int_equal(l.record.has[2], 3);
}

static void who_holds_it(void **state)
{
	struct pg_lease l = lease();
	_json_ struct json *j = NULL, *other = NULL;
	char pod[64], uid[64];

	(void)state;
	j = pg_lease_object(&l, "database", "postgres-0", "now");
	pg_lease_holder(j, pod, uid);
	assert_string_equal(pod, "postgres-0");
	assert_string_equal(uid, POD_UID);
	pg_lease_holder(j, NULL, NULL);
	/* released: the pod is still named in the annotation, and holds nothing */
	l.holder[0] = 0;
	l.released = true;
	other = pg_lease_object(&l, "database", "postgres-0", "now");
	pg_lease_holder(other, pod, uid);
	assert_string_equal(pod, "");
	assert_string_equal(uid, "");
	pg_lease_holder(NULL, pod, uid);
	assert_string_equal(pod, "");
	assert_string_equal(uid, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_comes_back),
		cmocka_unit_test(the_greatest_numbers_come_back),
		cmocka_unit_test(as_the_api_gets_it),
		cmocka_unit_test(a_new_one_names_no_version),
		cmocka_unit_test(there_is_none),
		cmocka_unit_test(only_its_holder_releases_it),
		cmocka_unit_test(taken_again_it_is_not_released),
		cmocka_unit_test(without_annotations),
		cmocka_unit_test(strange_shapes_are_read_as_nothing),
		cmocka_unit_test(a_long_holder_is_cut_and_nobodys),
		cmocka_unit_test(half_a_record_is_none),
		cmocka_unit_test(eligible_names_pods_only),
		cmocka_unit_test(who_holds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
