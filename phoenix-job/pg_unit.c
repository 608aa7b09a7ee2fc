/* See pg_unit.h. */
#include "phoenix-job/pg_unit.h"

#include "lib/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <regex.h>

#define POD "postgres-"
#define CONFIG_MAX 65536
#define SECRET_MAX 1024

void pg_unit_free(struct pg_unit *u)
{
	for (size_t i = 0; i < u->n_services; i++) {
		free(u->services[i].database);
		free(u->services[i].role);
	}
	free(u->services);
	free(u->pod);
	free(u->uid);
	free(u->address);
	free(u->ns);
	free(u->network);
	strv_free(&u->api);
	*u = (struct pg_unit){ 0 };
}

void pg_pod_name(int pod, char ret[32])
{
	snprintf(ret, 32, POD "%d", pod);
}

int pg_pod_number(const char *name)
{
	long n;

	if (!name || !str_starts(name, POD) ||
	    !str_to_long(name + strlen(POD), 0, PG_PODS - 1, &n) || strlen(name) != strlen(POD) + 1)
		return -1;
	return (int)n;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t re;
	bool yes;

	if (!text || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	yes = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

static char *from_environment(const char *name, const char *pattern, struct strv *wrong)
{
	const char *value = getenv(name);

	if (!value)
		strv_addf(wrong, "%s is not set in the environment", name);
	else if (!matches(value, pattern))
		strv_addf(wrong, "%s is '%s'", name, value);
	return mem_strdup(value);
}

static bool is_address(const char *text, int family)
{
	unsigned char binary[sizeof(struct in6_addr)];

	return inet_pton(family, text, binary) == 1;
}

static bool is_network(const char *text)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	_free_ char *address = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;
	long bits;

	return address &&
	       ((is_address(address, AF_INET) && str_to_long(slash + 1, 0, 32, &bits)) ||
		(is_address(address, AF_INET6) && str_to_long(slash + 1, 0, 128, &bits)));
}

static void read_environment(struct pg_unit *u, struct strv *wrong)
{
	static const char uid[] = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

	u->pod = from_environment("POD_NAME", "^" POD "[0-2]$", wrong);
	u->uid = from_environment("POD_UID", uid, wrong);
	u->ns = from_environment("POD_NAMESPACE", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", wrong);
	u->address = from_environment("POD_IP", "", wrong);
	if (u->address && !is_address(u->address, AF_INET) && !is_address(u->address, AF_INET6))
		strv_addf(wrong, "POD_IP is '%s', which is no address", u->address);
	u->self = pg_pod_number(u->pod);
}

/* One of two words. */
static bool choice(const struct json *j, const char *key, const char *no, const char *yes,
		   struct strv *wrong)
{
	const char *value = json_str(j, key);

	if (!str_eq(value, no) && !str_eq(value, yes))
		strv_addf(wrong, "%s is '%s'; it is '%s' or '%s'", key, value ?: "", no, yes);
	return str_eq(value, yes);
}

static void read_services(struct pg_unit *u, const struct json *list, struct strv *wrong)
{
	static const char identifier[] = "^[a-z_][a-z0-9_]{0,62}$";

	u->services = mem_alloc((json_len(list) + 1) * sizeof *u->services);
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *each = json_at(list, i);
		struct pg_service *s = &u->services[u->n_services++];

		s->database = mem_strdup(json_str(each, "database"));
		s->role = mem_strdup(json_str(each, "role"));
		if (!matches(s->database, identifier))
			strv_addf(wrong, "services[%zu].database is no identifier", i);
		if (!matches(s->role, identifier))
			strv_addf(wrong, "services[%zu].role is no identifier", i);
	}
}

/* This node's own API server is asked first. */
static void read_api(struct pg_unit *u, const struct json *list, struct strv *wrong)
{
	const char *node = getenv("NODE_ADDRESS");
	_free_ char *first = mem_printf("https://%s:6443", node ?: "");

	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < json_len(list); i++) {
			const char *url = json_string(json_at(list, i));

			if (!matches(url, "^https://[^/]+$")) {
				if (!others)
					strv_addf(wrong, "api[%zu] is no https://ADDRESS:PORT", i);
			} else if (others != str_eq(url, first)) {
				strv_add(&u->api, url);
			}
		}
	if (!json_len(list))
		strv_add(wrong, "api names no server");
}

static int read_file(const struct fs *fs, struct pg_unit *u, struct strv *wrong, struct fault *f)
{
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;

	if (fs_read(fs, PG_CONFIG, CONFIG_MAX, &text, f) < 0)
		return -f->code;
	if (json_parse(str_text(&text), text.len, &j, f) < 0)
		return fault_wrap(f, "%s", PG_CONFIG);
	if (json_int(j, "version", 0) != 1)
		strv_add(wrong, "version is not 1");
	u->mode = choice(j, "replication", "async", "sync", wrong) ? PG_SYNC : PG_ASYNC;
	u->reads_standbys = choice(j, "reads", "primary", "standbys", wrong);
	u->network = mem_strdup(json_str(j, "network"));
	if (!is_network(u->network))
		strv_add(wrong, "network is no ADDRESS/PREFIX");
	read_api(u, json_get(j, "api", NULL), wrong);
	read_services(u, json_get(j, "services", NULL), wrong);
	return 0;
}

int pg_unit_read(const struct fs *fs, struct pg_unit *ret, struct fault *f)
{
	_unit_ struct pg_unit u = { 0 };
	_strv_ struct strv wrong = { 0 };
	int r;

	read_environment(&u, &wrong);
	r = read_file(fs, &u, &wrong, f);
	if (r < 0 && r != -EINVAL && r != -ENOENT)
		return r;
	if (r < 0)
		strv_add(&wrong, f->text);
	if (wrong.n) {
		_str_ struct str all = { 0 };

		strv_each (each, &wrong)
			str_addf(&all, "%s%s", all.len ? "; " : "", each);
		return fault_set(f, EINVAL, "this is no database pod: %s", str_text(&all));
	}
	*ret = u;
	u = (struct pg_unit){ 0 };
	return 0;
}

int pg_secret(const struct fs *fs, const char *name, struct str *ret, struct fault *f)
{
	_free_ char *path = mem_printf(PG_SECRETS "/%s", name);
	int r;

	str_reset(ret);
	r = fs_read(fs, path, SECRET_MAX, ret, f);
	if (r < 0)
		return r;
	while (ret->len && (ret->p[ret->len - 1] == '\n' || ret->p[ret->len - 1] == '\r'))
		ret->p[--ret->len] = 0;
	if (!ret->len || strchr(ret->p, '\n'))
		return fault_set(f, EINVAL, "%s: is not one line", path);
	return 0;
}
