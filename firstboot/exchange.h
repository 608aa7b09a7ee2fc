/* What the three nodes say to each other (TCP 6440, TLS 1.3 both ways; lib/tls): the messages as
 * text and back. A node that runs another description answers with its digest only and counts as
 * silent for every decision. */
#pragma once

#include "firstboot/decide.h"
#include "lib/json.h"
#include "lib/tls.h"

enum ask_kind {
	ASK_LOOK,    /* what are you? */
	ASK_PROMISE, /* promise me this formation */
	ASK_RETIRE,  /* never start your etcd data again: I am kept (recover) */
	ASK_RELEASE, /* I am blank again: remove the member that I was */
	ASK_PROMOTE, /* I am a learner that runs: make me a voter */
	ASK_WORD,    /* from the node itself: an operator's word */
};

struct ask {
	enum ask_kind kind;
	char digest[65];
	char formation[ID_LEN], cluster[ID_LEN],
		abandons[ID_LEN]; /* promise; word `forget`, `abandon` */
	int generation;		  /* promise, retire */
	char word[16];		  /* "missing", "forget", "abandon", "recover" */
	bool nodes[NODE_COUNT];	  /* word: which */
	uint64_t member;	  /* release, promote: which of the asker's members */
};

/* What a member saw of a Node's lease: a value that has not changed for so long by its own clock.
 */
#define PULSE_LEN 40
struct pulse {
	char renewed[PULSE_LEN]; /* "" = never looked */
	int64_t age_ms;
};

struct answer {
	bool same; /* same description; otherwise only `node` and `digest` are known */
	char node[64], digest[65];
	struct node_view view;
	struct pulse pulse[NODE_COUNT];
	bool granted;	     /* all but look */
	char why[WHY_LEN];   /* …if not, why */
	int64_t time;	     /* the node's clock, Unix; 0 = it does not tell */
	struct json *status; /* the node's progress, for `phoenix status`; may be NULL */
};
#define _answer_ _cleanup_(answer_free)
void answer_free(struct answer *a);

void ask_print(const struct ask *a, struct str *out);
int ask_parse(const char *text, size_t len, struct ask *ret, struct fault *f);
void answer_print(const struct answer *a, struct str *out);
int answer_parse(const char *text, size_t len, struct answer *ret, struct fault *f);

/* Asks NODE of CONFIG within TIMEOUT_MS. An answer under another description is 0 with same =
 * false. */
int exchange_ask(struct tls *t, const struct cluster_config *config, int node, const struct ask *a,
		 int timeout_ms, struct answer *ret, struct fault *f);
