/* See lease.h. */
#include "lib/lease.h"
#include "lib/kube_internal.h"
#include "lib/timer.h"

#include <errno.h>
#include <time.h>

#define RACES 3 /* against somebody who alters the object without being its holder */

static char *lease_path(const struct lease *l, bool with_name)
{
	struct str s = { 0 };

	str_add(&s, "/apis/coordination.k8s.io/v1/namespaces/");
	kube_escape(&s, l->ns);
	str_add(&s, "/leases");
	if (with_name) {
		str_add(&s, "/");
		kube_escape(&s, l->name);
	}
	return str_take(&s);
}

/* Kubernetes's MicroTime. Its only meaning here is that it differs from the one before. */
static char *micro_time(void)
{
	struct timespec now;
	char date[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	return mem_printf("%s.%06ldZ", date, now.tv_nsec / 1000);
}

static const struct json *lease_spec(const struct json *object)
{
	return json_get(object, "spec", NULL);
}

static bool lease_is_ours(const struct lease *l, const struct json *object)
{
	return str_eq(json_str(lease_spec(object), "holderIdentity"), l->holder);
}

static int64_t lease_seconds(const struct lease *l)
{
	return (l->duration_ms + 999) / 1000;
}

/* Whether OBJECT (NULL: there is none) is free to take, by what was seen of it before. */
static bool lease_observe(struct lease *l, const struct json *object)
{
	const struct json *spec = lease_spec(object);
	const char *holder = json_str(spec, "holderIdentity");
	int64_t seconds = json_int(spec, "leaseDurationSeconds", 0), wait;
	int64_t transitions = json_int(spec, "leaseTransitions", 0);
	char now[sizeof l->seen];

	if (object)
		l->transitions = transitions >= 0 && transitions < INT32_MAX ? transitions : 0;
	if (object ? !holder || !*holder || lease_is_ours(l, object)
		   : !l->wait_absent || lease_held(l)) {
		l->seen[0] = 0;
		return !holder || !*holder;
	}
	/* What changes with every renewal comes first: a long name may be cut. */
	snprintf(now, sizeof now, "%s %lld %lld %s", json_str(spec, "renewTime") ?: "-",
		 (long long)l->transitions, (long long)seconds, holder ?: "nobody");
	if (!str_eq(now, l->seen)) {
		snprintf(l->seen, sizeof l->seen, "%s", now);
		l->seen_since = timer_now();
		return false;
	}
	wait = seconds > 0 && seconds <= INT32_MAX ? seconds * 1000 : lease_seconds(l) * 1000;
	return timer_now() - l->seen_since >= wait + wait / 10;
}

int lease_look(struct lease *l, struct kube *k, struct json **object, struct fault *f)
{
	_free_ char *path = lease_path(l, true);
	_json_ struct json *j = NULL;
	int r = kube_get(k, path, &j, f);
	bool is_free;

	if (r < 0 && r != -ENOENT)
		return r;
	is_free = lease_observe(l, j);
	if (object)
		*object = TAKE_PTR(j);
	return is_free;
}

static void set_annotations(const struct lease *l, struct json *meta)
{
	const struct json *there = json_get(meta, "annotations", NULL);
	struct json *all;

	if (!json_len(l->annotations))
		return;
	all = there ? json_copy(there) : json_object();
	for (size_t i = 0; i < json_len(l->annotations); i++) {
		const char *key = json_key_at(l->annotations, i);

		json_set_str(all, key, json_str(l->annotations, key));
	}
	json_set(meta, "annotations", all);
}

/* The object to write: OLD (NULL: none) with us as holder, or nobody. */
static struct json *lease_build(const struct lease *l, const struct json *old, bool release,
				const char *now)
{
	struct json *j = old ? json_copy(old) : json_object();
	const struct json *old_spec = lease_spec(old), *old_meta = json_get(old, "metadata", NULL);
	struct json *spec = old_spec ? json_copy(old_spec) : json_object();
	struct json *meta = old_meta ? json_copy(old_meta) : json_object();

	json_set_str(j, "apiVersion", "coordination.k8s.io/v1");
	json_set_str(j, "kind", "Lease");
	json_set_str(meta, "name", l->name);
	json_set_str(meta, "namespace", l->ns);
	if (!release && !lease_is_ours(l, old)) {
		json_set_str(spec, "acquireTime", now);
		json_set_int(spec, "leaseTransitions", l->transitions + (old || !lease_held(l)));
	}
	json_set_str(spec, "holderIdentity", release ? "" : l->holder);
	json_set_int(spec, "leaseDurationSeconds", release ? 1 : lease_seconds(l));
	json_set_str(spec, "renewTime", now);
	set_annotations(l, meta);
	json_set(j, "metadata", meta);
	json_set(j, "spec", spec);
	return j;
}

/* Compare-and-swap of OLD. 0 done; -ESTALE: somebody was quicker; another -errno: not known to be
 * done. */
static int lease_swap(struct lease *l, struct kube *k, const struct json *old, bool release,
		      struct fault *f)
{
	_free_ char *path = lease_path(l, old != NULL);
	_free_ char *now = micro_time();
	_json_ struct json *wanted = lease_build(l, old, release, now);
	_json_ struct json *back = NULL;
	struct fault other = { 0 };
	int r = old ? kube_replace(k, path, wanted, NULL, f)
		    : kube_create(k, path, wanted, NULL, f);

	if (r == -EEXIST)
		r = -ESTALE;
	if (r == 0)
		l->transitions = json_int(lease_spec(wanted), "leaseTransitions", 0);
	if (r != -ETIMEDOUT && r != -EIO)
		return r;
	/* The answer was lost, or says nothing: what is there now tells. */
	if (lease_look(l, k, &back, &other) < 0 || !back)
		return r;
	if (str_eq(json_str(lease_spec(back), "renewTime"), now) &&
	    str_eq(json_str(lease_spec(back), "holderIdentity"), release ? "" : l->holder))
		return 0;
	return r;
}

int lease_acquire(struct lease *l, struct kube *k, struct str *holder_now, struct fault *f)
{
	int r = -ESTALE;

	for (int n = 0; n < RACES && r == -ESTALE; n++) {
		_json_ struct json *old = NULL;
		int64_t began;

		r = lease_look(l, k, &old, f);
		if (r < 0)
			return r;
		if (holder_now) {
			str_reset(holder_now);
			str_add(holder_now, json_str(lease_spec(old), "holderIdentity") ?: "");
		}
		if (r == 0 && !lease_is_ours(l, old)) {
			l->held_until = 0;
			return 0;
		}
		began = timer_now();
		r = lease_swap(l, k, old, false, f);
		if (r == 0) {
			l->held_until = began + l->duration_ms;
			if (holder_now) {
				str_reset(holder_now);
				str_add(holder_now, l->holder);
			}
			return 1;
		}
	}
	return r == -ESTALE
		       ? fault_set(f, EAGAIN, "Lease %s/%s: changes all the time", l->ns, l->name)
		       : r;
}

bool lease_held(const struct lease *l)
{
	return timer_now() < l->held_until;
}

int lease_release(struct lease *l, struct kube *k, struct fault *f)
{
	int r = -ESTALE;

	l->held_until = 0;
	for (int n = 0; n < RACES && r == -ESTALE; n++) {
		_json_ struct json *old = NULL;

		r = lease_look(l, k, &old, f);
		if (r < 0)
			return r;
		if (!lease_is_ours(l, old))
			return 0;
		r = lease_swap(l, k, old, true, f);
	}
	return r;
}
