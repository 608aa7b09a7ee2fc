/* Values that the real server does not take, as far as a program of ours could send them: a double
 * that takes everything would hide that. */
#include "tests/double/api.h"

#include <time.h>

/* RFC 1123: lower case letters, digits, '-' and '.', a letter or digit at both ends. */
static bool is_name(const char *name)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strlen(name);

	return n && n < 254 && strspn(name, inner) == n && !strchr("-.", name[0]) &&
	       !strchr("-.", name[n - 1]) && !strstr(name, "..");
}

/* Roles have names with colons. */
static bool is_path_segment(const char *name)
{
	return *name && !strpbrk(name, "/%") && !str_eq(name, ".") && !str_eq(name, "..");
}

/* OBJECT (NULL: fine) holds strings and nothing else. */
static bool all_strings(const struct kind *k, const struct json *object, const char *field,
			struct refusal *no)
{
	for (size_t i = 0; i < json_len(object); i++) {
		const char *key = json_key_at(object, i);

		if (!key || !json_str(object, key))
			return refuse(no, 400, "BadRequest",
				      "%s in version \"%s\" cannot be handled as a %s: %s: cannot "
				      "unmarshal into Go struct field of type string",
				      k->name, k->gv, k->name, field);
	}
	return true;
}

static bool is_micro_time(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	/* Go's "2006-01-02T15:04:05.000000Z07:00" */
	return end && *end == '.' && strspn(end + 1, "0123456789") == 6 && str_eq(end + 7, "Z");
}

static bool check_lease(const struct json *o, const char *name, struct refusal *no)
{
	static const char *const times[] = { "acquireTime", "renewTime" };
	const struct json *spec = json_get(o, "spec", NULL);

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (json_str(spec, times[i]) && !is_micro_time(json_str(spec, times[i])))
			return refuse(no, 400, "BadRequest",
				      "Lease in version \"v1\" cannot be handled as a Lease: "
				      "parsing time \"%s\"",
				      json_str(spec, times[i]));
	if (json_int(spec, "leaseDurationSeconds", 1) <= 0)
		return refuse(no, 422, "Invalid",
			      "Lease.coordination.k8s.io \"%s\" is invalid: "
			      "spec.leaseDurationSeconds: must be greater than 0",
			      name);
	if (json_int(spec, "leaseTransitions", 0) < 0)
		return refuse(no, 422, "Invalid",
			      "Lease.coordination.k8s.io \"%s\" is invalid: "
			      "spec.leaseTransitions: must be greater than or equal to 0",
			      name);
	return true;
}

bool object_check(const struct kind *k, const struct place *at, const struct json *o,
		  struct refusal *no)
{
	bool role = str_starts(k->gv, "rbac.");

	if (!*at->name)
		return refuse(no, 422, "Invalid",
			      "%s \"\" is invalid: metadata.name: Required value: name or "
			      "generateName is required",
			      k->name);
	if (role ? !is_path_segment(at->name) : !is_name(at->name))
		return refuse(no, 422, "Invalid",
			      "%s \"%s\" is invalid: metadata.name: Invalid value: \"%s\": a "
			      "lowercase RFC 1123 subdomain must consist of lower case "
			      "alphanumeric characters, '-' or '.', and must start and end with "
			      "an alphanumeric character",
			      k->name, at->name, at->name);
	if (!all_strings(k, json_get(o, "metadata", "labels", NULL), "labels", no) ||
	    !all_strings(k, json_get(o, "metadata", "annotations", NULL), "annotations", no))
		return false;
	if (str_eq(k->name, "ConfigMap") || str_eq(k->name, "Secret"))
		return all_strings(k, json_get(o, "data", NULL), "data", no);
	return !str_eq(k->name, "Lease") || check_lease(o, at->name, no);
}
