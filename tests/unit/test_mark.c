/* The cluster's own word on which cluster it is: who says another id is not joined through. */
#include "tests/unit/kube_script.h"

#include "firstboot/cluster.h"

#define X "11111111111111111111111111111111"
#define Y "22222222222222222222222222222222"
#define MARK(id, generation) \
	"{\"kind\":\"ConfigMap\",\"data\":{\"id\":\"" id "\",\"generation\":\"" generation "\"}}"

static struct cluster_config config = {
	.name = (char *)"railiance",
	.nodes = { { .name = (char *)"phoenix-a" },
		   { .name = (char *)"phoenix-b" },
		   { .name = (char *)"phoenix-c" } },
};

/* What phoenix-a makes of phoenix-b, which says that it belongs to X, when the API answers so. */
static int checked(int status, const char *body, struct fault *f)
{
	struct seed seed = { .config = &config };
	struct agent a = { .seed = &seed };
	struct script t = { .status = status, .body = body };
	struct stub s = { .handler = follow, .user = &t };
	struct kube *k;
	int r;

	stub_start(&s);
	k = client(s.url, NULL, NULL);
	*f = (struct fault){ 0 };
	r = mark_check(&a, k, 1, X, f);
	kube_freep(&k);
	stub_stop(&s);
	assert_string_equal(t.seen,
			    "GET /api/v1/namespaces/kube-system/configmaps/phoenix-cluster ");
	return r;
}

static void a_cluster_that_agrees_is_joined(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(checked(200, MARK(X, "1"), &f), 0);
	/* who formed it has not come to writing it down */
	assert_int_equal(checked(404, REFUSAL("NotFound"), &f), 0);
}

static void another_id_is_refused_and_both_are_named(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(checked(200, MARK(Y, "1"), &f), -ESTALE);
	assert_non_null(strstr(f.text, "phoenix-b says that it belongs to cluster " X));
	assert_non_null(strstr(f.text, Y));
	assert_non_null(strstr(f.text, "docs/runbook.md"));
}

static void what_cannot_be_read_is_no_consent(void **state)
{
	static const char *const damaged[] = {
		MARK("", "1"),
		MARK("x", "1"),
		MARK(X, "-1"),
		MARK(X, ""),
		"{\"kind\":\"ConfigMap\"}",
	};
	struct fault f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++)
		assert_int_equal(checked(200, damaged[i], &f), -EBADMSG);
	assert_int_equal(checked(403, REFUSAL("Forbidden"), &f), -EACCES);
	assert_int_equal(checked(503, REFUSAL("ServiceUnavailable"), &f), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_that_agrees_is_joined),
		cmocka_unit_test(another_id_is_refused_and_both_are_named),
		cmocka_unit_test(what_cannot_be_read_is_no_consent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
