/* The Lease `postgres', whoever edited it: what was read of it is written and read as the same. */
#include "phoenix-job/pg_lease.h"

#include "lib/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_record(const struct pg_record *a, const struct pg_record *b)
{
	return a->known == b->known && a->number == b->number &&
	       memcmp(&a->place, &b->place, sizeof a->place) == 0 &&
	       memcmp(a->eligible, b->eligible, sizeof a->eligible) == 0 &&
	       memcmp(a->has, b->has, sizeof a->has) == 0;
}

static bool same(const struct pg_lease *a, const struct pg_lease *b)
{
	return a->exists == b->exists && str_eq(a->holder, b->holder) &&
	       a->released == b->released && a->term == b->term && a->renewals == b->renewals &&
	       a->version == b->version && str_eq(a->uid, b->version ? b->uid : a->uid) &&
	       same_record(&a->record, &b->record);
}

static void written_and_read(const struct pg_lease *l, struct pg_lease *ret)
{
	_json_ struct json *j = pg_lease_object(l, "database", "postgres-0", "now");

	memset(ret, 0xff, sizeof *ret);
	pg_lease_read(j, ret);
}

/* One that was cut in the middle of a letter comes back with '?' there. */
static bool is_cut(const struct pg_lease *l)
{
	return strlen(l->holder) == sizeof l->holder - 1 || strlen(l->uid) == sizeof l->uid - 1;
}

static void check_holder(const struct json *j, const struct pg_lease *l)
{
	char pod[64], uid[64];

	pg_lease_holder(j, pod, uid);
	if (strchr(uid, '/') || (!l->holder[0] && (*pod || *uid)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_json_ struct json *j = NULL;
	struct pg_lease first, second, third;

	if (json_parse((const char *)data, size, &j, NULL) < 0)
		return 0;
	memset(&first, 0xff, sizeof first);
	pg_lease_read(j, &first);
	check_holder(j, &first);
	if ((first.released && first.holder[0]) || first.term < 0 || first.term > PG_TERM_MAX ||
	    first.renewals < 0 || first.record.number < 0)
		abort();
	written_and_read(&first, &second);
	written_and_read(&second, &third);
	if ((!is_cut(&first) && !same(&first, &second)) || !same(&second, &third))
		abort();
	return 0;
}
