/* See pg_lease.h. */
#include "phoenix-job/pg_lease.h"

#include "phoenix-job/pg_unit.h"

#include "lib/str.h"

#include <stdio.h>

#define POD "phoenix/pod"
#define RENEWALS "phoenix/renewals"
#define RELEASED "phoenix/released"
#define RECORD "phoenix/record"

static int64_t number(const char *text, int64_t max)
{
	long n;

	return text && str_to_long(text, 0, max, &n) ? n : 0;
}

static bool member(const struct json *j, const char *key, int64_t max, int64_t *ret)
{
	*ret = json_int(j, key, -1);
	return *ret >= 0 && *ret <= max;
}

/* Half a record is none: what is missing would be taken for "has come as far as that". */
static void read_record(const char *text, struct pg_record *ret)
{
	_json_ struct json *j = NULL;
	struct pg_record r = { .known = true };
	const struct json *list, *has;
	int64_t position;

	if (!text || json_parse(text, strlen(text), &j, NULL) < 0 ||
	    !member(j, "number", PG_NUMBER_MAX, &r.number) ||
	    !member(j, "term", PG_TERM_MAX, &r.place.term) ||
	    !member(j, "recorded", PG_NUMBER_MAX, &r.place.recorded) ||
	    !member(j, "position", INT64_MAX, &position))
		return;
	r.place.position = (uint64_t)position;
	has = json_get(j, "has", NULL);
	for (int i = 0; i < PG_PODS; i++) {
		char name[32];

		pg_pod_name(i, name);
		if (!member(has, name, INT64_MAX, &position))
			return;
		r.has[i] = (uint64_t)position;
	}
	list = json_get(j, "eligible", NULL);
	for (size_t i = 0; i < json_len(list); i++) {
		int pod = pg_pod_number(json_string(json_at(list, i)));

		if (pod >= 0)
			r.eligible[pod] = true;
	}
	*ret = r;
}

void pg_lease_read(const struct json *object, struct pg_lease *ret)
{
	const struct json *spec = json_get(object, "spec", NULL);
	const struct json *meta = json_get(object, "metadata", NULL);
	const struct json *notes = json_get(meta, "annotations", NULL);

	*ret = (struct pg_lease){ 0 };
	if (!object)
		return;
	ret->exists = true;
	snprintf(ret->holder, sizeof ret->holder, "%s", json_str(spec, "holderIdentity") ?: "");
	ret->released = !ret->holder[0] && str_eq(json_str(notes, RELEASED), "true");
	if (!member(spec, "leaseTransitions", PG_TERM_MAX, &ret->term))
		ret->term = 0;
	ret->renewals = number(json_str(notes, RENEWALS), PG_NUMBER_MAX);
	snprintf(ret->uid, sizeof ret->uid, "%s", json_str(meta, "uid") ?: "");
	ret->version = (uint64_t)number(json_str(meta, "resourceVersion"), INT64_MAX);
	read_record(json_str(notes, RECORD), &ret->record);
}

void pg_lease_holder(const struct json *object, char pod[64], char uid[64])
{
	const struct json *notes = json_get(object, "metadata", "annotations", NULL);
	const char *holder = json_str(json_get(object, "spec", NULL), "holderIdentity") ?: "";
	const char *slash = strchr(holder, '/');

	if (pod)
		snprintf(pod, 64, "%s", slash ? json_str(notes, POD) ?: "" : "");
	if (uid)
		snprintf(uid, 64, "%.*s", slash ? (int)(slash - holder) : 0, holder);
}

static char *record_text(const struct pg_record *r)
{
	_json_ struct json *j = json_object();
	struct json *list = json_array(), *has = json_object();
	_str_ struct str text = { 0 };

	json_set_int(j, "number", r->number);
	json_set_int(j, "term", r->place.term);
	json_set_int(j, "recorded", r->place.recorded);
	json_set_int(j, "position", (int64_t)r->place.position);
	for (int i = 0; i < PG_PODS; i++) {
		char name[32];

		pg_pod_name(i, name);
		if (r->eligible[i])
			json_push_str(list, name);
		json_set_int(has, name, (int64_t)r->has[i]);
	}
	json_set(j, "eligible", list);
	json_set(j, "has", has);
	json_print(j, 0, &text);
	return str_take(&text);
}

struct json *pg_lease_object(const struct pg_lease *l, const char *ns, const char *pod,
			     const char *now)
{
	struct json *j = json_object(), *meta = json_object(), *spec = json_object();
	struct json *notes = json_object();
	_free_ char *renewals = mem_printf("%lld", (long long)l->renewals);
	_free_ char *version = mem_printf("%llu", (unsigned long long)l->version);
	_free_ char *record = l->record.known ? record_text(&l->record) : NULL;

	json_set_str(j, "apiVersion", "coordination.k8s.io/v1");
	json_set_str(j, "kind", "Lease");
	json_set_str(notes, POD, pod);
	json_set_str(notes, RENEWALS, renewals);
	json_set_str(notes, RELEASED, l->released ? "true" : NULL);
	json_set_str(notes, RECORD, record);
	json_set_str(meta, "name", "postgres");
	json_set_str(meta, "namespace", ns);
	json_set_str(meta, "resourceVersion", l->version ? version : NULL);
	json_set_str(meta, "uid", l->version && *l->uid ? l->uid : NULL);
	json_set(meta, "annotations", notes);
	json_set_str(spec, "holderIdentity", l->holder);
	json_set_int(spec, "leaseDurationSeconds", pg_times.lease_ms / 1000);
	json_set_int(spec, "leaseTransitions", l->term);
	json_set_str(spec, "renewTime", now);
	json_set(j, "metadata", meta);
	json_set(j, "spec", spec);
	return j;
}
