/* Why a workload is not ready, in the words of whoever knows. The objects are those of a real API
 * server, cut down to what is read. */
#include "tests/unit/kube_script.h"

#include "firstboot/workload.h"

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct fault f = { 0 };

	if (json_parse(text, strlen(text), &j, &f) < 0)
		fail_msg("%s: %s", f.text, text);
	return j;
}

#define WORKLOAD(kind, spec, status)                                                             \
	"{\"kind\":\"" kind "\",\"metadata\":{\"name\":\"postgres\",\"namespace\":\"database\"," \
	"\"uid\":\"u1\",\"generation\":2},\"spec\":{" spec "},\"status\":{" status "}}"

static void how_far_a_workload_is(void **state)
{
	static const struct {
		const char *object, *why; /* why NULL: ready */
		int nodes;
	} cases[] = {
		{ WORKLOAD("StatefulSet", "\"replicas\":3",
			   "\"observedGeneration\":1,\"readyReplicas\":3,\"updatedReplicas\":3"),
		  "not looked at yet by its controller", 3 },
		{ WORKLOAD("StatefulSet", "\"replicas\":3", ""),
		  "not looked at yet by its controller", 3 },
		{ WORKLOAD("StatefulSet", "\"replicas\":3",
			   "\"observedGeneration\":2,\"readyReplicas\":2,\"updatedReplicas\":3"),
		  "2 of 3 ready", 3 },
		{ WORKLOAD("StatefulSet", "\"replicas\":3",
			   "\"observedGeneration\":2,\"readyReplicas\":3,\"updatedReplicas\":1"),
		  "1 of 3 renewed", 3 },
		{ WORKLOAD("StatefulSet",
			   "\"replicas\":3,\"updateStrategy\":{\"type\":\"OnDelete\"}",
			   "\"observedGeneration\":2,\"readyReplicas\":3,\"updatedReplicas\":0"),
		  NULL, 3 },
		/* one pod a node, and a node is declared destroyed */
		{ WORKLOAD("StatefulSet", "\"replicas\":3",
			   "\"observedGeneration\":2,\"readyReplicas\":2,\"updatedReplicas\":2"),
		  NULL, 2 },
		{ WORKLOAD("Deployment", "",
			   "\"observedGeneration\":2,\"readyReplicas\":1,\"updatedReplicas\":1"),
		  "0 of 1 ready", 3 },
		{ WORKLOAD(
			  "Deployment", "",
			  "\"observedGeneration\":2,\"availableReplicas\":1,\"updatedReplicas\":1"),
		  NULL, 3 },
		{ WORKLOAD("DaemonSet", "",
			   "\"observedGeneration\":2,\"desiredNumberScheduled\":3,"
			   "\"numberReady\":3,\"updatedNumberScheduled\":3"),
		  NULL, 3 },
		{ WORKLOAD("DaemonSet", "",
			   "\"observedGeneration\":2,\"desiredNumberScheduled\":3,"
			   "\"numberReady\":2,\"updatedNumberScheduled\":3"),
		  "2 of 3 ready", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_json_ struct json *j = parse(cases[i].object);
		_str_ struct str why = { 0 };

		assert_int_equal(workload_ready(j, cases[i].nodes, &why), !cases[i].why);
		assert_string_equal(str_text(&why), cases[i].why ?: "");
	}
}

#define POD_OF(name, status)                                                              \
	"{\"metadata\":{\"name\":\"" name "\",\"uid\":\"p\",\"namespace\":\"database\"}," \
	"\"status\":{" status "}}"
#define SCHEDULED "\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}]"

static void what_keeps_a_pod(void **state)
{
	static const struct {
		const char *pod, *why;
		enum pod_trouble how;
	} cases[] = {
		{ POD_OF("a", "\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
			      "\"status\":\"True\"}]"),
		  "", POD_WELL },
		{ POD_OF("a", "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\","
			      "\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":"
			      "\"0/3 nodes are available: 3 Insufficient memory.\"}]"),
		  "a: Pending: 0/3 nodes are available: 3 Insufficient memory.", POD_TOLD },
		{ POD_OF("a", "\"phase\":\"Pending\"," SCHEDULED ",\"containerStatuses\":[{"
			      "\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":"
			      "\"Back-off pulling image \\\"x\\\"\\nno such host\"}}}]"),
		  "a: ImagePullBackOff: Back-off pulling image \"x\" no such host", POD_TOLD },
		{ POD_OF("a", "\"phase\":\"Pending\"," SCHEDULED ",\"containerStatuses\":[{"
			      "\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}]"),
		  "a: is being started", POD_UNTOLD },
		/* the init container is at it, the other waits for it */
		{ POD_OF("a",
			 "\"phase\":\"Pending\"," SCHEDULED
			 ",\"initContainerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":0}}}"
			 ","
			 "{\"state\":{\"waiting\":{\"reason\":\"ErrImageNeverPull\",\"message\":"
			 "\"not there\"}}}],\"containerStatuses\":[{\"state\":{\"waiting\":"
			 "{\"reason\":\"PodInitializing\"}}}]"),
		  "a: ErrImageNeverPull: not there", POD_TOLD },
		{ POD_OF("a",
			 "\"phase\":\"Running\",\"containerStatuses\":[{\"state\":{\"waiting\":"
			 "{\"reason\":\"CrashLoopBackOff\",\"message\":\"back-off 40s\"}},"
			 "\"lastState\":{\"terminated\":{\"exitCode\":2,\"message\":"
			 "\"no configuration\"}}}]"),
		  "a: CrashLoopBackOff: ended with status 2: no configuration", POD_TOLD },
		{ POD_OF("a", "\"phase\":\"Running\",\"containerStatuses\":[{\"state\":"
			      "{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]"),
		  "a: ended with status 137", POD_TOLD },
		{ POD_OF("a", "\"phase\":\"Running\",\"containerStatuses\":[{\"state\":"
			      "{\"running\":{}}}],\"conditions\":[{\"type\":\"Ready\","
			      "\"status\":\"False\"}]"),
		  "a: runs, and is not ready", POD_UNTOLD },
		{ POD_OF("a", "\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"disk\""),
		  "a: Evicted: disk", POD_TOLD },
		{ "{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},"
		  "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		  "a: is being removed", POD_UNTOLD },
		{ "{}", "a pod: is being started", POD_UNTOLD },
		{ "[7]", "a pod: is being started", POD_UNTOLD },
		{ "{\"status\":{\"containerStatuses\":{\"x\":1},\"conditions\":[7,{}]}}",
		  "a pod: is being started", POD_UNTOLD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_json_ struct json *j = parse(cases[i].pod);
		_str_ struct str why = { 0 };
		enum pod_trouble how = pod_trouble(j, &why);

		assert_string_equal(str_text(&why), cases[i].why);
		assert_int_equal(how, cases[i].how);
	}
}

static void a_long_message_is_cut(void **state)
{
	_str_ struct str text = { 0 }, why = { 0 };
	_json_ struct json *j = NULL;

	(void)state;
	str_add(&text, "{\"status\":{\"phase\":\"Failed\",\"message\":\"");
	for (int i = 0; i < 300; i++)
		str_add(&text, "é");
	str_add(&text, "\"}}");
	j = parse(text.p);
	assert_int_equal(pod_trouble(j, &why), POD_TOLD);
	assert_true(why.len < 260);
	assert_true(str_ends(why.p, "é…"));
}

static void the_latest_event_counts(void **state)
{
	_json_ struct json *j = parse(
		"[{\"reason\":\"Old\",\"lastTimestamp\":\"2026-01-01T00:00:00Z\"},"
		"{\"reason\":\"FailedMount\",\"message\":\"no such path\",\"lastTimestamp\":null,"
		"\"eventTime\":\"2026-01-01T00:00:09.000000Z\"},"
		"{\"reason\":\"Older\",\"lastTimestamp\":\"2025-01-01T00:00:00Z\"},{},7]");
	_json_ struct json *none = json_array();
	_str_ struct str why = { 0 };

	(void)state;
	assert_true(event_latest(j, &why));
	assert_string_equal(why.p, "FailedMount: no such path");
	assert_false(event_latest(none, &why));
}

/* An API with three pods, one of which only events can explain. */
struct world {
	const char *pods, *events;
	char asked[512];
};

static enum stub_then world(struct stub *s, const struct stub_request *rq, struct str *out)
{
	struct world *w = s->user;
	_str_ struct str text = { 0 };

	str_addf(&text, "{\"kind\":\"List\",\"metadata\":{},\"items\":[%s]}",
		 strstr(rq->target, "/pods?") ? w->pods : w->events);
	snprintf(w->asked + strlen(w->asked), sizeof w->asked - strlen(w->asked), "%s\n",
		 rq->target);
	stub_answer(out, 200, text.p);
	return STUB_KEEP;
}

static void looked(struct world *w, const char *expected)
{
	_json_ struct json *object = parse(
		WORKLOAD("StatefulSet",
			 "\"replicas\":3,\"selector\":{\"matchLabels\":{\"app.kubernetes.io/name\":"
			 "\"postgres\",\"a\":\"b\"}}",
			 "\"observedGeneration\":2,\"readyReplicas\":1"));
	struct stub s = { .handler = world, .user = w };
	_str_ struct str why = { 0 };
	struct kube *k;

	stub_start(&s);
	k = client(s.url, NULL, NULL);
	assert_int_equal(workload_look(k, object, 3, &why, NULL), 0);
	kube_freep(&k);
	stub_stop(&s);
	assert_string_equal(why.p, expected);
}

static void the_pod_that_says_most_is_named(void **state)
{
	struct world w = {
		.pods = POD_OF("postgres-0", "\"phase\":\"Pending\"") "," POD_OF(
			"postgres-1",
			"\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":"
			"\"ErrImagePull\"}}}]") "," POD_OF("postgres-2",
							   "\"conditions\":[{\"type\":\"Ready\","
							   "\"status\":\"True\"}]"),
		.events = "{\"reason\":\"never asked\"}",
	};

	(void)state;
	looked(&w, "postgres 1 of 3 ready: postgres-1: ErrImagePull; and 1 more");
	assert_string_equal(w.asked, "/api/v1/namespaces/database/pods?labelSelector="
				     "app.kubernetes.io%2Fname%3Dpostgres%2Ca%3Db&limit=500\n");
}

static void events_tell_what_a_pod_does_not(void **state)
{
	struct world w = {
		.pods = POD_OF("postgres-0", "\"phase\":\"Pending\"," SCHEDULED),
		.events = "{\"reason\":\"FailedMount\",\"message\":\"no such path\"}",
	};
	struct world none = { .pods = "",
			      .events = "{\"reason\":\"FailedCreate\",\"message\":\"forbidden\"}" };

	(void)state;
	looked(&w,
	       "postgres 1 of 3 ready: postgres-0: is being started: FailedMount: no such path");
	assert_non_null(strstr(w.asked, "events?fieldSelector=involvedObject.uid%3Dp%2Ctype%3D"
					"Warning"));
	/* no pod could be made at all: the workload's own events say why */
	looked(&none, "postgres 1 of 3 ready: FailedCreate: forbidden");
	assert_non_null(strstr(none.asked, "involvedObject.uid%3Du1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_far_a_workload_is),
		cmocka_unit_test(what_keeps_a_pod),
		cmocka_unit_test(a_long_message_is_cut),
		cmocka_unit_test(the_latest_event_counts),
		cmocka_unit_test(the_pod_that_says_most_is_named),
		cmocka_unit_test(events_tell_what_a_pod_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
