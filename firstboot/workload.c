/* See workload.h. */
#include "firstboot/workload.h"

#include <errno.h>

#define MESSAGE_MAX 220 /* of what others wrote; the rest is for kubectl */

static const char *meta(const struct json *object, const char *key)
{
	return json_str(json_get(object, "metadata", NULL), key);
}

static int64_t status_int(const struct json *w, const char *key)
{
	return json_int(json_get(w, "status", NULL), key, 0);
}

/* Messages of others may have lines. */
static void add_message(struct str *out, const char *text)
{
	size_t n = strlen(text);

	if (n > MESSAGE_MAX) {
		n = MESSAGE_MAX;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		str_add_n(out, (unsigned char)text[i] < ' ' ? " " : text + i, 1);
	if (text[n])
		str_add(out, "…");
}

static void add_reason(struct str *out, const char *reason, const char *message)
{
	add_message(out, reason);
	if (message && *message) {
		str_add(out, ": ");
		add_message(out, message);
	}
}

bool workload_is(const char *kind)
{
	return str_eq(kind, "Deployment") || str_eq(kind, "StatefulSet") ||
	       str_eq(kind, "DaemonSet");
}

/* With OnDelete the pods that are there stay as they are until somebody replaces them. */
static bool rolls(const struct json *w)
{
	return !str_eq(json_string(json_get(w, "spec", "updateStrategy", "type", NULL)),
		       "OnDelete");
}

static void counts(const struct json *w, int nodes, int64_t *want, int64_t *ready, int64_t *updated)
{
	const char *kind = json_str(w, "kind");

	if (str_eq(kind, "DaemonSet")) {
		*want = status_int(w, "desiredNumberScheduled");
		*ready = status_int(w, "numberReady");
		*updated = status_int(w, "updatedNumberScheduled");
		return;
	}
	*want = json_int(json_get(w, "spec", NULL), "replicas", 1);
	if (*want > nodes)
		*want = nodes;
	*ready = status_int(w, str_eq(kind, "Deployment") ? "availableReplicas" : "readyReplicas");
	*updated = status_int(w, "updatedReplicas");
}

bool workload_ready(const struct json *w, int nodes, struct str *why)
{
	int64_t want, ready, updated;

	counts(w, nodes, &want, &ready, &updated);
	if (status_int(w, "observedGeneration") <
	    json_int(json_get(w, "metadata", NULL), "generation", 1)) {
		str_add(why, "not looked at yet by its controller");
		return false;
	}
	if (ready >= want && (!rolls(w) || updated >= want))
		return true;
	if (ready >= want)
		str_addf(why, "%lld of %lld renewed", (long long)updated, (long long)want);
	else
		str_addf(why, "%lld of %lld ready", (long long)ready, (long long)want);
	return false;
}

static const struct json *condition(const struct json *object, const char *type)
{
	const struct json *all = json_get(object, "status", "conditions", NULL);

	for (size_t i = 0; i < json_len(all); i++)
		if (str_eq(json_str(json_at(all, i), "type"), type))
			return json_at(all, i);
	return NULL;
}

static bool starts(const char *reason)
{
	return str_eq(reason, "ContainerCreating") || str_eq(reason, "PodInitializing");
}

static void add_end(struct str *why, const struct json *end)
{
	const char *message = json_str(end, "message");

	str_addf(why, "ended with status %lld", (long long)json_int(end, "exitCode", -1));
	if (message && *message) {
		str_add(why, ": ");
		add_message(why, message);
	}
}

/* What keeps the container of STATUS; false: nothing, or it only starts. */
static bool container_trouble(const struct json *status, bool init, struct str *why)
{
	const struct json *waits = json_get(status, "state", "waiting", NULL),
			  *end = json_get(status, "state", "terminated", NULL),
			  *last = json_get(status, "lastState", "terminated", NULL);
	const char *reason = json_str(waits, "reason");

	if (reason && !starts(reason) && last && str_eq(reason, "CrashLoopBackOff")) {
		str_addf(why, "%s: ", reason);
		add_end(why, last);
		return true;
	}
	if (reason && !starts(reason)) {
		add_reason(why, reason, json_str(waits, "message"));
		return true;
	}
	if (end && !(init && json_int(end, "exitCode", -1) == 0)) {
		add_end(why, end);
		return true;
	}
	return false;
}

static bool containers_trouble(const struct json *pod, struct str *why)
{
	const struct json *init = json_get(pod, "status", "initContainerStatuses", NULL),
			  *main = json_get(pod, "status", "containerStatuses", NULL);

	for (size_t i = 0; i < json_len(init); i++)
		if (container_trouble(json_at(init, i), true, why))
			return true;
	for (size_t i = 0; i < json_len(main); i++)
		if (container_trouble(json_at(main, i), false, why))
			return true;
	return false;
}

enum pod_trouble pod_trouble(const struct json *pod, struct str *why)
{
	const struct json *status = json_get(pod, "status", NULL),
			  *scheduled = condition(pod, "PodScheduled");
	const char *phase = json_str(status, "phase");

	if (!json_get(pod, "metadata", "deletionTimestamp", NULL) &&
	    str_eq(json_str(condition(pod, "Ready"), "status"), "True"))
		return POD_WELL;
	str_addf(why, "%s: ", meta(pod, "name") ?: "a pod");
	if (json_get(pod, "metadata", "deletionTimestamp", NULL)) {
		str_add(why, "is being removed");
		return POD_UNTOLD;
	}
	if (str_eq(phase, "Failed")) {
		add_reason(why, json_str(status, "reason") ?: "Failed",
			   json_str(status, "message"));
		return POD_TOLD;
	}
	if (str_eq(json_str(scheduled, "status"), "False")) {
		add_reason(why, "Pending", json_str(scheduled, "message"));
		return POD_TOLD;
	}
	if (containers_trouble(pod, why))
		return POD_TOLD;
	str_add(why, str_eq(phase, "Running") ? "runs, and is not ready" : "is being started");
	return POD_UNTOLD;
}

/* Of an Event: which form of its time is there depends on who wrote it. */
static const char *event_time(const struct json *e)
{
	const char *keys[] = { "lastTimestamp", "eventTime", "firstTimestamp" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_str(e, keys[i]))
			return json_str(e, keys[i]);
	return meta(e, "creationTimestamp") ?: "";
}

bool event_latest(const struct json *events, struct str *why)
{
	const struct json *latest = NULL;

	for (size_t i = 0; i < json_len(events); i++) {
		const struct json *e = json_at(events, i);

		/* RFC 3339 in UTC: later is greater */
		if (json_str(e, "reason") &&
		    (!latest || strcmp(event_time(e), event_time(latest)) >= 0))
			latest = e;
	}
	if (latest)
		add_reason(why, json_str(latest, "reason"), json_str(latest, "message"));
	return latest;
}

/* ": REASON: MESSAGE" of the latest warning about OBJECT, if there is one. What cannot be asked is
 * left out: this is for people. */
static void add_events(struct kube *k, const struct json *object, const char *before,
		       struct str *why)
{
	const char *ns = meta(object, "namespace"), *uid = meta(object, "uid");
	_free_ char *path = mem_printf("/api/v1/namespaces/%s/events?fieldSelector="
				       "involvedObject.uid%%3D%s%%2Ctype%%3DWarning",
				       ns, uid);
	_json_ struct json *events = NULL;
	_str_ struct str text = { 0 };

	if (ns && uid && kube_list(k, path, &events, NULL, NULL) == 0 &&
	    event_latest(events, &text))
		str_addf(why, "%s%s", before, text.p);
}

/* The pods of W by its selector's labels. */
static int pods_of(struct kube *k, const struct json *w, struct json **ret, struct fault *f)
{
	const struct json *labels = json_get(w, "spec", "selector", "matchLabels", NULL);
	_str_ struct str path = { 0 };

	str_addf(&path, "/api/v1/namespaces/%s/pods?labelSelector=", meta(w, "namespace") ?: "");
	/* names of labels have '/', and nothing else that needs an escape */
	for (size_t i = 0; i < json_len(labels); i++) {
		const char *key = json_key_at(labels, i), *slash = strchr(key, '/');

		str_addf(&path, "%s%.*s%s%s%%3D%s", i ? "%2C" : "",
			 (int)(slash ? slash - key : (long)strlen(key)), key, slash ? "%2F" : "",
			 slash ? slash + 1 : "", json_str(labels, key) ?: "");
	}
	return kube_list(k, path.p, ret, NULL, f);
}

/* The pod that says most, and how many others are not well either. */
static void add_pods(struct kube *k, const struct json *pods, struct str *why)
{
	_str_ struct str worst = { 0 };
	const struct json *of = NULL;
	enum pod_trouble how = POD_WELL;
	int others = -1;

	for (size_t i = 0; i < json_len(pods); i++) {
		_str_ struct str one = { 0 };
		enum pod_trouble now = pod_trouble(json_at(pods, i), &one);

		others += now != POD_WELL;
		if (now <= how)
			continue;
		how = now;
		of = json_at(pods, i);
		str_free(&worst);
		worst = one;
		one = (struct str){ 0 };
	}
	if (!of)
		return;
	str_addf(why, ": %s", worst.p);
	if (how == POD_UNTOLD)
		add_events(k, of, ": ", why);
	if (others)
		str_addf(why, "; and %d more", others);
}

int workload_look(struct kube *k, const struct json *w, int nodes, struct str *why, struct fault *f)
{
	_str_ struct str far = { 0 };
	_json_ struct json *pods = NULL;
	int r;

	if (workload_ready(w, nodes, &far))
		return 1;
	r = pods_of(k, w, &pods, f);
	if (r < 0)
		return r;
	str_addf(why, "%s %s", meta(w, "name") ?: "", far.p);
	if (json_len(pods))
		add_pods(k, pods, why);
	else
		add_events(k, w, ": ", why);
	return 0;
}
