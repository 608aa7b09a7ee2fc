/* Watching: streams that break in mid-line, go stale, end at once, or never say anything. */
#include "tests/unit/test.h"

#include "lib/kube_internal.h"
#include "lib/timer.h"
#include "tests/unit/stub.h"

#define HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close\r\n\r\n"
#define EVENT(type, name, version)                                                           \
	"{\"type\":\"" type "\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name \
	"\",\"resourceVersion\":\"" version "\"}}}"
#define GONE "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}"

/* One answer a request, the last one again and again; each wants a word in the target. */
struct act {
	const char *want, *raw;
	enum stub_then then;
};
struct play {
	struct act acts[6];
	int at, n, wrong;
};
#define PLAY(...)                                                               \
	(struct play)                                                           \
	{                                                                       \
		.acts = { __VA_ARGS__ },                                        \
		.n = sizeof((struct act[]){ __VA_ARGS__ }) / sizeof(struct act) \
	}

static enum stub_then act(struct stub *s, const struct stub_request *rq, struct str *out)
{
	struct play *p = s->user;
	int i = p->at < p->n ? p->at++ : p->n - 1;

	p->wrong += !strstr(rq->target, p->acts[i].want);
	str_add(out, p->acts[i].raw);
	return p->acts[i].then;
}

struct watched {
	struct str said; /* "ADDED a, MODIFIED a, " */
	int limit;	 /* ends after so many */
	int with;	 /* with this */
};

static int on_event(void *user, const char *type, const struct json *object)
{
	struct watched *w = user;

	str_addf(&w->said, "%s %s, ", type, kube_meta(object, "name"));
	return --w->limit == 0 ? w->with : 0;
}

static struct kube *client(const char *a, const char *b)
{
	struct kube_config config = { .timeout_ms = 600 };
	struct kube *k = NULL;

	strv_add(&config.servers, a);
	if (b)
		strv_add(&config.servers, b);
	assert_int_equal(kube_new(&config, &k, NULL), 0);
	strv_free(&config.servers);
	return k;
}

/* Plays ACTS; WANT is what EVENT hears. Returns kube_watch's result, *VERSION as in kube_watch. */
static int play(struct play *p, int ms, struct watched *w, char **version, struct fault *f)
{
	struct stub s = { .handler = act, .user = p };
	struct kube *k;
	int r;

	stub_start(&s);
	k = client(s.url, NULL);
	r = kube_watch(k, "/api/v1/pods", version, ms, on_event, w, f);
	kube_freep(&k);
	stub_stop(&s);
	assert_int_equal(p->wrong, 0);
	return r;
}

static void test_broken_in_mid_line(void **state)
{
	struct play p =
		PLAY({ "resourceVersion=5&",
		       HEAD EVENT("ADDED", "a", "6") "\n" EVENT("MODIFIED", "b", "7"), STUB_CLOSE },
		     { "resourceVersion=6&",
		       HEAD EVENT("MODIFIED", "b", "7") "\n\n{\"type\":", STUB_CLOSE },
		     { "resourceVersion=7&", HEAD EVENT("BOOKMARK", "", "40") "\n", STUB_CLOSE },
		     { "resourceVersion=40&", HEAD EVENT("DELETED", "a", "41") "\n", STUB_KEEP });
	struct watched w = { .limit = 3, .with = 1 };
	_free_ char *version = mem_strdup("5");

	(void)state;
	assert_int_equal(play(&p, 5000, &w, &version, NULL), 0);
	assert_string_equal(str_text(&w.said), "ADDED a, MODIFIED b, DELETED a, ");
	assert_string_equal(version, "41");
	str_free(&w.said);
}

static void test_ends(void **state)
{
	struct play p = PLAY(
		{ "limit=1", HEAD "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"3\"}}",
		  STUB_CLOSE },
		{ "resourceVersion=3&", HEAD EVENT("ADDED", "a", "6") "\n", STUB_KEEP });
	struct play q = PLAY({ "=6&", HEAD EVENT("ADDED", "b", "9") "\n", STUB_KEEP });
	struct watched w = { .limit = 1, .with = 1 };
	_free_ char *version = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(play(&p, 5000, &w, &version, NULL), 0);
	assert_string_equal(version, "6");
	/* by its refusal: the event counts as not taken */
	w = (struct watched){ .said = w.said, .limit = 1, .with = -ENOSPC };
	assert_int_equal(play(&q, 5000, &w, &version, &f), -ENOSPC);
	assert_string_equal(version, "6");
	assert_string_equal(str_text(&w.said), "ADDED a, ADDED b, ");
	str_free(&w.said);
}

static void test_too_old(void **state)
{
	struct play event =
		PLAY({ "=5&", HEAD "{\"type\":\"ERROR\",\"object\":" GONE "}\n", STUB_KEEP });
	struct play answer =
		PLAY({ "=5&", "HTTP/1.1 410 Gone\r\nConnection: close\r\n\r\n" GONE, STUB_CLOSE });
	struct watched w = { .limit = 1 };
	_free_ char *version = mem_strdup("5");
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(play(&event, 5000, &w, &version, &f), -ESTALE);
	assert_non_null(strstr(f.text, "too old"));
	assert_int_equal(play(&answer, 5000, &w, &version, &f), -ESTALE);
	assert_string_equal(version, "5");
}

static void test_refusals(void **state)
{
	struct play no = PLAY(
		{ "=5&", "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno", STUB_CLOSE });
	/* too busy, an ERROR event that passes, garbage, an HTML page: then it works */
	struct play later = PLAY(
		{ "=5&", "HTTP/1.1 429 X\r\nConnection: close\r\n\r\n", STUB_CLOSE },
		{ "=5&",
		  HEAD "{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"no leader\"}}\n",
		  STUB_KEEP },
		{ "=5&", HEAD "{\"type\":\"ERROR\",\"object\":{}}\n", STUB_KEEP },
		{ "=5&", HEAD "<html>\n", STUB_KEEP },
		{ "=5&", HEAD "{\"type\":\"ADDED\",\"object\":{\"metadata\":7}}\n", STUB_KEEP },
		{ "=5&", HEAD EVENT("ADDED", "a", "6") "\n", STUB_KEEP });
	struct watched w = { .limit = 1, .with = 1 };
	_free_ char *version = mem_strdup("5");

	(void)state;
	assert_int_equal(play(&no, 5000, &w, &version, NULL), -EACCES);
	assert_int_equal(play(&later, 9000, &w, &version, NULL), 0);
	assert_string_equal(str_text(&w.said), "ADDED a, ");
	str_free(&w.said);
}

/* An idle stream is no fault, nobody to listen to is. Neither takes longer than it was given. */
static void test_time(void **state)
{
	struct play idle = PLAY({ "=5&", HEAD, STUB_KEEP }),
		    mute = PLAY({ "=5&", "", STUB_SILENT });
	struct play hasty = PLAY({ "=5&", HEAD, STUB_CLOSE });
	struct watched w = { 0 };
	_free_ char *version = mem_strdup("5");
	int64_t began = timer_now();

	(void)state;
	assert_int_equal(play(&idle, 400, &w, &version, NULL), 0);
	assert_int_equal(play(&mute, 400, &w, &version, NULL), -ETIMEDOUT);
	assert_int_equal(play(&hasty, 800, &w, &version, NULL), 0);
	assert_true(hasty.at <= 8);
	assert_true(timer_now() - began < 2500);
}

static void test_next_server(void **state)
{
	struct play p = PLAY({ "=5&", HEAD EVENT("ADDED", "a", "6") "\n", STUB_KEEP });
	struct stub dead = { 0 }, s = { .handler = act, .user = &p };
	struct watched w = { .limit = 1, .with = 1 };
	_free_ char *version = mem_strdup("5");
	struct kube *k;

	(void)state;
	stub_dead(&dead);
	stub_start(&s);
	k = client(dead.url, s.url);
	assert_int_equal(kube_watch(k, "/api/v1/pods", &version, 3000, on_event, &w, NULL), 0);
	assert_string_equal(str_text(&w.said), "ADDED a, ");
	assert_int_equal(kube_watch(k, "/api/v1/pods", &version, 300, on_event, &w, NULL), 0);
	str_free(&w.said);
	kube_freep(&k);
	stub_stop(&s);
}

static void test_endless_line(void **state)
{
	_cleanup_(kube_watch_free) struct kube_watch w = { .event = on_event };
	static char piece[65536];
	int r = 0;

	(void)state;
	memset(piece, 'x', sizeof piece);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = kube_watch_feed(&w, piece, sizeof piece);
	assert_int_equal(r, -ECANCELED);
	assert_true(w.ended);
	assert_int_equal(w.result, -EFBIG);
	assert_true(w.line.len <= KUBE_LINE_MAX);
	assert_int_equal(kube_watch_feed(&w, "\n", 1), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_in_mid_line),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_too_old),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_next_server),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
