/* What is installed into the cluster, given to a real API server: it takes every document, the pods fit
 * the security that their namespace demands, and nobody may do more than it has to. See world.h. */
#include "tests/contract/world.h"

#include "firstboot/manifest.h"
#include "tests/unit/boot_tree.h"

#define DATABASE "/api/v1/namespaces/database"

static int apply_all(struct kube *k, const struct components *all)
{
	int changed = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct kube_stream s = { .name = all->v[i].file,
					 .manager = "phoenix",
					 .force = true,
					 .text = all->v[i].text.p,
					 .len = all->v[i].text.len };
		struct fault f = { 0 };
		int n = 0;

		no_fault(kube_apply_stream(k, &s, &n, &f), &f);
		changed += n;
	}
	return changed;
}

static int setup_installed(void **state)
{
	_components_ struct components all = { 0 };
	struct seed *seed = tree_seed(tree_description, 0, false);
	_fs_ struct fs here = { .fd = -1 };
	struct fault f = { 0 };
	struct world *w;
	int again;

	setup(state);
	w = *state;
	no_fault(fs_open(&here, ".", &f), &f);
	no_fault(components_load(&here, "firstboot/manifests", seed->config, seed->secrets, &all,
				 &f),
		 &f);
	assert_true(apply_all(w->k, &all) > 10);
	/* what the server adds of its own is no change to us */
	again = apply_all(w->k, &all);
	seed_freep(&seed);
	return again == 0 ? 0 : -1;
}

static int teardown_installed(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };

	no_fault(kube_delete(w->k, DATABASE, NULL, NULL, &f), &f);
	no_fault(kube_delete(w->k, "/apis/scheduling.k8s.io/v1/priorityclasses/phoenix-data", NULL,
			     NULL, &f),
		 &f);
	return teardown(state);
}

/* A pod as the workload at PATH would make it; nothing stays. */
static void try_pod(struct kube *k, const char *path)
{
	_json_ struct json *workload = NULL, *pod = object("Pod", "tried");
	const struct json *template;
	struct fault f = { 0 };

	no_fault(kube_get(k, path, &workload, &f), &f);
	template = json_get(workload, "spec", "template", NULL);
	json_set(pod, "spec", json_copy(json_get(template, "spec", NULL)));
	if (strstr(path, "statefulsets")) {
		struct json *claim = json_object(), *volume = json_object();
		struct json *spec = json_copy(json_get(template, "spec", NULL));
		struct json *volumes = json_copy(json_get(spec, "volumes", NULL));

		json_set_str(claim, "claimName", "data-tried");
		json_set_str(volume, "name", "data");
		json_set(volume, "persistentVolumeClaim", claim);
		json_push(volumes, volume);
		json_set(spec, "volumes", volumes);
		json_set(pod, "spec", spec);
	}
	if (kube_create(k, DATABASE "/pods?dryRun=All", pod, NULL, &f) < 0)
		fail_msg("%s: %s", path, f.text);
}

static void pods_fit_their_namespace(void **state)
{
	struct world *w = *state;

	try_pod(w->k, "/apis/apps/v1/namespaces/database/statefulsets/postgres");
	try_pod(w->k, "/apis/apps/v1/namespaces/database/daemonsets/pooler");
}

static bool allowed(struct kube *k, const char *account, const char *verb, const char *what,
		    const char *name)
{
	_free_ char *group = mem_strndup(what, strcspn(what, "/")),
		    *text = mem_printf(
			    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
			    "\"SubjectAccessReview\",\"spec\":{\"user\":"
			    "\"system:serviceaccount:database:%s\",\"resourceAttributes\":{"
			    "\"namespace\":\"database\",\"verb\":\"%s\",\"group\":\"%s\","
			    "\"resource\":\"%s\",\"name\":\"%s\"}}}",
			    account, verb, group, strchr(what, '/') + 1, name);
	_json_ struct json *review = parse(text), *said = NULL;
	struct fault f = { 0 };

	no_fault(kube_create(k, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, &said,
			     &f),
		 &f);
	return json_bool(json_get(said, "status", NULL), "allowed", false);
}

#define LEASES "coordination.k8s.io/leases"

static void nobody_may_do_more_than_it_has_to(void **state)
{
	static const struct {
		const char *account, *verb, *what, *name;
		bool yes;
	} cases[] = {
		{ "postgres", "create", LEASES, "", true },
		{ "postgres", "update", LEASES, "postgres", true },
		{ "postgres", "update", LEASES, "other", false },
		{ "postgres", "delete", LEASES, "postgres", false },
		{ "postgres", "update", "/configmaps", "postgres", true },
		{ "postgres", "watch", "/configmaps", "postgres-move", true },
		{ "postgres", "update", "/configmaps", "postgres-move", true },
		{ "postgres", "update", "/configmaps", "postgres-config", false },
		{ "postgres", "patch", "/pods", "postgres-0", true },
		{ "postgres", "delete", "/pods", "postgres-0", false },
		{ "postgres", "get", "/secrets", "postgres-secrets", false },
		{ "pooler", "watch", LEASES, "postgres", true },
		{ "pooler", "update", LEASES, "postgres", false },
		{ "pooler", "get", "/configmaps", "postgres", true },
		{ "pooler", "update", "/configmaps", "postgres", false },
		{ "pooler", "update", "/configmaps", "postgres-move", true },
		{ "pooler", "create", "/configmaps", "", false },
		{ "pooler", "list", "/pods", "", true },
		{ "pooler", "patch", "/pods", "postgres-0", false },
		{ "pooler", "get", "/secrets", "postgres-secrets", false },
		{ "default", "list", "/pods", "", false },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (allowed(w->k, cases[i].account, cases[i].verb, cases[i].what, cases[i].name) !=
		    cases[i].yes)
			fail_msg("%s: %s %s %s", cases[i].account, cases[i].verb, cases[i].what,
				 cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_fit_their_namespace),
		cmocka_unit_test(nobody_may_do_more_than_it_has_to),
	};

	return cmocka_run_group_tests(tests, setup_installed, teardown_installed);
}
