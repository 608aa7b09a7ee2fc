/* What the double does wrong when it is told to, as a client of it sees it. As world.h, and
 * KUBE_DOUBLE: the double's program and its socket. Tokens "one-token" and "two-token" belong to
 * "one" and "two". */
#include "tests/contract/world.h"

#include "lib/proc.h"

#include <pthread.h>

#define EVENTS 200 /* that the double remembers */

/* What the double says to WORDS. */
static char *told(const char *word, const char *rest, const char *json)
{
	_free_ char *double_ = mem_strdup(getenv("KUBE_DOUBLE"));
	const char *argv[] = { double_, "--tell", NULL, word, rest, json, NULL };
	_str_ struct str out = { 0 };
	struct fault f = { 0 };

	argv[2] = strchr(double_, ' ') + 1;
	*strchr(double_, ' ') = 0;
	no_fault(proc_ok(&(struct proc){ .argv = argv }, &out, &f), &f);
	return str_take(&out);
}

static void say(const char *word, const char *rest, const char *json)
{
	_free_ char *words = told(word, rest, json);
}

/* A client by TOKEN (NULL: the administrator) of the last N servers of the list. */
static struct kube *client(const struct world *w, const char *token, size_t n)
{
	const struct strv *all = &w->config.servers;
	struct kube_config c = w->config;
	struct kube *k = NULL;
	struct fault f = { 0 };

	c.servers = (struct strv){ all->v + all->n - n, n };
	c.timeout_ms = 400;
	if (token) {
		c.token = (char *)(uintptr_t)token;
		c.cert_pem = c.key_pem = NULL;
	}
	no_fault(kube_new(&c, &k, &f), &f);
	return k;
}

/* Makes ConfigMap NAME; what came of it. */
static int make(struct kube *k, const struct world *w, const char *name)
{
	_json_ struct json *new = object("ConfigMap", name);

	return kube_create(k, w->maps, new, NULL, NULL);
}

static int look(const struct world *w, const char *name, struct json **ret)
{
	_free_ char *path = map_path(w, name);

	return kube_get(w->k, path, ret, NULL);
}

static void servers_that_are_down_hang(void **state)
{
	struct world *w = *state;
	_kube_ struct kube *k = client(w, NULL, 1), *kept = client(w, NULL, 1);
	int64_t began;

	assert_int_equal(kube_get(kept, w->maps, NULL, NULL), 0);
	say("down", NULL, NULL);
	began = timer_now();
	/* TCP connects, TLS does not */
	assert_int_equal(make(k, w, "down"), -EHOSTUNREACH);
	assert_true(timer_now() - began >= 200);
	assert_int_equal(kube_get(kept, w->maps, NULL, NULL), -ETIMEDOUT);
	say("up", NULL, NULL);
	assert_int_equal(kube_get(kept, w->maps, NULL, NULL), 0);
	assert_int_equal(look(w, "down", NULL), -ENOENT);
	assert_int_equal(make(k, w, "down"), 0);
}

static void servers_that_are_gone_refuse(void **state)
{
	struct world *w = *state;
	_kube_ struct kube *k = client(w, NULL, 1);

	assert_int_equal(kube_get(k, w->maps, NULL, NULL), 0);
	say("refuse", NULL, NULL);
	assert_int_equal(kube_get(k, w->maps, NULL, NULL), -ECONNREFUSED);
	assert_int_equal(make(k, w, "gone"), -ECONNREFUSED);
	say("up", NULL, NULL);
	assert_int_equal(make(k, w, "gone"), 0);
}

static void of_three_servers_one_is_enough(void **state)
{
	static const char *const faults[] = { "refuse", "down" };
	struct world *w = *state;
	_kube_ struct kube *k = client(w, NULL, 3), *alone = client(w, NULL, 1);
	const char *last = strstr(w->config.servers.v[w->config.servers.n - 1], "//") + 2;

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		say(faults[i], NULL, NULL);
		say("up", last, NULL);
		assert_int_equal(kube_get(k, w->maps, NULL, NULL), 0);
		assert_int_equal(kube_get(alone, w->maps, NULL, NULL), 0);
		say("up", NULL, NULL);
		say(faults[i], last, NULL);
		assert_int_equal(kube_get(k, w->maps, NULL, NULL), 0);
		assert_true(kube_get(alone, w->maps, NULL, NULL) < 0);
		say("up", NULL, NULL);
	}
}

static void who_is_cut_off_is_alone(void **state)
{
	struct world *w = *state;
	_kube_ struct kube *one = client(w, "one-token", 3), *two = client(w, "two-token", 3);

	assert_int_equal(make(one, w, "before"), 0);
	say("cut", "one", NULL);
	assert_int_equal(make(one, w, "while-cut"), -ETIMEDOUT);
	assert_int_equal(kube_get(one, w->maps, NULL, NULL), -ETIMEDOUT);
	assert_int_equal(kube_get(two, w->maps, NULL, NULL), 0);
	say("heal", "one", NULL);
	assert_int_equal(look(w, "while-cut", NULL), -ENOENT);
	assert_int_equal(make(one, w, "while-cut"), 0);
}

static void a_lost_answer_is_of_a_write_that_was_done(void **state)
{
	struct world *w = *state;
	_kube_ struct kube *k = client(w, NULL, 1);

	say("lose", "1", NULL);
	assert_int_equal(kube_get(k, w->maps, NULL, NULL), 0);
	assert_int_equal(make(k, w, "lost"), -ETIMEDOUT);
	assert_int_equal(look(w, "lost", NULL), 0);
	assert_int_equal(make(k, w, "found"), 0);
}

static void a_late_write_is_done_after_all(void **state)
{
	struct world *w = *state;
	_kube_ struct kube *k = client(w, NULL, 1);
	int64_t until = timer_now() + LATE;

	say("delay", "700", NULL);
	assert_int_equal(make(k, w, "late"), -ETIMEDOUT);
	say("delay", "0", NULL);
	assert_int_equal(look(w, "late", NULL), -ENOENT);
	while (look(w, "late", NULL) == -ENOENT && timer_now() < until)
		timer_sleep(50);
	assert_int_equal(look(w, "late", NULL), 0);
}

struct seen {
	struct str said;
	int limit;
};

static int see(void *user, const char *type, const struct json *o)
{
	struct seen *s = user;

	str_addf(&s->said, "%s %s, ", type, meta(o, "name"));
	return --s->limit == 0;
}

static char *version_now(struct world *w)
{
	_json_ struct json *list = NULL;
	char *version = NULL;
	struct fault f = { 0 };

	no_fault(kube_list(w->k, w->maps, &list, &version, &f), &f);
	return version;
}

static void a_restored_store_is_as_it_was(void **state)
{
	struct world *w = *state;
	_free_ char *before = version_now(w), *after = NULL, *future = NULL;
	_json_ struct json *kept = NULL, *now = NULL;
	struct seen seen = { .limit = 1 };

	assert_int_equal(make(w->k, w, "kept"), 0);
	assert_int_equal(look(w, "kept", &kept), 0);
	say("snapshot", "a", NULL);
	assert_int_equal(make(w->k, w, "forgotten"), 0);
	assert_int_equal(make(w->k, w, "forgotten-too"), 0);
	future = version_now(w);
	say("restore", "a", NULL);
	after = version_now(w);
	assert_string_equal(after, meta(kept, "resourceVersion"));
	assert_int_equal(look(w, "forgotten", NULL), -ENOENT);
	assert_int_equal(look(w, "kept", &now), 0);
	assert_string_equal(meta(now, "uid"), meta(kept, "uid"));
	/* what led there is forgotten, and what is told of later is not told of before it comes */
	assert_int_equal(kube_watch(w->k, w->maps, &before, 1000, see, &seen, NULL), -ESTALE);
	assert_int_equal(make(w->k, w, "silent"), 0);
	assert_int_equal(kube_watch(w->k, w->maps, &future, 1000, see, &seen, NULL), 0);
	assert_null(seen.said.p);
	assert_int_equal(kube_watch(w->k, w->maps, &after, LATE, see, &seen, NULL), 0);
	assert_string_equal(seen.said.p, "ADDED silent, ");
	str_free(&seen.said);
}

static void what_is_too_long_ago_is_forgotten(void **state)
{
	struct world *w = *state;
	_free_ char *version = version_now(w), *path = map_path(w, "often");
	_free_ char *later = NULL;
	struct seen seen = { .limit = 1 };

	for (int i = 0; i <= EVENTS; i++) {
		_free_ char *text = mem_printf("{\"data\":{\"a\":\"%d\"}}", i);

		say("put", path, text);
		if (i == 1)
			later = version_now(w);
	}
	assert_int_equal(kube_watch(w->k, w->maps, &version, 1000, see, &seen, NULL), -ESTALE);
	assert_int_equal(kube_watch(w->k, w->maps, &later, LATE, see, &seen, NULL), 0);
	assert_string_equal(seen.said.p, "MODIFIED often, ");
	str_free(&seen.said);
}

/* A change while the watch is on and nothing comes through to it. */
struct meanwhile {
	const char *fault, *name, *cure, *path;
};

static void *write_meanwhile(void *arg)
{
	const struct meanwhile *m = arg;

	timer_sleep(500);
	say(m->fault, m->name, NULL);
	say("put", m->path, "{\"data\":{\"a\":\"1\"}}");
	timer_sleep(700);
	say(m->cure, m->name, NULL);
	return NULL;
}

static void assert_told_late(struct world *w, struct meanwhile *m)
{
	_free_ char *version = version_now(w);
	_kube_ struct kube *k = client(w, "two-token", 3);
	struct seen seen = { .limit = 1 };
	int64_t began = timer_now();
	struct fault f = { 0 };
	pthread_t other;

	assert_int_equal(pthread_create(&other, NULL, write_meanwhile, m), 0);
	no_fault(kube_watch(k, w->maps, &version, LATE, see, &seen, &f), &f);
	assert_true(timer_now() - began >= 1200);
	assert_string_equal(seen.said.p, "ADDED meanwhile, ");
	str_free(&seen.said);
	assert_int_equal(pthread_join(other, NULL), 0);
	say("delete", m->path, NULL);
}

static void a_watch_is_told_late(void **state)
{
	struct world *w = *state;
	_free_ char *path = map_path(w, "meanwhile");
	struct meanwhile down = { "down", NULL, "up", path }, cut = { "cut", "two", "heal", path };

	assert_told_late(w, &down);
	assert_told_late(w, &cut);
}

static void an_editor_writes_what_he_likes(void **state)
{
	struct world *w = *state;
	_free_ char *path = map_path(w, "edited"), *text = NULL;
	_free_ char *lease =
		mem_printf("/apis/coordination.k8s.io/v1/namespaces/%s/leases/edited", w->ns);
	_json_ struct json *now = NULL;

	say("put", path, "{\"data\":{\"a\":\"1\"}}");
	say("put", path, "{\"data\":{\"a\":\"2\"}}");
	text = told("get", path, NULL);
	now = parse(text);
	assert_string_equal(json_str(json_get(now, "data", NULL), "a"), "2");
	say("patch", path, "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
	say("put", lease, "{\"spec\":{\"holderIdentity\":\"a\"}}");
	say("put", lease, "{\"spec\":{\"holderIdentity\":\"b\"}}");
	say("delete", path, NULL);
	assert_int_equal(look(w, "edited", NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_that_are_down_hang),
		cmocka_unit_test(servers_that_are_gone_refuse),
		cmocka_unit_test(of_three_servers_one_is_enough),
		cmocka_unit_test(who_is_cut_off_is_alone),
		cmocka_unit_test(a_lost_answer_is_of_a_write_that_was_done),
		cmocka_unit_test(a_late_write_is_done_after_all),
		cmocka_unit_test(a_restored_store_is_as_it_was),
		cmocka_unit_test(what_is_too_long_ago_is_forgotten),
		cmocka_unit_test(a_watch_is_told_late),
		cmocka_unit_test(an_editor_writes_what_he_likes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
