/* Who asks, by the token, and what a ServiceAccount may do, by Roles and what binds them. */
#include "tests/double/api.h"

#include "lib/crypto.h"
#include "lib/fs.h"

#define ACCOUNT "system:serviceaccount:"
#define FILE_MAX (1 << 20)

/* Those made by the server itself: "TOKEN NAME USER". */
static struct strv made;
static pthread_mutex_t made_lock = PTHREAD_MUTEX_INITIALIZER;

char *token_new(const char *ns, const char *account)
{
	char *token = crypto_random_hex(24);

	pthread_mutex_lock(&made_lock);
	strv_addf(&made, "%s %s " ACCOUNT "%s:%s", token, account, ns, account);
	pthread_mutex_unlock(&made_lock);
	return token;
}

/* LINE is "TOKEN NAME [USER]". */
static bool line_is(const char *line, const char *token, struct who *ret)
{
	char is[4096];

	*ret = (struct who){ 0 };
	if (sscanf(line, "%4095s %127s %255s", is, ret->name, ret->user) < 2 ||
	    !crypto_equal(is, token))
		return false;
	if (!*ret->user)
		snprintf(ret->user, sizeof ret->user, "%s", ret->name);
	return true;
}

int load_file(const char *path, struct str *out, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	int r = fs_open(&fs, *path == '/' ? "/" : ".", f);

	return r < 0 ? r : fs_read(&fs, path, FILE_MAX, out, f);
}

static bool in_file(const char *file, const char *token, struct who *ret)
{
	_str_ struct str text = { 0 };
	char *save = NULL;

	if (load_file(file, &text, NULL) < 0 || !text.len)
		return false;
	for (char *line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (line_is(line, token, ret))
			return true;
	return false;
}

bool token_find(const char *file, const char *token, struct who *ret)
{
	bool found = file && in_file(file, token, ret);

	pthread_mutex_lock(&made_lock);
	for (size_t i = 0; i < made.n && !found; i++)
		found = line_is(made.v[i], token, ret);
	pthread_mutex_unlock(&made_lock);
	return found;
}

static bool has(const struct json *list, const char *word)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *one = json_string(json_at(list, i));

		if (str_eq(one, word) || str_eq(one, "*"))
			return true;
	}
	return false;
}

static bool rule_allows(const struct json *rule, const char *verb, const struct place *at)
{
	const char *slash = strchr(at->gv, '/');
	_free_ char *group = mem_strndup(at->gv, slash ? (size_t)(slash - at->gv) : 0);
	_free_ char *resource = mem_printf("%s%s%s", at->plural, *at->sub ? "/" : "", at->sub);
	const struct json *names = json_get(rule, "resourceNames", NULL);

	return has(json_get(rule, "apiGroups", NULL), group) &&
	       has(json_get(rule, "resources", NULL), resource) &&
	       has(json_get(rule, "verbs", NULL), verb) &&
	       (!json_len(names) || (*at->name && has(names, at->name)));
}

/* USER (a ServiceAccount) is one of BINDING's subjects. */
static bool binds(const struct json *binding, const char *user)
{
	const struct json *subjects = json_get(binding, "subjects", NULL);

	for (size_t i = 0; i < json_len(subjects); i++) {
		const struct json *one = json_at(subjects, i);
		_free_ char *name = mem_printf(ACCOUNT "%s:%s", json_str(one, "namespace") ?: "",
					       json_str(one, "name") ?: "");

		if (str_eq(json_str(one, "kind"), "ServiceAccount") && str_eq(name, user))
			return true;
	}
	return false;
}

/* The bindings that are WHERE allow it. */
static bool bindings_allow(const struct store *s, const struct place *where, const char *user,
			   const char *verb, const struct place *at)
{
	_entries_ struct entries bindings = { 0 };

	store_list(s, where, s->version, &bindings);
	for (size_t i = 0; i < bindings.n; i++) {
		const struct json *ref = json_get(bindings.v[i].object, "roleRef", NULL), *rules;
		bool everywhere = str_eq(json_str(ref, "kind"), "ClusterRole");
		struct place role = *where;

		if (!binds(bindings.v[i].object, user))
			continue;
		snprintf(role.plural, sizeof role.plural, everywhere ? "clusterroles" : "roles");
		snprintf(role.name, sizeof role.name, "%s", json_str(ref, "name") ?: "");
		if (everywhere)
			*role.ns = 0;
		rules = json_get(store_get(s, &role), "rules", NULL);
		for (size_t n = 0; n < json_len(rules); n++)
			if (rule_allows(json_at(rules, n), verb, at))
				return true;
	}
	return false;
}

bool access_allowed(const struct store *s, const char *user, const char *verb,
		    const struct place *at)
{
	struct place all = { .gv = "rbac.authorization.k8s.io/v1",
			     .plural = "clusterrolebindings" };
	struct place own = { .gv = "rbac.authorization.k8s.io/v1", .plural = "rolebindings" };

	if (!str_starts(user, ACCOUNT) || bindings_allow(s, &all, user, verb, at))
		return true;
	memcpy(own.ns, at->ns, sizeof own.ns);
	return *own.ns && bindings_allow(s, &own, user, verb, at);
}
