/* A node that is made up: what any of them is on the node exchange and on K3s's port, with the
 * certificates of its seed. What it says there is the test's. A mistake ends the program. */
#pragma once

#include "cloud-init/seed.h"
#include "firstboot/exchange.h"

#include <openssl/ssl.h>

struct double_node {
	struct seed *seed;
	struct tls *exchange;
	int listener;
	int (*tell)(void *user, const char *peer, const char *request, size_t len,
		    struct str *answer);
	void *user;
};

/* Status 2 with WHAT (and F's text, unless NULL) on standard error, unless OK. */
void must(bool ok, const char *what, const struct fault *f);
/* The node of that seed listens on its address, and whoever asks is told what TELL (lib/tls.h) says;
 * for ever. */
void double_start(struct double_node *n, const char *seed_file);
const struct node_config *double_self(const struct double_node *n);
/* What a voter says of itself, but for the cluster and the voters. */
void double_member(const struct double_node *n, struct answer *out);
/* K3s's port of that node, for ever, one after another; says "ready" on standard output when it
 * listens. */
_Noreturn void double_serve(const struct double_node *n, void (*serve)(void *user, SSL *ssl),
			    void *user);
/* BODY (JSON) with STATUS ("200 OK"). */
void double_respond(SSL *ssl, const char *status, const char *body, size_t len);
