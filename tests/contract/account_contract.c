/* A pod's way into the API, asked of a real API server: a ServiceAccount's own token, and the files
 * that the kubelet gives a pod. See world.h. */
#include "tests/contract/world.h"

#include <fcntl.h>
#include <sys/stat.h>

#define TOKEN_REQUEST "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\"}"
#define REVIEW "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}"

/* Who the server says that K is. A server that is busy is asked again: nothing is changed by it. */
static char *who(struct kube *k)
{
	_json_ struct json *review = parse(REVIEW), *said = NULL;
	struct fault f = { 0 };
	int r;

	for (int i = 0; i < 10; i++) {
		r = kube_create(k, "/apis/authentication.k8s.io/v1/selfsubjectreviews", review,
				&said, &f);
		if (r != -ETIMEDOUT && r != -EAGAIN)
			break;
	}
	no_fault(r, &f);
	return mem_strdup(json_str(json_get(said, "status", "userInfo", NULL), "username"));
}

/* A new token of ServiceAccount NAME, which is made when it is not there. */
static char *token_of(struct world *w, const char *name)
{
	_free_ char *accounts = mem_printf("/api/v1/namespaces/%s/serviceaccounts", w->ns);
	_free_ char *path = mem_printf("%s/%s/token", accounts, name);
	_json_ struct json *account = object("ServiceAccount", name);
	_json_ struct json *request = parse(TOKEN_REQUEST), *got = NULL;
	struct fault f = { 0 };
	int r = kube_create(w->k, accounts, account, NULL, &f);

	if (r != -EEXIST)
		no_fault(r, &f);
	no_fault(kube_create(w->k, path, request, &got, &f), &f);
	assert_non_null(json_str(json_get(got, "status", NULL), "token"));
	return mem_strdup(json_str(json_get(got, "status", NULL), "token"));
}

static void may_read_maps(struct world *w, const char *account)
{
	_free_ char *text = mem_printf(
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: reads\n"
		"  namespace: %s\nrules:\n- apiGroups: [\"\"]\n  resources: [configmaps]\n"
		"  verbs: [get, list]\n---\n"
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n"
		"  name: reads\n  namespace: %s\n"
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads}\n"
		"subjects:\n- {kind: ServiceAccount, name: %s, namespace: %s}\n",
		w->ns, w->ns, account, w->ns);
	struct kube_stream s = { "reads.yaml", "phoenix", true, text, strlen(text) };
	struct fault f = { 0 };

	no_fault(kube_apply_stream(w->k, &s, NULL, &f), &f);
}

/* Known, but allowed nothing; then what it is allowed, and nothing else. */
static void a_token_is_somebody_with_rights_of_its_own(void **state)
{
	struct world *w = *state;
	_free_ char *token = token_of(w, "reader");
	_free_ char *wanted = mem_printf("system:serviceaccount:%s:reader", w->ns);
	struct kube_config c = { .servers = w->config.servers,
				 .ca_pem = w->config.ca_pem,
				 .token = token,
				 .timeout_ms = 2000 };
	_json_ struct json *list = NULL, *new = object("ConfigMap", "never");
	_json_ struct json *seen = object("ConfigMap", "seen");
	_free_ char *name = NULL;
	_kube_ struct kube *k = NULL;
	struct fault f = { 0 };
	int64_t until = timer_now() + LATE;
	int r;

	no_fault(kube_create(w->k, w->maps, seen, NULL, &f), &f);
	no_fault(kube_new(&c, &k, &f), &f);
	name = who(k);
	assert_string_equal(name, wanted);
	assert_int_equal(kube_list(k, w->maps, &list, NULL, &f), -EACCES);
	assert_non_null(strstr(f.text, "is forbidden"));
	assert_non_null(strstr(f.text, wanted));
	may_read_maps(w, "reader");
	while ((r = kube_list(k, w->maps, &list, NULL, &f)) == -EACCES && timer_now() < until)
		timer_sleep(100);
	no_fault(r, &f);
	assert_true(json_len(list) > 0);
	assert_int_equal(kube_create(k, w->maps, new, NULL, &f), -EACCES);
}

/* Points KUBERNETES_SERVICE_* at the server that lives. */
static void service_is_the_live_one(const struct world *w)
{
	strv_each (url, &w->config.servers) {
		_free_ char *host = mem_strdup(url + strlen("https://"));
		char *port = strrchr(host, ':');

		if (kube_health(w->k, url, "/readyz", NULL) != 200)
			continue;
		*port++ = 0;
		setenv("KUBERNETES_SERVICE_HOST", host, 1);
		setenv("KUBERNETES_SERVICE_PORT", port, 1);
		return;
	}
	fail_msg("no server is ready");
}

/* As the kubelet lays them out: each file is a link by way of `..data`, which is a link to a folder
 * that is exchanged as a whole. */
static void mount_account(const struct fs *dir, const struct world *w, const char *token)
{
	static const char *const names[] = { "token", "ca.crt", "namespace" };
	const char *const texts[] = { token, w->config.ca_pem, w->ns };

	assert_int_equal(mkdirat(dir->fd, "..2026_01", 0755), 0);
	assert_int_equal(symlinkat("..2026_01", dir->fd, "..data"), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_free_ char *path = mem_printf("..2026_01/%s", names[i]);
		_free_ char *to = mem_printf("..data/%s", names[i]);
		struct fault f = { 0 };

		no_fault(fs_write_text(dir, path, 0644, texts[i], &f), &f);
		assert_int_equal(symlinkat(to, dir->fd, names[i]), 0);
	}
}

static void unmount_account(const struct fs *dir, const char *path)
{
	static const char *const all[] = {
		"token",	   "ca.crt",	       "namespace",	     "..data",
		"..2026_01/token", "..2026_01/ca.crt", "..2026_01/namespace"
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		unlinkat(dir->fd, all[i], 0);
	unlinkat(dir->fd, "..2026_01", AT_REMOVEDIR);
	assert_int_equal(rmdir(path), 0);
}

static void a_pod_is_its_account(void **state)
{
	struct world *w = *state;
	_free_ char *token = token_of(w, "pod");
	_free_ char *wanted = mem_printf("system:serviceaccount:%s:pod", w->ns), *name = NULL;
	char path[] = "/tmp/account.XXXXXX";
	_fs_ struct fs dir = { .fd = -1 };
	_kube_ struct kube *k = NULL;
	struct fault f = { 0 };

	assert_non_null(mkdtemp(path));
	no_fault(fs_open(&dir, path, &f), &f);
	mount_account(&dir, w, token);
	service_is_the_live_one(w);
	no_fault(kube_in_cluster(path, NULL, &k, &f), &f);
	name = who(k);
	assert_string_equal(name, wanted);
	kube_freep(&k);
	/* the servers can be named too; dead ones are left for the next */
	free(name);
	no_fault(kube_in_cluster(path, &w->config.servers, &k, &f), &f);
	name = who(k);
	assert_string_equal(name, wanted);
	unmount_account(&dir, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_somebody_with_rights_of_its_own),
		cmocka_unit_test(a_pod_is_its_account),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
