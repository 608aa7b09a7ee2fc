/* Installing into a cluster that is made up: who does it, what is applied again and what is not, and
 * what happens when it is interrupted. */
#include "tests/unit/kube_script.h"

#include "firstboot/components.h"
#include "lib/kube_internal.h"

#define NODES "/api/v1/nodes/"
#define LEASE "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/phoenix-install"
#define MAPS "/api/v1/namespaces/d/configmaps/"
#define SET "/apis/apps/v1/namespaces/d/statefulsets/postgres"
#define DIGEST "0123456789abcdef"
#define SHORT_MS 300

/* Objects by their paths. The stub's thread alone touches it while it runs. */
struct world {
	struct json *objects;
	int version;
	struct str log;	      /* paths applied or patched */
	const char *deaf;     /* what is written to this path is never answered, nor done */
	const char *steal_at; /* when this is applied, another takes the Lease */
	const char *pods;
};

static void merge(struct json *into, const struct json *patch)
{
	for (size_t i = 0; i < json_len(patch); i++) {
		const char *key = json_key_at(patch, i);
		const struct json *value = json_get(patch, key, NULL),
				  *old = json_get(into, key, NULL);
		struct json *now;

		if (json_key_at(value, 0) && json_key_at(old, 0)) {
			now = json_copy(old);
			merge(now, value);
		} else {
			now = json_copy(value);
		}
		json_set(into, key, now);
	}
}

static struct json *parse(const char *text)
{
	struct json *j = NULL;

	if (json_parse(text, strlen(text), &j, NULL) < 0)
		abort();
	return j;
}

/* PATCH is laid over what is there. */
static void put(struct world *w, const char *path, struct json *patch)
{
	const struct json *old = json_get(w->objects, path, NULL);
	struct json *now = old ? json_copy(old) : json_object();
	struct json *meta;
	_free_ char *version = mem_printf("%d", ++w->version);

	merge(now, patch);
	meta = json_copy(json_get(now, "metadata", NULL));
	json_set_str(meta, "resourceVersion", version);
	if (!json_str(meta, "uid"))
		json_set_str(meta, "uid", path);
	json_set_int(meta, "generation", 1);
	json_set(now, "metadata", meta);
	json_set(w->objects, path, now);
	json_freep(&patch);
}

static void put_text(struct world *w, const char *path, const char *text)
{
	put(w, path, parse(text));
}

static void lose(struct world *w, const char *path)
{
	struct json *kept = json_object();

	for (size_t i = 0; i < json_len(w->objects); i++) {
		const char *key = json_key_at(w->objects, i);

		if (!str_eq(key, path))
			json_set(kept, key, json_copy(json_get(w->objects, key, NULL)));
	}
	json_freep(&w->objects);
	w->objects = kept;
}

#define HELD(holder)                                                                 \
	"{\"kind\":\"Lease\",\"metadata\":{\"name\":\"phoenix-install\"},\"spec\":{" \
	"\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":20,\"renewTime\":\"x\"}}"

static void discovery(const char *target, struct str *out)
{
	if (str_eq(target, "/api/v1"))
		stub_answer(out, 200,
			    "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"configmaps\","
			    "\"kind\":\"ConfigMap\",\"namespaced\":true}]}");
	else if (str_eq(target, "/apis/apps/v1"))
		stub_answer(out, 200,
			    "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":"
			    "\"statefulsets\",\"kind\":\"StatefulSet\",\"namespaced\":true}]}");
	else
		stub_answer(out, 404, "{\"message\":\"not found\"}");
}

static void list(struct world *w, const char *target, struct str *out)
{
	_json_ struct json *all = json_object();
	struct json *items = json_array();
	_str_ struct str text = { 0 };

	for (size_t i = 0; i < json_len(w->objects); i++)
		if (str_starts(target, "/api/v1/nodes?") &&
		    str_starts(json_key_at(w->objects, i), NODES))
			json_push(items, json_copy(json_get(w->objects, json_key_at(w->objects, i),
							    NULL)));
	if (strstr(target, "/pods?") && w->pods)
		json_push(items, parse(w->pods));
	json_set_str(all, "kind", "List");
	json_set(all, "items", items);
	json_print(all, 0, &text);
	stub_answer(out, 200, text.p);
}

static enum stub_then answer(struct world *w, const char *path, struct str *out)
{
	const struct json *now = json_get(w->objects, path, NULL);
	_str_ struct str text = { 0 };

	if (!now) {
		discovery(path, out);
		return STUB_KEEP;
	}
	json_print(now, 0, &text);
	stub_answer(out, 200, text.p);
	return STUB_KEEP;
}

static enum stub_then api(struct stub *s, const struct stub_request *rq, struct str *out)
{
	struct world *w = s->user;
	_free_ char *path = mem_strndup(rq->target, strcspn(rq->target, "?"));

	if (str_eq(rq->method, "GET") && strstr(rq->target, "limit=")) {
		list(w, rq->target, out);
		return STUB_KEEP;
	}
	if (str_eq(rq->method, "GET"))
		return answer(w, path, out);
	if (str_eq(path, w->deaf))
		return STUB_SILENT;
	if (str_eq(rq->method, "PATCH"))
		str_addf(&w->log, "%s%s\n", strstr(rq->target, "fieldManager") ? "" : "+", path);
	put(w, str_eq(rq->method, "POST") ? LEASE : path, parse(rq->body));
	if (str_eq(path, w->steal_at)) {
		w->steal_at = NULL;
		usleep(SHORT_MS * 1500);
		lose(w, LEASE);
		put_text(w, LEASE, HELD("phoenix-b/1"));
	}
	return answer(w, str_eq(rq->method, "POST") ? LEASE : path, out);
}

#define MAP(name, value)                                                               \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name \
	"\",\"namespace\":\"d\"},\"data\":{\"v\":\"" value "\"}}\n"
#define STATEFUL                                                                       \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":" \
	"\"postgres\",\"namespace\":\"d\"},\"spec\":{\"replicas\":3,\"selector\":{"    \
	"\"matchLabels\":{\"a\":\"b\"}}}}\n"
#define READY "{\"status\":{\"observedGeneration\":1,\"readyReplicas\":3,\"updatedReplicas\":3}}"
#define APPLIED(path) path "\n+" path "\n"

static const char *const three[] = { "phoenix-a", "phoenix-b", "phoenix-c", NULL };

/* One node's view, with the cluster that it talks to. */
struct scene {
	struct world w;
	struct stub stub;
	struct component list[2];
	struct components all;
	struct lease lease;
	struct install in;
	struct fault f;
	struct str why;
};

static void node(struct scene *s, const char *name, const char *would, const char *ready)
{
	_free_ char *path = mem_printf(NODES "%s", name);
	_free_ char *text = mem_printf(
		"{\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\",\"annotations\":{"
		"\"phoenix/components\":\"%s\"}},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"%s\",\"message\":\"network not ready\"}]}}",
		name, would, ready);

	put_text(&s->w, path, text);
}

static void text_set(struct component *c, const char *text)
{
	str_free(&c->text);
	str_add(&c->text, text);
}

static struct scene *scene_new(void)
{
	struct scene *s = mem_alloc(sizeof *s);
	const char *first = MAP("one", "1") "---\n" STATEFUL, *second = MAP("two", "2");

	s->w.objects = json_object();
	s->list[0] = (struct component){ mem_strdup("database"), mem_strdup("50-d.yaml"), { 0 } };
	s->list[1] = (struct component){ mem_strdup("after"), mem_strdup("60-a.yaml"), { 0 } };
	text_set(&s->list[0], first);
	text_set(&s->list[1], second);
	s->all = (struct components){ s->list, 2, DIGEST };
	s->lease = (struct lease){ .ns = "kube-system",
				   .name = "phoenix-install",
				   .holder = "phoenix-a/1",
				   .duration_ms = INSTALL_LEASE_MS };
	for (int i = 0; i < 3; i++)
		node(s, three[i], i ? DIGEST : "", "True");
	s->stub = (struct stub){ .handler = api, .user = &s->w };
	stub_start(&s->stub);
	s->in = (struct install){ .kube = client(s->stub.url, NULL, NULL),
				  .all = &s->all,
				  .lease = &s->lease,
				  .node = "phoenix-a",
				  .nodes = three };
	return s;
}

static void scene_free(struct scene *s)
{
	kube_freep(&s->in.kube);
	stub_stop(&s->stub);
	for (int i = 0; i < 2; i++) {
		free(s->list[i].name);
		free(s->list[i].file);
		str_free(&s->list[i].text);
	}
	json_freep(&s->w.objects);
	str_free(&s->w.log);
	str_free(&s->why);
	free(s);
}

static int check(struct scene *s)
{
	str_reset(&s->why);
	s->f = (struct fault){ 0 };
	return components_check(&s->in, &s->why, &s->f);
}

static int apply(struct scene *s)
{
	str_reset(&s->w.log);
	s->f = (struct fault){ 0 };
	return components_apply(&s->in, &s->f);
}

static const char *lease_annotation(struct scene *s)
{
	return json_string(json_get(s->w.objects, LEASE, "metadata", "annotations",
				    "phoenix/installed", NULL));
}

static const char *holder(struct scene *s)
{
	return json_string(json_get(s->w.objects, LEASE, "spec", "holderIdentity", NULL));
}

/* To the end, as the one that installs. */
static void install_all(struct scene *s)
{
	assert_int_equal(apply(s), -EAGAIN);
	put_text(&s->w, SET, READY);
	if (apply(s) < 0)
		fail_msg("%s", s->f.text);
	assert_int_equal(check(s), 0);
	assert_int_equal(s->why.len, 0);
	str_reset(&s->w.log);
}

static void installed_in_order_each_waited_for(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	s->w.pods =
		"{\"metadata\":{\"name\":\"postgres-1\"},\"status\":{\"containerStatuses\":[{"
		"\"state\":{\"waiting\":{\"reason\":\"ErrImageNeverPull\",\"message\":\"none\"}}"
		"}]}}";
	assert_int_equal(check(s), 1);
	assert_string_equal(s->why.p, "database: 2 of 2 objects are to be applied");
	assert_int_equal(s->w.log.len, 0); /* it only looked */
	assert_int_equal(apply(s), -EAGAIN);
	assert_string_equal(s->w.log.p, "+" NODES "phoenix-a\n" APPLIED(MAPS "one") APPLIED(SET));
	assert_string_equal(s->f.text, "database: postgres not looked at yet by its controller: "
				       "postgres-1: ErrImageNeverPull: none");
	assert_string_equal(holder(s), "phoenix-a/1");
	assert_null(lease_annotation(s));
	put_text(&s->w, SET,
		 "{\"status\":{\"observedGeneration\":1,\"readyReplicas\":2,\"updatedReplicas\":3}"
		 "}");
	assert_int_equal(apply(s), -EAGAIN);
	assert_int_equal(s->w.log.len, 0);
	assert_string_equal(s->f.text, "database: postgres 2 of 3 ready: postgres-1: "
				       "ErrImageNeverPull: none");
	put_text(&s->w, SET, READY);
	assert_int_equal(apply(s), 0);
	assert_string_equal(s->w.log.p, APPLIED(MAPS "two"));
	assert_string_equal(lease_annotation(s), DIGEST);
	assert_string_equal(holder(s), "");
	assert_int_equal(check(s), 0);
	scene_free(s);
}

static void nothing_is_done_twice(void **state)
{
	struct scene *s = scene_new();
	int version;

	(void)state;
	install_all(s);
	version = s->w.version;
	assert_int_equal(check(s), 0);
	assert_int_equal(s->w.version, version);
	/* even when asked to: only the Lease is taken and given back */
	assert_int_equal(apply(s), 0);
	assert_int_equal(s->w.log.len, 0);
	scene_free(s);
}

static void the_others_show_who_installs(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	put_text(&s->w, LEASE, HELD("phoenix-b/1"));
	assert_int_equal(apply(s), -EAGAIN);
	assert_string_equal(s->f.text,
			    "phoenix-b installs: database: 2 of 2 objects are to be applied");
	assert_string_equal(s->w.log.p, "+" NODES "phoenix-a\n");
	assert_string_equal(holder(s), "phoenix-b/1");
	scene_free(s);
}

/* Time passes between two documents: a slow server, a machine that was paused. */
static void who_lost_the_lease_stops_at_once(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	s->lease.duration_ms = SHORT_MS; /* it is over before the next document */
	s->w.steal_at = MAPS "one";
	assert_int_equal(apply(s), -EAGAIN);
	assert_non_null(strstr(s->f.text, "phoenix-b/1 has taken over"));
	assert_null(strstr(s->w.log.p, SET));
	assert_string_equal(holder(s), "phoenix-b/1");
	scene_free(s);
}

static void what_was_interrupted_goes_on(void **state)
{
	struct scene *s = scene_new(), *other;

	(void)state;
	s->w.deaf = SET; /* the answer never comes, nor was it done */
	assert_int_equal(apply(s), -EAGAIN);
	assert_non_null(strstr(s->f.text, "outcome unknown"));
	/* another node, later: the first has died */
	other = scene_new();
	json_freep(&other->w.objects);
	other->w.objects = json_copy(s->w.objects);
	scene_free(s);
	put_text(&other->w, LEASE, "{\"spec\":{\"holderIdentity\":\"\"}}");
	assert_int_equal(apply(other), -EAGAIN);
	assert_string_equal(other->w.log.p, APPLIED(SET));
	scene_free(other);
}

static void nothing_is_installed_before_the_cluster_is_whole(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	s->in.not_yet = "waits until the cluster is whole: 2 of 3";
	assert_int_equal(apply(s), -EAGAIN);
	assert_string_equal(s->f.text, s->in.not_yet);
	s->in.not_yet = NULL;
	node(s, "phoenix-c", DIGEST, "False");
	assert_int_equal(apply(s), -EAGAIN);
	assert_string_equal(s->f.text, "waits until Node phoenix-c is Ready [network not ready]");
	lose(&s->w, NODES "phoenix-c");
	assert_int_equal(apply(s), -EAGAIN);
	assert_null(holder(s));
	assert_int_equal(s->w.log.len, 0);
	scene_free(s);
}

/* What was begun goes on although a node died, which may have been the one that installed. */
static void a_node_that_dies_meanwhile_stops_nobody(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	assert_int_equal(apply(s), -EAGAIN);
	node(s, "phoenix-c", DIGEST, "False");
	put_text(&s->w, LEASE, "{\"spec\":{\"holderIdentity\":\"\"}}");
	put_text(&s->w, SET, READY);
	assert_int_equal(apply(s), 0);
	assert_string_equal(s->w.log.p, APPLIED(MAPS "two"));
	scene_free(s);
}

static void two_nodes_are_enough_where_one_is_given_up(void **state)
{
	static const char *const two[] = { "phoenix-a", "phoenix-b", NULL };
	struct scene *s = scene_new();

	(void)state;
	lose(&s->w, NODES "phoenix-c");
	s->in.nodes = two;
	assert_int_equal(apply(s), -EAGAIN);
	put_text(&s->w, SET,
		 "{\"status\":{\"observedGeneration\":1,\"readyReplicas\":2,\"updatedReplicas\":2}"
		 "}");
	assert_int_equal(apply(s), 0);
	scene_free(s);
}

/* A newer program on one node neither replaces what the others would put back, nor waits for them. */
static void nodes_that_differ_leave_what_is_there(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	node(s, "phoenix-b", "another", "True");
	node(s, "phoenix-c", "", "True");
	assert_int_equal(apply(s), -EAGAIN); /* nothing is there yet */
	assert_string_equal(s->f.text, "waits: phoenix-c has not come so far yet; phoenix-b would "
				       "install something else: another version of the program, or "
				       "another description");
	node(s, "phoenix-c", DIGEST, "True");
	node(s, "phoenix-b", DIGEST, "True");
	install_all(s);
	snprintf(s->all.digest, sizeof s->all.digest, "newer");
	text_set(&s->list[1], MAP("two", "3"));
	assert_int_equal(check(s), 1);
	assert_string_equal(s->why.p, "the other nodes are to be told what this one would install");
	assert_int_equal(apply(s), 0);
	assert_string_equal(s->w.log.p, "+" NODES "phoenix-a\n");
	assert_int_equal(check(s), 0);
	assert_non_null(
		strstr(s->why.p, "what was installed before stays: phoenix-b and phoenix-c"));
	/* the last of them has the same program now */
	node(s, "phoenix-b", "newer", "True");
	node(s, "phoenix-c", "newer", "True");
	assert_int_equal(check(s), 1);
	assert_string_equal(s->why.p, "after: 1 of 1 objects are to be applied");
	assert_int_equal(apply(s), 0);
	assert_string_equal(s->w.log.p, APPLIED(MAPS "two"));
	assert_string_equal(lease_annotation(s), "newer");
	scene_free(s);
}

static void once_installed_a_pod_that_is_down_is_only_told(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	install_all(s);
	node(s, "phoenix-c", DIGEST, "False");
	put_text(&s->w, SET, "{\"status\":{\"readyReplicas\":2}}");
	assert_int_equal(check(s), 0);
	assert_string_equal(s->why.p, "database: postgres 2 of 3 ready");
	/* and what somebody deleted is put back all the same */
	lose(&s->w, MAPS "two");
	assert_int_equal(check(s), 1);
	assert_string_equal(s->why.p, "after: 1 of 1 objects are to be applied");
	assert_int_equal(apply(s), 0);
	assert_string_equal(s->w.log.p, APPLIED(MAPS "two"));
	scene_free(s);
}

static void an_object_that_is_being_removed_is_not_there(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	install_all(s);
	put_text(&s->w, MAPS "two", "{\"metadata\":{\"deletionTimestamp\":\"now\"}}");
	assert_int_equal(check(s), 1);
	scene_free(s);
}

static void an_api_that_is_away_is_waited_for(void **state)
{
	struct scene *s = scene_new();
	struct stub dead;
	struct kube *k = s->in.kube;

	(void)state;
	stub_dead(&dead);
	s->in.kube = client(dead.url, NULL, NULL);
	assert_int_equal(check(s), -EAGAIN);
	assert_int_equal(apply(s), -EAGAIN);
	kube_freep(&s->in.kube);
	s->in.kube = k;
	scene_free(s);
}

/* What the API refuses is a mistake of ours, and is told with its words and the document. */
static void a_kind_that_nobody_knows_is_an_error(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	text_set(&s->list[0],
		 "{\"apiVersion\":\"v9\",\"kind\":\"X\",\"metadata\":{\"name\":\"x\"}}");
	assert_int_equal(check(s), 1);
	assert_string_equal(s->why.p, "database: 1 of 1 objects are to be applied");
	assert_int_equal(apply(s), -ENOENT);
	assert_non_null(strstr(s->f.text, "database: 50-d.yaml: document 1 (X x): no matches"));
	scene_free(s);
}

static void how_many_voters_are_enough(void **state)
{
	static const struct {
		int voters;	/* of these many nodes, from the first */
		bool missing_c; /* declared destroyed */
		const char *says;
	} cases[] = {
		{ 3, false, NULL },
		{ 3, true, NULL },
		{ 2, true, NULL },
		{ 2, false,
		  "waits until the cluster is whole: 2 of 3 nodes are voters, not yet phoenix-c" },
		{ 1, true,
		  "waits until the cluster is whole: 1 of 3 nodes are voters, not yet phoenix-b" },
		{ 0, false,
		  "waits until the cluster is whole: 0 of 3 nodes are voters, not yet phoenix-a, "
		  "phoenix-b and phoenix-c" },
	};
	struct words alone = { .missing = { false, true, true } };
	struct node_view lone = { .n_voters = 1 };
	_str_ struct str told = { 0 };
	const char *nodes[NODE_COUNT + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct node_view me = { .n_voters = cases[i].voters,
					.voters = { { 0, 1 }, { 1, 2 }, { 2, 3 } } };
		struct words words = { .missing = { false, false, cases[i].missing_c } };
		_str_ struct str why = { 0 };
		int n = 0;

		assert_int_equal(components_voters(three, &me, &words, nodes, &why),
				 !cases[i].says);
		assert_string_equal(str_text(&why), cases[i].says ?: "");
		while (nodes[n])
			n++;
		assert_int_equal(n, cases[i].voters);
	}
	/* both others are declared destroyed: still no cluster */
	assert_false(components_voters(three, &lone, &alone, nodes, &told));
	assert_string_equal(told.p, "waits until the cluster is whole: 1 of 3 nodes are voters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(installed_in_order_each_waited_for),
		cmocka_unit_test(nothing_is_done_twice),
		cmocka_unit_test(the_others_show_who_installs),
		cmocka_unit_test(who_lost_the_lease_stops_at_once),
		cmocka_unit_test(what_was_interrupted_goes_on),
		cmocka_unit_test(nothing_is_installed_before_the_cluster_is_whole),
		cmocka_unit_test(a_node_that_dies_meanwhile_stops_nobody),
		cmocka_unit_test(how_many_voters_are_enough),
		cmocka_unit_test(two_nodes_are_enough_where_one_is_given_up),
		cmocka_unit_test(nodes_that_differ_leave_what_is_there),
		cmocka_unit_test(once_installed_a_pod_that_is_down_is_only_told),
		cmocka_unit_test(an_object_that_is_being_removed_is_not_there),
		cmocka_unit_test(an_api_that_is_away_is_waited_for),
		cmocka_unit_test(a_kind_that_nobody_knows_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
