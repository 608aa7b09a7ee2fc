/* What the database unit relies on beyond kube_contract.c: that of two who write, one is told; that
 * who lists and watches misses nothing. See world.h. */
#include "tests/contract/world.h"

#include <pthread.h>

#define WRITERS 3
#define ROUNDS 15
#define OTHER_UID "11111111-2222-3333-4444-555555555555"

static char *leases(const struct world *w)
{
	return mem_printf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", w->ns);
}

static struct json *lease(const char *name, int transitions)
{
	_free_ char *text =
		mem_printf("{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			   "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"holderIdentity\":\"a\","
			   "\"leaseDurationSeconds\":5,\"leaseTransitions\":%d}}",
			   name, transitions);

	return parse(text);
}

static int64_t transitions(const struct json *lease)
{
	return json_int(json_get(lease, "spec", NULL), "leaseTransitions", -1);
}

static void set_transitions(struct json *lease, int64_t n)
{
	struct json *spec = json_copy(json_get(lease, "spec", NULL));

	json_set_int(spec, "leaseTransitions", n);
	json_set(lease, "spec", spec);
}

static void of_two_versions_only_the_last_is_replaced(void **state)
{
	struct world *w = *state;
	_free_ char *all = leases(w), *path = mem_printf("%s/swap", all);
	_json_ struct json *new = lease("swap", 1), *first = NULL, *second = NULL, *now = NULL;
	struct fault f = { 0 };

	no_fault(kube_create(w->k, all, new, &first, &f), &f);
	assert_int_equal(kube_create(w->k, all, new, NULL, &f), -EEXIST);
	second = json_copy(first);
	set_transitions(second, 2);
	no_fault(kube_replace(w->k, path, second, &now, &f), &f);
	assert_string_not_equal(meta(now, "resourceVersion"), meta(first, "resourceVersion"));
	set_transitions(first, 3);
	assert_int_equal(kube_replace(w->k, path, first, NULL, &f), -ESTALE);
	json_freep(&now);
	no_fault(kube_get(w->k, path, &now, &f), &f);
	assert_int_equal(transitions(now), 2);
	assert_string_equal(meta(now, "uid"), meta(first, "uid"));
}

/* Nor is it made again by who still believes that it is there. */
static void what_was_deleted_is_not_replaced(void **state)
{
	struct world *w = *state;
	_free_ char *all = leases(w), *path = mem_printf("%s/gone", all);
	_json_ struct json *new = lease("gone", 1), *made = NULL, *again = NULL;
	struct fault f = { 0 };

	no_fault(kube_create(w->k, all, new, &made, &f), &f);
	no_fault(kube_delete(w->k, path, NULL, NULL, &f), &f);
	assert_int_equal(kube_replace(w->k, path, made, NULL, &f), -ESTALE);
	assert_int_equal(kube_get(w->k, path, NULL, &f), -ENOENT);
	no_fault(kube_create(w->k, all, new, &again, &f), &f);
	assert_int_equal(kube_replace(w->k, path, made, NULL, &f), -ESTALE);
	assert_string_not_equal(meta(again, "uid"), meta(made, "uid"));
}

static void a_write_that_changes_nothing_is_none(void **state)
{
	struct world *w = *state;
	_free_ char *all = leases(w), *path = mem_printf("%s/same", all);
	_json_ struct json *new = lease("same", 1), *made = NULL, *now = NULL;
	struct fault f = { 0 };

	no_fault(kube_create(w->k, all, new, &made, &f), &f);
	no_fault(kube_replace(w->k, path, made, &now, &f), &f);
	assert_string_equal(meta(now, "resourceVersion"), meta(made, "resourceVersion"));
}

static void a_lease_has_its_shape(void **state)
{
	static const char *const wrong[] = {
		"{\"spec\":{\"leaseDurationSeconds\":0}}",
		"{\"spec\":{\"leaseTransitions\":-1}}",
		"{\"spec\":{\"renewTime\":\"2026-01-01 00:00:00\"}}",
		"{\"metadata\":{\"annotations\":{\"phoenix/term\":5}}}",
	};
	struct world *w = *state;
	_free_ char *all = leases(w), *path = mem_printf("%s/shape", all);
	_json_ struct json *new = lease("shape", 1);
	_json_ struct json *released = parse("{\"spec\":{\"holderIdentity\":\"\"}}");
	struct fault f = { 0 };

	no_fault(kube_create(w->k, all, new, NULL, &f), &f);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		_json_ struct json *patch = parse(wrong[i]);

		assert_int_equal(kube_patch(w->k, path, patch, NULL, &f), -EINVAL);
	}
	no_fault(kube_patch(w->k, path, released, NULL, &f), &f);
}

/* Counts up ROUNDS times, each time by compare-and-swap. */
static void *count_up(void *arg)
{
	struct world *w = arg;
	_free_ char *all = leases(w), *path = mem_printf("%s/count", all);
	_kube_ struct kube *k = NULL;
	size_t done = 0;

	if (kube_new(&w->config, &k, NULL) < 0)
		return NULL;
	for (int tries = 0; done < ROUNDS && tries < 100 * ROUNDS; tries++) {
		_json_ struct json *now = NULL;

		if (kube_get(k, path, &now, NULL) < 0)
			continue;
		set_transitions(now, transitions(now) + 1);
		done += kube_replace(k, path, now, NULL, NULL) == 0;
	}
	return (void *)(uintptr_t)done;
}

static void of_many_that_write_at_once_each_counts(void **state)
{
	struct world *w = *state;
	_free_ char *all = leases(w), *path = mem_printf("%s/count", all);
	_json_ struct json *new = lease("count", 0), *now = NULL;
	pthread_t writers[WRITERS];
	struct fault f = { 0 };
	size_t done = 0;

	no_fault(kube_create(w->k, all, new, NULL, &f), &f);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, count_up, w), 0);
	for (size_t i = 0; i < WRITERS; i++) {
		void *n = NULL;

		assert_int_equal(pthread_join(writers[i], &n), 0);
		done += (size_t)(uintptr_t)n;
	}
	no_fault(kube_get(w->k, path, &now, &f), &f);
	assert_int_equal(transitions(now), done);
	assert_int_equal(done, WRITERS * ROUNDS);
}

static void only_what_is_meant_is_deleted(void **state)
{
	struct world *w = *state;
	_json_ struct json *new = object("ConfigMap", "meant"), *first = NULL, *second = NULL;
	_json_ struct json *data = parse("{\"data\":{\"a\":\"2\"}}"), *changed = NULL;
	_free_ char *path = map_path(w, "meant");
	struct fault f = { 0 };

	no_fault(kube_create(w->k, w->maps, new, &first, &f), &f);
	no_fault(kube_patch(w->k, path, data, &changed, &f), &f);
	assert_int_equal(kube_delete(w->k, path, NULL, meta(first, "resourceVersion"), &f),
			 -ESTALE);
	assert_int_equal(kube_delete(w->k, path, OTHER_UID, NULL, &f), -ESTALE);
	assert_int_equal(kube_delete(w->k, path, OTHER_UID, meta(changed, "resourceVersion"), &f),
			 -ESTALE);
	no_fault(kube_delete(w->k, path, NULL, meta(changed, "resourceVersion"), &f), &f);
	/* another of the same name is not meant by the uid of the first */
	no_fault(kube_create(w->k, w->maps, new, &second, &f), &f);
	assert_int_equal(kube_delete(w->k, path, meta(first, "uid"), NULL, &f), -ESTALE);
	no_fault(kube_delete(w->k, path, meta(second, "uid"), NULL, &f), &f);
}

/* A pod that runs nowhere. The namespace's account may still be on its way. */
static void make_pod(struct world *w, const char *name, const char *role)
{
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/pods", w->ns);
	_free_ char *text = mem_printf(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":"
		"{\"app.kubernetes.io/name\":\"postgres\",\"role\":\"%s\"}},\"spec\":"
		"{\"terminationGracePeriodSeconds\":0,\"containers\":[{\"name\":\"a\",\"image\":"
		"\"a\"}]}}",
		name, role);
	_json_ struct json *pod = parse(text);
	int64_t until = timer_now() + LATE;
	struct fault f = { 0 };
	int r;

	while ((r = kube_create(w->k, path, pod, NULL, &f)) == -EACCES && timer_now() < until)
		timer_sleep(100);
	no_fault(r, &f);
}

/* The names in what SELECTOR selects among the pods, each with a space behind it. */
static char *selected(struct world *w, const char *selector)
{
	_free_ char *path =
		mem_printf("/api/v1/namespaces/%s/pods?labelSelector=%s", w->ns, selector);
	_json_ struct json *list = NULL;
	struct str names = { 0 };
	struct fault f = { 0 };

	no_fault(kube_list(w->k, path, &list, NULL, &f), &f);
	for (size_t i = 0; i < json_len(list); i++)
		str_addf(&names, "%s ", meta(json_at(list, i), "name"));
	return str_take(&names);
}

static void assert_selected(struct world *w, const char *selector, const char *names)
{
	_free_ char *is = selected(w, selector);

	assert_string_equal(is, names);
}

static void pods_are_found_by_their_labels(void **state)
{
	struct world *w = *state;
	_free_ char *pod = mem_printf("/api/v1/namespaces/%s/pods/label-1", w->ns);
	_free_ char *text = NULL;
	_json_ struct json *before = NULL, *patch = NULL, *after = NULL;
	_json_ struct json *none = parse("{\"metadata\":{\"labels\":{\"role\":null}}}");
	struct fault f = { 0 };

	make_pod(w, "label-0", "primary");
	make_pod(w, "label-1", "standby");
	assert_selected(w, "app.kubernetes.io%2Fname%3Dpostgres", "label-0 label-1 ");
	assert_selected(w, "app.kubernetes.io%2Fname%3Dpostgres,role%3Dprimary", "label-0 ");
	assert_selected(w, "role%3D%3Dstandby", "label-1 ");
	assert_selected(w, "role%3Dnone", "");
	/* a label is set only on what was looked at */
	no_fault(kube_get(w->k, pod, &before, &f), &f);
	text = mem_printf("{\"metadata\":{\"resourceVersion\":\"%s\",\"labels\":{\"role\":"
			  "\"primary\"}}}",
			  meta(before, "resourceVersion"));
	patch = parse(text);
	no_fault(kube_patch(w->k, pod, patch, &after, &f), &f);
	assert_string_equal(meta(after, "uid"), meta(before, "uid"));
	assert_selected(w, "role%3Dprimary", "label-0 label-1 ");
	no_fault(kube_patch(w->k, pod, none, NULL, &f), &f);
	assert_int_equal(kube_patch(w->k, pod, patch, NULL, &f), -ESTALE);
	assert_selected(w, "role", "label-0 ");
	assert_selected(w, "app.kubernetes.io%2Fname%3Dpostgres", "label-0 label-1 ");
}

struct seen {
	struct str names; /* "TYPE NAME DATA, " */
	int64_t last;	  /* version */
	int limit;
};

static int see(void *user, const char *type, const struct json *o)
{
	struct seen *s = user;
	const char *data = json_str(json_get(o, "data", NULL), "a");
	int64_t version = strtoll(meta(o, "resourceVersion"), NULL, 10);

	assert_true(version > s->last);
	s->last = version;
	str_addf(&s->names, "%s %s %s, ", type, meta(o, "name"), data ?: "-");
	return --s->limit == 0;
}

/* Makes maps "row-0"... with numbers, one after another, while others look. */
static void *make_rows(void *arg)
{
	struct world *w = arg;
	_kube_ struct kube *k = NULL;

	if (kube_new(&w->config, &k, NULL) < 0)
		return NULL;
	for (int i = 0; i < ROUNDS; i++) {
		_free_ char *name = mem_printf("row-%02d", i);
		_json_ struct json *new = object("ConfigMap", name);
		_json_ struct json *m = parse("{\"labels\":{\"row\":\"\"}}");

		json_set_str(m, "name", name);
		json_set(new, "metadata", TAKE_PTR(m));
		kube_create(k, w->maps, new, NULL, NULL);
		timer_sleep(20);
	}
	return NULL;
}

static void between_a_list_and_its_watch_nothing_is_missed(void **state)
{
	struct world *w = *state;
	_free_ char *only = mem_printf("%s?labelSelector=row", w->maps), *version = NULL;
	_str_ struct str wanted = { 0 };
	_json_ struct json *list = NULL;
	struct seen seen = { 0 };
	pthread_t writer;
	struct fault f = { 0 };
	size_t listed;

	assert_int_equal(pthread_create(&writer, NULL, make_rows, w), 0);
	while (json_len(list) < ROUNDS / 3) {
		json_freep(&list);
		no_fault(kube_list(w->k, only, &list, &version, &f), &f);
	}
	listed = json_len(list);
	for (size_t i = listed; i < ROUNDS; i++)
		str_addf(&wanted, "ADDED row-%02zu 1, ", i);
	/* in two watches, as if the first had been broken off */
	seen.limit = 2;
	no_fault(kube_watch(w->k, only, &version, LATE, see, &seen, &f), &f);
	seen.limit = (int)(ROUNDS - listed) - 2;
	no_fault(kube_watch(w->k, only, &version, LATE, see, &seen, &f), &f);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_string_equal(str_text(&seen.names), wanted.p);
	str_free(&seen.names);
}

static void a_watch_tells_each_change_once_and_in_order(void **state)
{
	struct world *w = *state;
	_free_ char *path = map_path(w, "order"), *version = NULL, *all = NULL;
	_free_ char *only = mem_printf("%s?fieldSelector=metadata.name%%3Dorder", w->maps);
	_json_ struct json *new = object("ConfigMap", "order"), *list = NULL;
	struct seen seen = { .limit = 2 };
	struct fault f = { 0 };

	no_fault(kube_list(w->k, only, &list, &version, &f), &f);
	assert_int_equal(json_len(list), 0);
	all = mem_strdup(version);
	no_fault(kube_create(w->k, w->maps, new, NULL, &f), &f);
	for (int i = 2; i < 5; i++) {
		_free_ char *text = mem_printf("{\"data\":{\"a\":\"%d\"}}", i);
		_json_ struct json *patch = parse(text);

		no_fault(kube_patch(w->k, path, patch, NULL, &f), &f);
	}
	no_fault(kube_delete(w->k, path, NULL, NULL, &f), &f);
	no_fault(kube_watch(w->k, only, &version, LATE, see, &seen, &f), &f);
	seen.limit = 3;
	no_fault(kube_watch(w->k, only, &version, LATE, see, &seen, &f), &f);
	assert_string_equal(seen.names.p, "ADDED order 1, MODIFIED order 2, MODIFIED order 3, "
					  "MODIFIED order 4, DELETED order 4, ");
	/* who begins where the first began is told the same */
	str_free(&seen.names);
	seen = (struct seen){ .limit = 5 };
	no_fault(kube_watch(w->k, only, &all, LATE, see, &seen, &f), &f);
	assert_string_equal(seen.names.p, "ADDED order 1, MODIFIED order 2, MODIFIED order 3, "
					  "MODIFIED order 4, DELETED order 4, ");
	str_free(&seen.names);
}

static void the_pages_of_a_list_are_of_one_moment(void **state)
{
	struct world *w = *state;
	_free_ char *first = mem_printf("%s?labelSelector=row&limit=%d", w->maps, ROUNDS - 2);
	_free_ char *next = NULL, *path = map_path(w, "row-14");
	_json_ struct json *page = NULL, *rest = NULL;
	struct fault f = { 0 };

	no_fault(kube_get(w->k, first, &page, &f), &f);
	assert_non_null(meta(page, "continue"));
	no_fault(kube_delete(w->k, path, NULL, NULL, &f), &f);
	next = mem_printf("%s&continue=%s", first, meta(page, "continue"));
	no_fault(kube_get(w->k, next, &rest, &f), &f);
	assert_int_equal(json_len(json_get(rest, "items", NULL)), 2);
	assert_string_equal(meta(rest, "resourceVersion"), meta(page, "resourceVersion"));
	assert_null(meta(rest, "continue"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_versions_only_the_last_is_replaced),
		cmocka_unit_test(what_was_deleted_is_not_replaced),
		cmocka_unit_test(a_write_that_changes_nothing_is_none),
		cmocka_unit_test(a_lease_has_its_shape),
		cmocka_unit_test(of_many_that_write_at_once_each_counts),
		cmocka_unit_test(only_what_is_meant_is_deleted),
		cmocka_unit_test(pods_are_found_by_their_labels),
		cmocka_unit_test(between_a_list_and_its_watch_nothing_is_missed),
		cmocka_unit_test(a_watch_tells_each_change_once_and_in_order),
		cmocka_unit_test(the_pages_of_a_list_are_of_one_moment),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
