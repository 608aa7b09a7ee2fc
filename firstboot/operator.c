/* The operator's words: recover, form, forget, abandon. The rules of decide.h wait where a wrong
 * guess would cost data; here a person who knows more says so. Each command shows what is known and
 * what is not, has the cluster's name typed, and hands the word to the daemon of this node, which
 * writes it down before it acts on it. */
#include "firstboot/commands.h"
#include "firstboot/records.h"
#include "firstboot/survey.h"
#include "lib/command.h"

#include <errno.h>
#include <stdio.h>

/* `recover` stops K3s before it answers, and one without quorum takes its time */
#define WORD_MS 60000
#define CONFIRM "  --confirm NAME    the cluster's name, instead of typing it\n"

const char recover_usage[] =
	"Usage: phoenix recover --keep NODE [--destroyed NODE]... [--confirm NAME]\n\n"
	"Quorum is lost for good: goes on with the etcd data of NODE alone. Run it on NODE.\n"
	"Every other node is asked to retire its data; of one that cannot answer you must know "
	"that\n"
	"its disk is destroyed, and say so. Everybody's old data is kept on its disk, moved "
	"aside.\n\n"
	"  --keep NODE       the node whose data goes on: this machine\n"
	"  --destroyed NODE  its disk is gone and will never be plugged in again\n" CONFIRM;
const char form_usage[] =
	"Usage: phoenix form --with-missing NODE... [--confirm NAME]\n\n"
	"No cluster was ever formed, or nothing is left of it, and a node will not come: lets the\n"
	"others form without it. Run it on the first node that is not missing.\n\n"
	"  --with-missing NODE  destroyed, with its disk: it may come back only blank\n" CONFIRM;
const char forget_usage[] =
	"Usage: phoenix forget PROMISE|NODE [--confirm NAME]\n\n"
	"Takes back this node's promise (the formation's id: the waiting node names it, and the\n"
	"table shown here has it), or the word that NODE is missing. Right only if that\n"
	"formation never became a cluster on any disk that still exists.\n\n" CONFIRM;
const char abandon_usage[] =
	"Usage: phoenix abandon ID [--confirm NAME]\n\n"
	"Gives up incarnation ID of the cluster on this node's disk: a new cluster may be formed\n"
	"over it, or another one joined. Old data is moved aside, not deleted.\n\n" CONFIRM;

static const char *cluster_name(const struct survey *s)
{
	return s->seed->config->name;
}

/* A person types the name of the cluster; a typo is a no. */
static int confirm(const struct survey *s, const char *given, const char *danger, struct fault *f)
{
	_str_ struct str known = { 0 };
	char line[256] = "";
	const char *typed = given;

	survey_print(s, &known);
	fprintf(stderr, "What is known now:\n%s\n%s\n", known.p, danger);
	if (!given) {
		fprintf(stderr, "Type the cluster's name (%s) to go on: ", cluster_name(s));
		if (!fgets(line, sizeof line, stdin))
			line[0] = 0;
		typed = str_trim(line);
	}
	if (!str_eq(typed, cluster_name(s)))
		return fault_set(f, EINVAL, "'%s' is not this cluster's name: nothing was done",
				 typed);
	return 0;
}

static int say_word(struct survey *s, struct ask *ask, struct fault *f)
{
	_answer_ struct answer answer = { 0 };
	int r;

	ask->kind = ASK_WORD;
	memcpy(ask->digest, s->seed->config->digest, sizeof ask->digest);
	r = exchange_ask(s->tls, s->seed->config, s->seed->self, ask, WORD_MS, &answer, f);
	if (r < 0)
		return fault_wrap(f, "the daemon of this node (phoenix-firstboot.service)");
	if (!answer.same)
		return fault_set(f, ESTALE,
				 "the daemon still runs another description; systemctl restart "
				 "phoenix-firstboot");
	if (!answer.granted)
		return fault_set(f, EPERM, "refused: %s", answer.why);
	printf("written down; `phoenix status --watch` shows how it goes on\n");
	return EXIT_DONE;
}

static int open_and_look(struct survey *s, struct fault *f)
{
	int r = survey_open(s, f);

	if (r == 0)
		survey_look(s);
	return r;
}

static int take_nodes(const struct survey *s, const struct strv *names, bool nodes[NODE_COUNT],
		      struct fault *f)
{
	strv_each (name, names) {
		int i = config_node(s->seed->config, name);

		if (i < 0)
			return fault_set(f, EINVAL, "'%s' is no node of this cluster", name);
		if (i == s->seed->self)
			return fault_set(f, EINVAL, "%s is this machine: it is not missing", name);
		if (s->answered[i] && s->answers[i].view.state != NODE_BLANK)
			return fault_set(f, EINVAL, "%s answers and is %s: it is not destroyed",
					 name, node_state_name(s->answers[i].view.state));
		nodes[i] = true;
	}
	return 0;
}

static int highest_generation(const struct survey *s)
{
	int highest = 0;

	for (int i = 0; i < NODE_COUNT; i++) {
		const struct node_view *v = &s->answers[i].view;
		int seen = v->generation > v->retired ? v->generation : v->retired;

		if (s->answered[i] && seen > highest)
			highest = seen;
	}
	return highest;
}

int recover_run(int argc, char **argv, struct fault *f)
{
	const char *keep = NULL, *name = NULL;
	_strv_ struct strv destroyed = { 0 };
	const struct command_option options[] = { { "keep", 0, &keep, NULL, NULL },
						  { "destroyed", 0, NULL, NULL, &destroyed },
						  { "confirm", 0, &name, NULL, NULL },
						  { 0 } };
	_survey_ struct survey s = { 0 };
	struct ask ask = { .word = "recover" };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (!keep || argc > r)
		return fault_set(f, EINVAL, "wants --keep NODE; see phoenix recover --help");
	r = open_and_look(&s, f);
	if (r == 0)
		r = take_nodes(&s, &destroyed, ask.nodes, f);
	if (r < 0)
		return r;
	if (config_node(s.seed->config, keep) != s.seed->self)
		return fault_set(
			f, EINVAL,
			"this machine is %s: run it on %s itself, whose data is to be kept",
			s.seed->config->nodes[s.seed->self].name, keep);
	ask.generation = highest_generation(&s) + 1;
	r = confirm(&s, name,
		    "DANGER: everything that the others have and this node has not is given up. If "
		    "a node that you declare destroyed comes back with its disk, two clusters can "
		    "run under one name.",
		    f);
	return r < 0 ? r : say_word(&s, &ask, f);
}

int form_run(int argc, char **argv, struct fault *f)
{
	const char *name = NULL;
	_strv_ struct strv missing = { 0 };
	const struct command_option options[] = { { "with-missing", 0, NULL, NULL, &missing },
						  { "confirm", 0, &name, NULL, NULL },
						  { 0 } };
	_survey_ struct survey s = { 0 };
	struct ask ask = { .word = "missing" };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (!missing.n || argc > r)
		return fault_set(f, EINVAL, "wants --with-missing NODE; see phoenix form --help");
	r = open_and_look(&s, f);
	if (r == 0)
		r = take_nodes(&s, &missing, ask.nodes, f);
	if (r < 0)
		return r;
	ask.generation = highest_generation(&s) + 1;
	r = confirm(&s, name,
		    "DANGER: if a node that you declare missing has formed a cluster on a disk "
		    "that still exists, a second one is formed beside it.",
		    f);
	return r < 0 ? r : say_word(&s, &ask, f);
}

/* forget and abandon take one operand and differ in where it goes. */
static int one_operand(int argc, char **argv, const char **name, const char **operand,
		       struct fault *f)
{
	const struct command_option options[] = { { "confirm", 0, name, NULL, NULL }, { 0 } };
	int r = command_options(options, argc, argv, f);

	if (r < 0)
		return r;
	if (argc != r + 1)
		return fault_set(f, EINVAL, "wants one argument; see phoenix %s --help", argv[0]);
	*operand = argv[r];
	return 0;
}

int forget_run(int argc, char **argv, struct fault *f)
{
	const char *name = NULL, *what = "";
	_survey_ struct survey s = { 0 };
	struct ask ask = { .word = "forget" };
	int r = one_operand(argc, argv, &name, &what, f), node;

	if (r == 0)
		r = open_and_look(&s, f);
	if (r < 0 || !s.seed)
		return r;
	node = config_node(s.seed->config, what);
	if (node >= 0)
		ask.nodes[node] = true;
	else if (id_valid(what) && *what)
		memcpy(ask.formation, what, ID_LEN);
	else
		return fault_set(f, EINVAL,
				 "'%s' is neither a node nor the id of a promise (32 hex digits)",
				 what);
	r = confirm(&s, name,
		    "DANGER: if the node that holds this promise did form a cluster, a second one "
		    "can now be formed beside it.",
		    f);
	return r < 0 ? r : say_word(&s, &ask, f);
}

int abandon_run(int argc, char **argv, struct fault *f)
{
	const char *name = NULL, *id = "";
	_survey_ struct survey s = { 0 };
	struct ask ask = { .word = "abandon" };
	int r = one_operand(argc, argv, &name, &id, f);

	if (r < 0)
		return r;
	/* what decide() calls data that no record says the cluster of */
	if (str_eq(id, "unrecorded"))
		id = "";
	else if (!id_valid(id) || !*id)
		return fault_set(f, EINVAL, "'%s' is not the id of an incarnation (32 hex digits)",
				 id);
	memcpy(ask.cluster, id, strlen(id) + 1);
	r = open_and_look(&s, f);
	if (r == 0)
		r = confirm(&s, name,
			    "DANGER: what incarnation held is given up unless another node or a "
			    "backup has it.",
			    f);
	return r < 0 ? r : say_word(&s, &ask, f);
}
