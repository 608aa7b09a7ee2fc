/* Streams of manifests: where documents begin, what they are, and what becomes of each. */
#include "tests/unit/test.h"

#include "lib/kube_internal.h"
#include "lib/timer.h"
#include "tests/unit/stub.h"

static void test_documents(void **state)
{
	static const char text[] =
		"# a comment\n\n---\nkind: A\n--- # next\n\n---\n# only this\n---\r\n"
		"kind: B\ntext: |\n  ---\n  x\n...\n---\n---not: a marker\n";
	struct kube_documents s = { .text = text, .len = strlen(text) };
	struct kube_document d;

	(void)state;
	assert_int_equal(kube_documents_next(&s, &d, NULL), 1);
	assert_int_equal(d.number, 1);
	assert_int_equal(d.line, 4);
	assert_int_equal(d.len, strlen("kind: A\n"));
	assert_int_equal(kube_documents_next(&s, &d, NULL), 1);
	assert_int_equal(d.number, 2);
	assert_int_equal(d.line, 10);
	assert_memory_equal(d.text, "kind: B\ntext: |\n  ---\n  x\n", d.len);
	assert_int_equal(kube_documents_next(&s, &d, NULL), 1);
	assert_int_equal(d.line, 16);
	assert_int_equal(kube_documents_next(&s, &d, NULL), 0);
	s = (struct kube_documents){ .text = "a: b\n--- {kind: C}\n", .len = 19 };
	assert_int_equal(kube_documents_next(&s, &d, NULL), 1);
	assert_int_equal(kube_documents_next(&s, &d, NULL), -EINVAL);
	s = (struct kube_documents){ .text = NULL, .len = 0 };
	assert_int_equal(kube_documents_next(&s, &d, NULL), 0);
}

static int head(const char *text, struct kube_head *h, struct fault *f)
{
	struct kube_document d = { .text = text, .len = strlen(text), .number = 1, .line = 7 };

	return kube_head_read(&d, "x.yaml", h, f);
}

static void test_head(void **state)
{
	static const char *const good[] = {
		"apiVersion: apps/v1\nspec: {a: &x 1, b: *x, c: !t 2}\nkind: "
		"Deployment\nmetadata:\n"
		"  namespace: db\n# a comment\n  annotations:\n    n: |\n\n      name: not\n  "
		"name: a\n"
		"status:\n- name: b\n",
		"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\","
		"\"namespace\":\"db\"}}",
		"apiVersion: \"apps/v1\"\r\nkind: Deployment\r\nmetadata: {name: a, namespace: "
		"db}\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		_kube_head_ struct kube_head h = { 0 };

		assert_int_equal(head(good[i], &h, NULL), 0);
		assert_string_equal(h.api_version, "apps/v1");
		assert_string_equal(h.kind, "Deployment");
		assert_string_equal(h.name, "a");
		assert_string_equal(h.ns, "db");
	}
}

static void test_head_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "kind: A\nmetadata: {name: a}\n", "x.yaml:7: apiVersion is missing" },
		{ "apiVersion: v1\nmetadata: {name: a}\n", "kind is missing" },
		{ "apiVersion: v1\nkind: A\nmetadata: {generateName: a}\n",
		  "metadata.name is missing" },
		{ "apiVersion: v1\nkind: [A]\nmetadata: {name: a}\n", "kind is missing" },
		{ "apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: a}\n", "x.yaml:9:" },
		{ "apiVersion: v1\nkind: A\nmetadata:\n  name: *a\n", "x.yaml:10:" },
		{ "apiVersion: a/b/c\nkind: A\nmetadata: {name: a}\n", "apiVersion \"a/b/c\"" },
		{ "apiVersion: /v1\nkind: A\nmetadata: {name: a}\n", "apiVersion" },
		{ "apiVersion: a/\nkind: A\nmetadata: {name: a}\n", "apiVersion" },
		{ "apiVersion: ../v1\nkind: A\nmetadata: {name: a}\n", "apiVersion" },
		{ "apiVersion: v1?x\nkind: A\nmetadata: {name: a}\n", "apiVersion" },
		{ "apiVersion: v1\nkind: a/b\nmetadata: {name: a}\n", "kind" },
		{ "apiVersion: v1\nkind: A\nmetadata: {name: ..}\n", "name" },
		{ "apiVersion: v1\nkind: A\nmetadata: {name: a, namespace: .}\n", "name" },
		{ "{\"kind\":", "x.yaml:7" },
		{ "{}", "apiVersion is missing" },
		{ "just words\n", "x.yaml" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_kube_head_ struct kube_head h = { 0 };
		struct fault f = { 0 };

		assert_int_equal(head(bad[i].text, &h, &f), -EINVAL);
		assert_null(h.name);
		if (!strstr(f.text, bad[i].says))
			fail_msg("%s: says %s", bad[i].text, f.text);
	}
}

/* A tiny API: ConfigMaps and Namespaces at once, Widgets some requests after their definition. */
struct api {
	int crd, wait, silent; /* made; requests until it is served; answers to swallow */
	int version;	       /* of all objects; stays when SAME */
	bool same;
	struct str log; /* paths applied */
};

static void api_discovery(struct api *a, const char *target, struct str *out)
{
	if (strstr(target, "apiextensions"))
		stub_answer(out, 200,
			    "{\"kind\":\"APIResourceList\",\"resources\":["
			    "{\"name\":\"customresourcedefinitions/"
			    "status\",\"kind\":\"CustomResourceDefinition\"},"
			    "{\"name\":\"customresourcedefinitions\",\"kind\":"
			    "\"CustomResourceDefinition\"}]}");
	else if (str_eq(target, "/api/v1"))
		stub_answer(
			out, 200,
			"{\"kind\":\"APIResourceList\",\"resources\":[7,{},{\"name\":\"\",\"kind\":"
			"\"ConfigMap\"},"
			"{\"name\":\"configmaps\",\"kind\":\"ConfigMap\",\"namespaced\":true},"
			"{\"name\":\"namespaces\",\"kind\":\"Namespace\",\"namespaced\":false}]}");
	else if (a->crd && a->wait-- <= 0)
		stub_answer(out, 200,
			    "{\"kind\":\"APIResourceList\",\"resources\":["
			    "{\"name\":\"widgets\",\"kind\":\"Widget\",\"namespaced\":true}]}");
	else
		stub_answer(out, 404, "{\"message\":\"not served\"}");
}

static enum stub_then api(struct stub *s, const struct stub_request *rq, struct str *out)
{
	struct api *a = s->user;
	_free_ char *object = NULL;

	if (!strstr(rq->target, "namespaces/") && !strstr(rq->target, "definitions/")) {
		api_discovery(a, rq->target, out);
		return STUB_KEEP;
	}
	if (str_eq(rq->method, "PATCH")) {
		str_addf(&a->log, "%.*s\n", (int)strcspn(rq->target, "?"), rq->target);
		a->crd |= strstr(rq->target, "definitions/") != NULL;
		a->version += !a->same;
		if (a->silent-- > 0)
			return STUB_SILENT;
	}
	object = mem_printf("{\"kind\":\"X\",\"metadata\":{\"resourceVersion\":\"%d\"}}",
			    a->version);
	stub_answer(out, 200, object);
	return STUB_KEEP;
}

static const char stream[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n---\n"
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
	"metadata: {name: widgets.example.org}\n---\n"
	"apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a, namespace: w}\n---\n"
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c:d}\n";

static int apply_stream(struct api *a, const struct kube_stream *st, int *changed, struct fault *f)
{
	struct kube_config config = { .timeout_ms = 500 };
	struct stub s = { .handler = api, .user = a };
	struct kube *k = NULL;
	int r;

	stub_start(&s);
	strv_add(&config.servers, s.url);
	assert_int_equal(kube_new(&config, &k, NULL), 0);
	r = kube_apply_stream(k, st, changed, f);
	kube_freep(&k);
	strv_free(&config.servers);
	stub_stop(&s);
	return r;
}

static int apply(struct api *a, const char *text, int *changed, struct fault *f)
{
	struct kube_stream st = { "c.yaml", "phoenix", true, text, strlen(text) };

	return apply_stream(a, &st, changed, f);
}

static void test_stream(void **state)
{
	struct api a = { .wait = 3 };
	int changed = -1;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(apply(&a, stream, &changed, &f), 0);
	assert_int_equal(changed, 4);
	assert_string_equal(a.log.p, "/api/v1/namespaces/w\n"
				     "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
				     "widgets.example.org\n"
				     "/apis/example.org/v1/namespaces/w/widgets/a\n"
				     "/api/v1/namespaces/default/configmaps/c:d\n");
	a.same = true;
	assert_int_equal(apply(&a, stream, &changed, &f), 0);
	assert_int_equal(changed, 0);
	str_free(&a.log);
}

static void test_stream_faults(void **state)
{
	static const char unknown[] =
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n---\n"
		"apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a}\n";
	static const char broken[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n---\n"
				     "apiVersion: v1\nmetadata: {name: w}\n";
	struct api a = { 0 };
	int64_t began = timer_now();
	struct fault f = { 0 };
	int changed = -1;

	(void)state;
	/* without a definition in the stream nobody waits for an unknown kind */
	assert_int_equal(apply(&a, unknown, &changed, &f), -ENOENT);
	assert_int_equal(changed, 1);
	assert_non_null(strstr(f.text,
			       "c.yaml: document 2 (Widget a): no matches for kind Widget in "
			       "version example.org/v1"));
	assert_int_equal(apply(&a, broken, &changed, &f), -EINVAL);
	assert_non_null(strstr(f.text, "document 2: c.yaml:5: kind is missing"));
	assert_true(timer_now() - began < 2000);
	/* a lost answer is applied again */
	str_reset(&a.log);
	a.silent = 2;
	assert_int_equal(
		apply(&a, "apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n", NULL, &f), 0);
	assert_string_equal(a.log.p,
			    "/api/v1/namespaces/w\n/api/v1/namespaces/w\n/api/v1/namespaces/w\n");
	a.silent = 100;
	assert_int_equal(
		apply(&a, "apiVersion: v1\nkind: Namespace\nmetadata: {name: w}\n", NULL, &f),
		-ETIMEDOUT);
	str_free(&a.log);
}

/* Who asks to be asked: SEEN is what it heard, documents named LEFT are not applied, STOP ends all. */
struct hooks {
	const char *left, *stop;
	struct str seen;
};

static int wanted(void *user, const struct kube_item *i, const struct json *now, struct fault *f)
{
	struct hooks *h = user;

	str_addf(&h->seen, "%s %s %s %s\n", i->kind, i->ns ?: "-", i->path, now ? "there" : "new");
	if (str_eq(i->name, h->stop))
		return fault_set(f, ECANCELED, "enough");
	return !str_eq(i->name, h->left);
}

static int applied(void *user, const struct kube_item *i, const struct json *now, struct fault *f)
{
	struct hooks *h = user;

	(void)f;
	str_addf(&h->seen, "%s is version %s\n", i->name, kube_meta(now, "resourceVersion"));
	return 0;
}

static void test_hooks(void **state)
{
	struct hooks h = { .left = "widgets.example.org", .stop = "c:d" };
	struct kube_stream st = { .name = "c.yaml",
				  .manager = "phoenix",
				  .text = stream,
				  .len = strlen(stream),
				  .wanted = wanted,
				  .applied = applied,
				  .user = &h };
	struct api a = { .crd = 1 };
	struct fault f = { 0 };
	int changed = -1;

	(void)state;
	assert_int_equal(apply_stream(&a, &st, &changed, &f), -ECANCELED);
	assert_int_equal(changed, 2);
	assert_string_equal(f.text, "c.yaml: document 4 (ConfigMap c:d): enough");
	assert_string_equal(a.log.p, "/api/v1/namespaces/w\n"
				     "/apis/example.org/v1/namespaces/w/widgets/a\n");
	assert_string_equal(h.seen.p,
			    "Namespace - /api/v1/namespaces/w there\nw is version 1\n"
			    "CustomResourceDefinition - /apis/apiextensions.k8s.io/v1/"
			    "customresourcedefinitions/widgets.example.org there\n"
			    "Widget w /apis/example.org/v1/namespaces/w/widgets/a there\n"
			    "a is version 2\n"
			    "ConfigMap default /api/v1/namespaces/default/configmaps/c:d there\n");
	str_free(&h.seen);
	str_free(&a.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),     cmocka_unit_test(test_head),
		cmocka_unit_test(test_head_refused),  cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_faults), cmocka_unit_test(test_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
