/* The Kubernetes client: what it asks, and what it makes of the answers. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/kube_internal.h"
#include "tests/unit/kube_script.h"

#include <sys/stat.h>

static void test_refused(void **state)
{
	static const struct {
		int status;
		const char *body;
		int want;
	} cases[] = {
		{ 400, REFUSAL("BadRequest"), -EINVAL },
		{ 422, REFUSAL("Invalid"), -EINVAL },
		{ 401, "Unauthorized", -EACCES },
		{ 403, REFUSAL("Forbidden"), -EACCES },
		{ 404, REFUSAL("NotFound"), -ENOENT },
		{ 409, REFUSAL("AlreadyExists"), -EEXIST },
		{ 409, REFUSAL("Conflict"), -ESTALE },
		{ 410, REFUSAL("Expired"), -ESTALE },
		{ 413, "", -EFBIG },
		{ 429, REFUSAL("TooManyRequests"), -EAGAIN },
		{ 500, REFUSAL("InternalError"), -EIO },
		{ 503, "starting", -EAGAIN },
		{ 504, REFUSAL("Timeout"), -ETIMEDOUT },
		{ 302, "elsewhere", -EPROTO },
		{ 404, "{\"message\":7}", -ENOENT },
		{ 404, "[[[", -ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script t = { .status = cases[i].status, .body = cases[i].body };
		struct stub s = { .handler = follow, .user = &t };
		struct kube *k;
		struct fault f = { 0 };

		stub_start(&s);
		k = client(s.url, NULL, NULL);
		assert_int_equal(kube_get(k, "/api/v1/nodes/a", NULL, &f), cases[i].want);
		assert_non_null(strstr(f.text, "/api/v1/nodes/a"));
		if (strstr(cases[i].body, "own words"))
			assert_non_null(strstr(f.text, "own words"));
		kube_freep(&k);
		stub_stop(&s);
	}
}

static void test_endless_answer(void **state)
{
	static char piece[65536];
	struct script t = { .raw = piece, .then = STUB_AGAIN };
	struct stub s = { .handler = follow, .user = &t };
	struct kube_config config = { .timeout_ms = 20000 };
	struct kube *k = NULL;
	int n;

	(void)state;
	memset(piece, 'x', sizeof piece - 1);
	n = snprintf(piece, sizeof piece, "HTTP/1.1 200 OK\r\n\r\n");
	piece[n] = ' ';
	stub_start(&s);
	strv_add(&config.servers, s.url);
	assert_int_equal(kube_new(&config, &k, NULL), 0);
	assert_int_equal(kube_get(k, "/api/v1/pods/a", NULL, NULL), -EFBIG);
	strv_free(&config.servers);
	kube_freep(&k);
	stub_stop(&s);
}

static void test_no_object(void **state)
{
	static const char *const bodies[] = {
		"", "{", "[]", "null", "{\"metadata\":{}}", "{\"kind\":7}"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct script t = { .status = 200, .body = bodies[i] };
		struct stub s = { .handler = follow, .user = &t };
		_json_ struct json *j = NULL;
		struct kube *k;

		stub_start(&s);
		k = client(s.url, NULL, NULL);
		assert_int_equal(kube_get(k, "/api/v1/pods/a", &j, NULL), -EPROTO);
		assert_null(j);
		kube_freep(&k);
		stub_stop(&s);
	}
}

static void test_requests(void **state)
{
	struct script t = { .status = 200, .body = POD };
	struct stub s = { .handler = follow, .user = &t };
	_json_ struct json *j = NULL, *bare = json_object();
	struct kube *k;

	(void)state;
	stub_start(&s);
	k = client(s.url, NULL, NULL);
	assert_int_equal(kube_delete(k, "/x/a", "u-1", "7", NULL), 0);
	assert_non_null(strstr(t.seen, "DELETE /x/a {"));
	assert_non_null(
		strstr(t.seen, "\"preconditions\":{\"uid\":\"u-1\",\"resourceVersion\":\"7\"}"));
	assert_non_null(strstr(t.seen, "\"propagationPolicy\":\"Background\""));
	assert_int_equal(kube_delete(k, "/x/a", NULL, NULL, NULL), 0);
	assert_null(strstr(t.seen, "preconditions"));
	assert_int_equal(kube_replace(k, "/x/a", bare, NULL, NULL), -EINVAL);
	assert_int_equal(json_parse(POD, strlen(POD), &j, NULL), 0);
	assert_int_equal(kube_replace(k, "/x/a", j, NULL, NULL), 0);
	assert_true(str_starts(t.seen, "PUT /x/a {"));
	assert_int_equal(kube_patch(k, "/x/a", bare, NULL, NULL), 0);
	assert_non_null(strstr(t.head, "Content-Type: application/merge-patch+json"));
	assert_int_equal(kube_apply(k, "/x/a", "me & you", true, "a: b", 4, NULL, NULL), 0);
	assert_true(str_starts(t.seen, "PATCH /x/a?fieldManager=me%20%26%20you&force=true a: b"));
	assert_non_null(strstr(t.head, "Content-Type: application/apply-patch+yaml"));
	assert_int_equal(kube_get(k, "no/slash", NULL, NULL), -EINVAL);
	assert_int_equal(kube_get(k, "/a b", NULL, NULL), -EINVAL);
	assert_int_equal(kube_get(k, "/a\r\nX: y", NULL, NULL), -EINVAL);
	assert_int_equal(kube_health(k, s.url, "/readyz", NULL), 200);
	t.status = 500;
	assert_int_equal(kube_health(k, s.url, "/readyz", NULL), 500);
	kube_freep(&k);
	stub_stop(&s);
}

static void test_new_refuses(void **state)
{
	static const char *const urls[] = { "",		 "10.0.0.1:6443", "ftp://a",
					    "https://",	 "https://a/b",	  "https://u@a",
					    "http://a b" };
	struct kube_config none = { 0 };
	struct kube *k = NULL;

	(void)state;
	assert_int_equal(kube_new(&none, &k, NULL), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct kube_config c = { 0 };

		strv_add(&c.servers, urls[i]);
		assert_int_equal(kube_new(&c, &k, NULL), -EINVAL);
		assert_null(k);
		strv_free(&c.servers);
	}
}

/* Pages: three items over two pages; the second time the version is gone between the pages. */
static enum stub_then pages(struct stub *s, const struct stub_request *rq, struct str *out)
{
	int *gone = s->user;

	if (!strstr(rq->target, "continue="))
		stub_answer(out, 200,
			    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"9\","
			    "\"continue\":\"a+b=\"},\"items\":[{\"n\":1},{\"n\":2}]}");
	else if ((*gone)-- > 0)
		stub_answer(out, 410, REFUSAL("Expired"));
	else if (strstr(rq->target, "&continue=a%2Bb%3D"))
		stub_answer(out, 200,
			    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"9\"},"
			    "\"items\":[{\"n\":3}]}");
	else
		stub_answer(out, 400, REFUSAL("BadRequest"));
	return STUB_KEEP;
}

static void test_list(void **state)
{
	_json_ struct json *all = NULL, *again = NULL;
	_free_ char *version = NULL;
	int gone = 0;
	struct stub s = { .handler = pages, .user = &gone };
	struct kube *k;

	(void)state;
	stub_start(&s);
	k = client(s.url, NULL, NULL);
	assert_int_equal(kube_list(k, "/api/v1/pods?labelSelector=x", &all, &version, NULL), 0);
	assert_int_equal(json_len(all), 3);
	assert_int_equal(json_int(json_at(all, 2), "n", 0), 3);
	assert_string_equal(version, "9");
	gone = 1;
	assert_int_equal(kube_list(k, "/api/v1/pods", &again, NULL, NULL), 0);
	assert_int_equal(json_len(again), 3);
	gone = 100;
	json_freep(&again);
	assert_int_equal(kube_list(k, "/api/v1/pods", &again, NULL, NULL), -ESTALE);
	assert_null(again);
	kube_freep(&k);
	stub_stop(&s);
}

static void test_list_hostile(void **state)
{
	static const char *const bodies[] = {
		"{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"for ever\"},\"items\":[]}",
		"{\"kind\":\"PodList\",\"items\":{\"a\":1}}",
		POD,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct script t = { .status = 200, .body = bodies[i] };
		struct stub s = { .handler = follow, .user = &t };
		_json_ struct json *all = NULL;
		struct kube *k;

		stub_start(&s);
		k = client(s.url, NULL, NULL);
		assert_int_equal(kube_list(k, "/api/v1/pods", &all, NULL, NULL), -EPROTO);
		assert_null(all);
		kube_freep(&k);
		stub_stop(&s);
	}
}

static void test_account(void **state)
{
	struct script t = { .status = 200, .body = POD };
	struct stub s = { .handler = follow, .user = &t };
	char dir[] = "/tmp/test_kube.XXXXXX";
	_strv_ struct strv servers = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	struct kube *k = NULL;

	(void)state;
	stub_start(&s);
	strv_add(&servers, s.url);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(fs_open(&fs, dir, NULL), 0);
	assert_int_equal(kube_in_cluster(dir, &servers, &k, NULL), -ENOENT);
	assert_int_equal(fs_write_text(&fs, "ca.crt", 0600, "not looked at for http\n", NULL), 1);
	assert_int_equal(kube_in_cluster(dir, &servers, &k, NULL), 0);
	assert_int_equal(kube_get(k, "/a", NULL, NULL), -ENOENT); /* no token yet */
	assert_int_equal(s.requests, 0);
	assert_int_equal(fs_write_text(&fs, "token", 0600, "first\n", NULL), 1);
	assert_int_equal(kube_get(k, "/a", NULL, NULL), 0);
	assert_non_null(strstr(t.head, "Authorization: Bearer first\r\n"));
	assert_int_equal(fs_write_text(&fs, "token", 0600, "second", NULL), 1);
	k->token_read -= 100000;
	assert_int_equal(kube_get(k, "/a", NULL, NULL), 0);
	assert_non_null(strstr(t.head, "Authorization: Bearer second\r\n"));
	/* one that vanishes later does not take the good one along */
	assert_int_equal(fs_remove(&fs, "token", NULL), 1);
	k->token_read -= 100000;
	assert_int_equal(kube_get(k, "/a", NULL, NULL), 0);
	kube_freep(&k);
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(kube_in_cluster(dir, NULL, &k, NULL), -EINVAL);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(kube_in_cluster(dir, NULL, &k, NULL), 0);
	assert_string_equal(k->c.servers.v[0], "https://[fd00::1]:443");
	kube_freep(&k);
	fs_remove(&fs, "ca.crt", NULL);
	rmdir(dir);
	stub_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_endless_answer),
		cmocka_unit_test(test_no_object),    cmocka_unit_test(test_requests),
		cmocka_unit_test(test_new_refuses),  cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_hostile), cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
