/* See survey.h. */
#include "firstboot/survey.h"

#include "lib/table.h"

#include <errno.h>
#include <stdio.h>

#define LOOK_MS 1500

int survey_open(struct survey *s, struct fault *f)
{
	_diags_ struct diags d = { 0 };
	_fs_ struct fs root = { .fd = -1 };
	const struct secrets *k;
	int r = fs_open(&root, "/", f);

	if (r == 0)
		r = seed_find(&root, &s->seed, &d, f);
	if (r < 0)
		return r == -ENOENT ? fault_wrap(f, "this machine has no seed") : r;
	k = s->seed->secrets;
	return tls_new(k->exchange_ca, k->nodes[s->seed->self].cert, k->nodes[s->seed->self].key,
		       &s->tls, f);
}

void survey_look(struct survey *s)
{
	struct ask ask = { .kind = ASK_LOOK };

	memcpy(ask.digest, s->seed->config->digest, sizeof ask.digest);
	for (int i = 0; i < NODE_COUNT; i++) {
		struct fault f = { 0 };

		answer_free(&s->answers[i]);
		s->answers[i] = (struct answer){ 0 };
		s->trouble[i][0] = 0;
		s->answered[i] = false;
		if (exchange_ask(s->tls, s->seed->config, i, &ask, LOOK_MS, &s->answers[i], &f) < 0)
			snprintf(s->trouble[i], WHY_LEN, "%.390s", f.text);
		else if (!s->answers[i].same)
			snprintf(s->trouble[i], WHY_LEN, "%s runs another description",
				 s->seed->config->nodes[i].name);
		else
			s->answered[i] = true;
	}
}

void survey_free(struct survey *s)
{
	for (int i = 0; i < NODE_COUNT; i++)
		answer_free(&s->answers[i]);
	tls_freep(&s->tls);
	seed_freep(&s->seed);
}

char *survey_members(const struct cluster_config *c, const struct voter *v, int n)
{
	_strv_ struct strv names = { 0 };

	for (int i = 0; i < n; i++)
		strv_add(&names, v[i].node >= 0 ? c->nodes[v[i].node].name : "(stranger)");
	return strv_sentence(&names);
}

void survey_print(const struct survey *s, struct str *out)
{
	_table_ struct table t = { .columns = 6 };
	const struct cluster_config *c = s->seed->config;

	table_row(&t, "NODE", "STATE", "CLUSTER", "GENERATION", "VOTERS", "PROMISED TO", NULL);
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->answers[i].view;
		_free_ char *voters = survey_members(c, v->voters, v->n_voters);
		_free_ char *generation =
			mem_printf("%d%s", v->generation, v->retired ? " (retired)" : "");
		_free_ char *promise =
			v->promise.node < 0 ? mem_strdup("nobody")
					    : mem_printf("%s (%s)", c->nodes[v->promise.node].name,
							 v->promise.formation);

		if (s->answered[i])
			table_row(&t, c->nodes[i].name, node_state_name(v->state),
				  *v->cluster ? v->cluster : "-", generation,
				  *voters ? voters : "-", promise, NULL);
		else
			table_row(&t, c->nodes[i].name, "not known", s->trouble[i], NULL);
	}
	table_print(&t, 0, out);
}

static struct json *members_json(const struct cluster_config *c, const struct voter *v, int n)
{
	struct json *list = json_array();

	for (int i = 0; i < n; i++)
		json_push_str(list, v[i].node >= 0 ? c->nodes[v[i].node].name : "(stranger)");
	return list;
}

struct json *survey_json(const struct survey *s)
{
	const struct cluster_config *c = s->seed->config;
	struct json *j = json_object(), *nodes = json_array();

	json_set_int(j, "version", 1);
	json_set_str(j, "cluster", c->name);
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->answers[i].view;
		struct json *n = json_object();

		json_set_str(n, "name", c->nodes[i].name);
		json_set_str(n, "address", c->nodes[i].address);
		json_set_bool(n, "answered", s->answered[i]);
		if (!s->answered[i]) {
			json_set_str(n, "trouble", s->trouble[i]);
		} else {
			json_set_str(n, "state", node_state_name(v->state));
			json_set_str(n, "id", v->cluster);
			json_set_int(n, "generation", v->generation);
			json_set_int(n, "retired", v->retired);
			json_set(n, "voters", members_json(c, v->voters, v->n_voters));
			json_set(n, "learners", members_json(c, v->learners, v->n_learners));
			if (s->answers[i].status)
				json_set(n, "progress", json_copy(s->answers[i].status));
		}
		json_push(nodes, n);
	}
	json_set(j, "nodes", nodes);
	return j;
}
