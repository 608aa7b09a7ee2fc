/* What a command on the node sees of all three nodes: asked over the node exchange with this node's
 * own certificate, itself included. */
#pragma once

#include "cloud-init/seed.h"
#include "firstboot/exchange.h"

struct survey {
	struct seed *seed; /* the imported one */
	struct tls *tls;
	struct answer answers[NODE_COUNT];
	bool answered[NODE_COUNT]; /* with the same description */
	char trouble[NODE_COUNT][WHY_LEN];
};
#define _survey_ _cleanup_(survey_free)

/* Finds this machine's seed. -ENOENT: this is not a node. */
int survey_open(struct survey *s, struct fault *f);
void survey_look(struct survey *s); /* asks all three, one after the other, each within 1.5 s */
void survey_free(struct survey *s);
/* Each node's view in words, as a table. */
void survey_print(const struct survey *s, struct str *out);
/* The version 1 JSON of `phoenix status --json`; the caller's. */
struct json *survey_json(const struct survey *s);
/* "phoenix-a, phoenix-b" of the voters in V. Caller's. */
char *survey_members(const struct cluster_config *c, const struct voter *v, int n);
