/* What an API server, or whoever stands at its address, may answer: refusals, lines of a watch,
 * discovery; and manifests, split and read. The first byte chooses, its high bits the piece size.
 */
#include "lib/kube_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(void *user, const char *type, const struct json *object)
{
	size_t *n = user;

	/* whatever came through has what the client relies on */
	if (!type || !kube_meta(object, "resourceVersion"))
		abort();
	return ++*n > 100;
}

static void watch(const char *text, size_t len, size_t piece)
{
	size_t n = 0;
	_cleanup_(kube_watch_free) struct kube_watch w = { .event = on_event, .user = &n };

	for (size_t at = 0; at < len; at += piece)
		if (kube_watch_feed(&w, text + at, len - at < piece ? len - at : piece) < 0)
			kube_watch_restart(&w);
}

static void discovery(const char *text, size_t len)
{
	struct kube_config c = { 0 };
	_json_ struct json *j = NULL;
	_kube_ struct kube *k = NULL;

	strv_add(&c.servers, "http://127.0.0.1:1");
	if (kube_new(&c, &k, NULL) < 0)
		abort();
	strv_free(&c.servers);
	if (json_parse(text, len, &j, NULL) < 0)
		return;
	kube_kinds_add(k, "v1", j);
	kube_kinds_add(k, "a/v1", j);
	kube_kinds_forget(k, "v1");
	for (size_t i = 0; i < k->n_kinds; i++)
		if (!str_eq(k->kinds[i].api_version, "a/v1") || strchr(k->kinds[i].plural, '/'))
			abort();
}

static void manifests(const char *text, size_t len)
{
	struct kube_documents s = { .text = text, .len = len };
	struct kube_document d;

	while (kube_documents_next(&s, &d, NULL) > 0) {
		_kube_head_ struct kube_head h = { 0 };

		if (d.text < text || d.text + d.len > text + len || !d.len)
			abort();
		if (kube_head_read(&d, "x", &h, NULL) == 0 &&
		    (!h.name || !h.kind || !h.api_version))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault f = { 0 };
	const char *text = (const char *)data + 1;

	if (!size)
		return 0;
	size--;
	switch (data[0] & 3) {
	case 0:
		if (kube_refused(400 + data[0] / 4 * 3, text, size, "GET /", &f) >= 0)
			abort();
		break;
	case 1:
		watch(text, size, (size_t)data[0] / 4 + 1);
		break;
	case 2:
		discovery(text, size);
		break;
	default:
		manifests(text, size);
	}
	return 0;
}
