/* Any object of the API: what is read of it fits the rules, and an address is one: it is written
 * into a file of PgBouncer's. */
#include "phoenix-job/route_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_json_ struct json *j = NULL;
	struct route_lease lease;
	struct route_move move;
	struct route_pod pod;

	if (json_parse((const char *)data, size, &j, NULL) < 0)
		return 0;
	route_read_lease(j, &lease);
	route_read_move(j, &move);
	if (strlen(lease.uid) >= ROUTE_NAME || strchr(lease.uid, '/') ||
	    strlen(move.id) >= ROUTE_NAME || (*move.id && (move.seconds < 1 || move.term < 0)))
		abort();
	if (route_read_pod(j, &pod) &&
	    strspn(pod.address, "0123456789abcdefABCDEF.:") != strlen(pod.address))
		abort();
	return 0;
}
