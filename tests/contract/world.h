/* A namespace on a real Kubernetes API server, for the tests of this folder. From the environment:
 * KUBE_SERVERS (separated by commas or spaces), KUBE_CA, KUBE_CERT, KUBE_KEY (files). Works in a
 * namespace of its own, with one cluster-wide definition, and removes both. Dead addresses in
 * KUBE_SERVERS must make no difference, as long as one answers. */
#pragma once

#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/kube.h"
#include "lib/timer.h"

#include <errno.h>
#include <unistd.h>

struct world {
	struct kube_config config;
	struct kube *k;
	char ns[64], maps[128]; /* the namespace, and the path of its ConfigMaps */
};

__attribute__((unused)) static char *file_of(const char *name)
{
	const char *path = getenv(name);
	_fs_ struct fs fs = { .fd = -1 };
	_secret_ struct str text = { 0 };
	struct fault f = { 0 };

	if (!path)
		return NULL;
	if (fs_open(&fs, "/", &f) < 0 || fs_read(&fs, path, 1 << 20, &text, &f) < 0)
		fail_msg("%s: %s", name, f.text);
	return str_take(&text);
}

__attribute__((unused)) static void no_fault(int r, const struct fault *f)
{
	if (r < 0)
		fail_msg("%s", f->text);
}

__attribute__((unused)) static struct json *parse(const char *text)
{
	struct json *j = NULL;

	assert_int_equal(json_parse(text, strlen(text), &j, NULL), 0);
	return j;
}

/* {"apiVersion":"v1","kind":KIND,"metadata":{"name":NAME}} */
__attribute__((unused)) static struct json *object(const char *kind, const char *name)
{
	_free_ char *text = mem_printf("{\"apiVersion\":\"v1\",\"kind\":\"%s\",\"metadata\":"
				       "{\"name\":\"%s\"},\"data\":{\"a\":\"1\"}}",
				       kind, name);

	return parse(text);
}

__attribute__((unused)) static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof *w);
	_free_ char *list = mem_strdup(getenv("KUBE_SERVERS"));
	char *save = NULL;
	_json_ struct json *ns = NULL;
	struct fault f = { 0 };

	if (!list)
		fail_msg("KUBE_SERVERS is not set");
	for (char *s = strtok_r(list, ", ", &save); s; s = strtok_r(NULL, ", ", &save))
		strv_add(&w->config.servers, s);
	w->config.ca_pem = file_of("KUBE_CA");
	w->config.cert_pem = file_of("KUBE_CERT");
	w->config.key_pem = file_of("KUBE_KEY");
	w->config.timeout_ms = 2000;
	no_fault(kube_new(&w->config, &w->k, &f), &f);
	snprintf(w->ns, sizeof w->ns, "phoenix-contract-%d", getpid());
	snprintf(w->maps, sizeof w->maps, "/api/v1/namespaces/%s/configmaps", w->ns);
	ns = object("Namespace", w->ns);
	no_fault(kube_create(w->k, "/api/v1/namespaces", ns, NULL, &f), &f);
	*state = w;
	return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
	struct world *w = *state;
	_free_ char *ns = mem_printf("/api/v1/namespaces/%s", w->ns);
	struct fault f = { 0 };

	no_fault(kube_delete(w->k, ns, NULL, NULL, &f), &f);
	kube_delete(w->k,
		    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
		    "widgets.contract.phoenix.test",
		    NULL, NULL, NULL);
	kube_freep(&w->k);
	strv_free(&w->config.servers);
	free(w->config.ca_pem);
	free(w->config.cert_pem);
	mem_erase_str(w->config.key_pem);
	free(w);
	return 0;
}

__attribute__((unused)) static char *map_path(const struct world *w, const char *name)
{
	return mem_printf("%s/%s", w->maps, name);
}

__attribute__((unused)) static const char *meta(const struct json *j, const char *key)
{
	return json_str(json_get(j, "metadata", NULL), key);
}
