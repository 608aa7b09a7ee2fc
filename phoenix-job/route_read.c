/* Reading the objects of route_api.h: whatever anybody wrote into them, what comes out has the form
 * that the rules and PgBouncer's files expect. */
#include "phoenix-job/route_api.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Longer than it can be: nothing, rather than a part. */
static void copy(char to[ROUTE_NAME], const char *text)
{
	memset(to, 0, ROUTE_NAME);
	if (text && strlen(text) < ROUTE_NAME)
		memcpy(to, text, strlen(text) + 1);
}

void route_read_lease(const struct json *object, struct route_lease *ret)
{
	const struct json *spec = json_get(object, "spec", NULL);
	_free_ char *holder = mem_strdup(json_str(spec, "holderIdentity") ?: "");

	*ret = (struct route_lease){ .known = spec, .term = json_int(spec, "leaseTransitions", 0) };
	holder[strcspn(holder, "/")] = 0;
	copy(ret->uid, holder);
}

void route_read_move(const struct json *object, struct route_move *ret)
{
	static const struct {
		const char *name;
		enum route_phase phase;
	} phases[] = {
		{ "fence", ROUTE_FENCE }, { "pause", ROUTE_PAUSE },  { "moved", ROUTE_MOVED },
		{ "done", ROUTE_OVER },	  { "aborted", ROUTE_OVER },
	};
	const struct json *data = json_get(object, "data", NULL);
	const char *phase = json_str(data, "phase");
	long term, seconds;

	*ret = (struct route_move){ 0 };
	if (!str_to_long(json_str(data, "transitions"), 0, INT64_MAX, &term) ||
	    !str_to_long(json_str(data, "seconds"), 1, 600, &seconds))
		return;
	copy(ret->id, json_str(data, "id"));
	copy(ret->to, json_str(data, "to"));
	ret->term = term;
	ret->seconds = seconds;
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		if (str_eq(phase, phases[i].name))
			ret->phase = phases[i].phase;
}

bool route_read_pod(const struct json *object, struct route_pod *ret)
{
	const struct json *meta = json_get(object, "metadata", NULL);
	unsigned char buf[sizeof(struct in6_addr)];

	*ret = (struct route_pod){ 0 };
	copy(ret->name, json_str(meta, "name"));
	copy(ret->uid, json_str(meta, "uid"));
	copy(ret->address, json_str(json_get(object, "status", NULL), "podIP"));
	return *ret->name && *ret->uid &&
	       (inet_pton(AF_INET, ret->address, buf) == 1 ||
		inet_pton(AF_INET6, ret->address, buf) == 1);
}
