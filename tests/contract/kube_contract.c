/* What lib/kube.h and lib/lease.h promise, asked of a real Kubernetes API server: see world.h. */
#include "tests/contract/world.h"

#include "lib/lease.h"

#include <pthread.h>

#define MANY 520 /* more than a page */

static void test_read(void **state)
{
	struct world *w = *state;
	_json_ struct json *j = NULL, *list = NULL;
	_free_ char *version = NULL;
	struct fault f = { 0 };

	no_fault(kube_get(w->k, "/api/v1/namespaces/default", &j, &f), &f);
	assert_string_equal(meta(j, "name"), "default");
	assert_int_equal(kube_get(w->k, "/api/v1/namespaces/absent", NULL, &f), -ENOENT);
	assert_non_null(strstr(f.text, "\"absent\" not found"));
	assert_int_equal(kube_get(w->k, "/apis/no.such/v1", NULL, &f), -ENOENT);
	no_fault(kube_list(w->k, w->maps, &list, &version, &f), &f);
	assert_non_null(version);
	assert_int_equal(kube_list(w->k, "/api/v1/namespaces/default", &list, NULL, &f), -EPROTO);
}

static void test_health(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };
	bool ready = false;

	strv_each (url, &w->config.servers)
		ready |= kube_health(w->k, url, "/readyz", &f) == 200;
	assert_true(ready);
}

static void test_nobody_known(void **state)
{
	struct world *w = *state;
	struct kube_config c = { .servers = w->config.servers,
				 .ca_pem = w->config.ca_pem,
				 .timeout_ms = 2000 };
	_kube_ struct kube *k = NULL;
	struct fault f = { 0 };

	no_fault(kube_new(&c, &k, &f), &f);
	assert_int_equal(kube_get(k, w->maps, NULL, &f), -EACCES);
	kube_freep(&k);
	c.token = (char *)(uintptr_t) "wrong";
	no_fault(kube_new(&c, &k, &f), &f);
	assert_int_equal(kube_get(k, w->maps, NULL, &f), -EACCES);
}

static void test_write(void **state)
{
	struct world *w = *state;
	_json_ struct json *new = object("ConfigMap", "write"), *made = NULL, *changed = NULL;
	_json_ struct json *patch = parse("{\"data\":{\"a\":\"2\",\"b\":\"3\"}}");
	_json_ struct json *bad = object("ConfigMap", "Not_A_Name"), *stale = NULL;
	_free_ char *path = map_path(w, "write");
	_free_ char *text = NULL;
	struct fault f = { 0 };

	no_fault(kube_create(w->k, w->maps, new, &made, &f), &f);
	assert_int_equal(kube_create(w->k, w->maps, new, NULL, &f), -EEXIST);
	assert_int_equal(kube_create(w->k, w->maps, bad, NULL, &f), -EINVAL);
	no_fault(kube_patch(w->k, path, patch, &changed, &f), &f);
	assert_string_equal(json_str(json_get(changed, "data", NULL), "b"), "3");
	assert_int_equal(kube_replace(w->k, path, made, NULL, &f), -ESTALE);
	assert_non_null(strstr(f.text, "has been modified"));
	no_fault(kube_replace(w->k, path, changed, NULL, &f), &f);
	text = mem_printf("{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"c\":\"4\"}}",
			  meta(made, "resourceVersion"));
	stale = parse(text);
	assert_int_equal(kube_patch(w->k, path, stale, NULL, &f), -ESTALE);
}

static void test_apply(void **state)
{
	static const char one[] = "# comments are no matter\napiVersion: v1\nkind: ConfigMap\n"
				  "metadata: {name: applied}\ndata:\n  a: \"1\"\n";
	static const char two[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\n"
				  "data:\n  a: \"2\"\n";
	struct world *w = *state;
	_free_ char *path = map_path(w, "applied");
	_json_ struct json *j = NULL;
	struct fault f = { 0 };

	no_fault(kube_apply(w->k, path, "one", false, one, strlen(one), &j, &f), &f);
	assert_string_equal(json_str(json_get(j, "data", NULL), "a"), "1");
	assert_int_equal(kube_apply(w->k, path, "two", false, two, strlen(two), NULL, &f), -ESTALE);
	assert_non_null(strstr(f.text, "conflict"));
	no_fault(kube_apply(w->k, path, "two", true, two, strlen(two), NULL, &f), &f);
	assert_int_equal(kube_apply(w->k, path, "one", false, "a: [", 4, NULL, &f), -EINVAL);
}

static void test_stream(void **state)
{
	static const char form[] =
		"---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n---\n# nothing\n---\n"
		"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n"
		"  name: widgets.contract.phoenix.test\nspec:\n  group: contract.phoenix.test\n"
		"  scope: Namespaced\n  names: { plural: widgets, singular: widget, kind: Widget "
		"}\n"
		"  versions:\n    - name: v1\n      served: true\n      storage: true\n      "
		"schema:\n"
		"        openAPIV3Schema:\n          type: object\n          properties:\n"
		"            spec: { type: object, x-kubernetes-preserve-unknown-fields: true "
		"}\n---\n"
		"apiVersion: contract.phoenix.test/v1\nkind: Widget\nmetadata:\n  name: a\n"
		"  namespace: %s\nspec:\n  n: %d\n";
	struct world *w = *state;
	_free_ char *first = mem_printf(form, w->ns, w->ns, 1);
	_free_ char *second = mem_printf(form, w->ns, w->ns, 2);
	struct kube_stream s = { "stream.yaml", "phoenix", true, first, strlen(first) };
	int changed = -1;
	struct fault f = { 0 };

	no_fault(kube_apply_stream(w->k, &s, &changed, &f), &f);
	assert_int_equal(changed, 2); /* the namespace was there */
	no_fault(kube_apply_stream(w->k, &s, &changed, &f), &f);
	/* the definition's own controllers may still have written to it meanwhile */
	assert_true(changed <= 1);
	s.text = second;
	s.len = strlen(second);
	no_fault(kube_apply_stream(w->k, &s, &changed, &f), &f);
	assert_int_equal(changed, 1);
	s.text = "apiVersion: contract.phoenix.test/v1\nkind: Gadget\nmetadata: {name: a}\n";
	s.len = strlen(s.text);
	assert_int_equal(kube_apply_stream(w->k, &s, &changed, &f), -ENOENT);
	assert_non_null(strstr(f.text, "no matches for kind Gadget"));
}

static void test_delete(void **state)
{
	struct world *w = *state;
	_json_ struct json *new = object("ConfigMap", "doomed"), *made = NULL;
	_free_ char *path = map_path(w, "doomed");
	struct fault f = { 0 };

	no_fault(kube_create(w->k, w->maps, new, &made, &f), &f);
	assert_int_equal(kube_delete(w->k, path, "11111111-2222-3333-4444-555555555555", NULL, &f),
			 -ESTALE);
	assert_int_equal(kube_delete(w->k, path, NULL, "1", &f), -ESTALE);
	no_fault(kube_delete(w->k, path, meta(made, "uid"), meta(made, "resourceVersion"), &f), &f);
	assert_int_equal(kube_delete(w->k, path, NULL, NULL, &f), -ENOENT);
}

struct watched {
	struct str said;
	int limit;
};

static int on_event(void *user, const char *type, const struct json *o)
{
	struct watched *w = user;

	str_addf(&w->said, "%s %s, ", type, meta(o, "name"));
	return --w->limit == 0;
}

/* A change that the watch's selector does not see, while the watch is on: the server tells its
 * version by bookmark only then. */
static void *elsewhere(void *arg)
{
	struct world *w = arg;
	_json_ struct json *new = object("ConfigMap", "elsewhere");
	_kube_ struct kube *k = NULL;

	timer_sleep(1000);
	if (kube_new(&w->config, &k, NULL) == 0)
		kube_create(k, w->maps, new, NULL, NULL);
	return NULL;
}

static void test_watch(void **state)
{
	struct world *w = *state;
	pthread_t other;
	_free_ char *only = mem_printf("%s?labelSelector=watch", w->maps);
	_json_ struct json *new = object("ConfigMap", "watched"), *list = NULL;
	_json_ struct json *label = parse("{\"metadata\":{\"labels\":{\"watch\":\"\"}}}");
	_json_ struct json *data = parse("{\"data\":{\"a\":\"5\"}}");
	_free_ char *path = map_path(w, "watched");
	_free_ char *version = NULL, *before = NULL;
	struct watched seen = { .limit = 1 };
	struct fault f = { 0 };

	no_fault(kube_list(w->k, only, &list, &version, &f), &f);
	assert_int_equal(json_len(list), 0);
	no_fault(kube_create(w->k, w->maps, new, NULL, &f), &f);
	no_fault(kube_patch(w->k, path, label, NULL, &f), &f);
	no_fault(kube_patch(w->k, path, data, NULL, &f), &f);
	/* one event, then the rest from there on another connection: none twice, none lost */
	no_fault(kube_watch(w->k, only, &version, 5000, on_event, &seen, &f), &f);
	assert_string_equal(seen.said.p, "ADDED watched, ");
	no_fault(kube_delete(w->k, path, NULL, NULL, &f), &f);
	seen.limit = 2;
	no_fault(kube_watch(w->k, only, &version, 5000, on_event, &seen, &f), &f);
	assert_string_equal(seen.said.p, "ADDED watched, MODIFIED watched, DELETED watched, ");
	str_free(&seen.said);
	before = mem_strdup(version);
	assert_int_equal(pthread_create(&other, NULL, elsewhere, w), 0);
	no_fault(kube_watch(w->k, only, &version, 6000, on_event, &seen, &f), &f);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_null(seen.said.p);
	assert_string_not_equal(version, before);
	free(version);
	version = mem_strdup("1");
	assert_int_equal(kube_watch(w->k, only, &version, 3000, on_event, &seen, &f), -ESTALE);
}

static void test_pages(void **state)
{
	struct world *w = *state;
	_json_ struct json *list = NULL;
	_free_ char *only =
		mem_printf("%s?fieldSelector=metadata.name!%%3Dkube-root-ca.crt", w->maps);
	struct fault f = { 0 };
	size_t n;

	no_fault(kube_list(w->k, only, &list, NULL, &f), &f);
	n = json_len(list);
	for (int i = 0; i < MANY; i++) {
		_free_ char *name = mem_printf("many-%d", i);
		_json_ struct json *new = object("ConfigMap", name);

		no_fault(kube_create(w->k, w->maps, new, NULL, &f), &f);
	}
	json_freep(&list);
	no_fault(kube_list(w->k, only, &list, NULL, &f), &f);
	assert_int_equal(json_len(list), n + MANY);
}

static int64_t take(struct world *w, struct lease *l)
{
	int64_t began = timer_now();
	struct fault f = { 0 };
	int r;

	while ((r = lease_acquire(l, w->k, NULL, &f)) != 1) {
		no_fault(r, &f);
		assert_true(timer_now() - began < 10000);
		timer_sleep(50);
	}
	return timer_now() - began;
}

static void test_lease(void **state)
{
	struct world *w = *state;
	struct lease a = { .ns = w->ns, .name = "lock", .holder = "a", .duration_ms = 2000 };
	struct lease b = { .ns = w->ns, .name = "lock", .holder = "b", .duration_ms = 2000 };
	_json_ struct json *notes = parse("{\"phoenix/timeline\":\"7\"}"), *seen = NULL;
	_str_ struct str holder = { 0 };
	struct fault f = { 0 };
	int64_t until;

	a.annotations = notes;
	take(w, &a);
	for (int i = 0; i < 6; i++) {
		timer_sleep(500);
		assert_int_equal(lease_acquire(&a, w->k, NULL, &f), 1);
		assert_int_equal(lease_acquire(&b, w->k, &holder, &f), 0);
		assert_string_equal(holder.p, "a");
	}
	until = a.held_until;
	take(w, &b); /* a is silent: taken over, but not before it knows that it lost */
	assert_true(b.held_until - 2000 >= until);
	assert_int_equal(b.transitions, a.transitions + 1);
	assert_false(lease_held(&a));
	assert_int_equal(lease_acquire(&a, w->k, NULL, &f), 0);
	no_fault(lease_release(&b, w->k, &f), &f);
	assert_int_equal(lease_look(&a, w->k, &seen, &f), 1);
	assert_string_equal(
		json_str(json_get(seen, "metadata", "annotations", NULL), "phoenix/timeline"), "7");
	assert_int_equal(lease_acquire(&a, w->k, NULL, &f), 1);
	assert_int_equal(a.transitions, b.transitions + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),	     cmocka_unit_test(test_health),
		cmocka_unit_test(test_nobody_known), cmocka_unit_test(test_write),
		cmocka_unit_test(test_apply),	     cmocka_unit_test(test_stream),
		cmocka_unit_test(test_delete),	     cmocka_unit_test(test_watch),
		cmocka_unit_test(test_pages),	     cmocka_unit_test(test_lease),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
