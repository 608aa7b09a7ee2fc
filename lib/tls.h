/* TLS 1.3 both ways for short messages between the three nodes: one request, one answer, each a
 * JSON text of at most TLS_MESSAGE_MAX bytes with its length in front (4 bytes, big endian),
 * everything within a deadline. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <stdint.h>

#define TLS_MESSAGE_MAX 65536

struct tls; /* an identity: CA, own certificate and key */
#define _tls_ _cleanup_(tls_freep)
int tls_new(const char *ca_pem, const char *cert_pem, const char *key_pem, struct tls **ret,
	    struct fault *f);
void tls_freep(struct tls **t);

/* Client: connects to ADDRESS (IP literal), demands a certificate of our CA whose common name is
 * PEER, sends REQUEST, waits for the answer (appended to ANSWER); all within TIMEOUT_MS.
 * -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -EACCES (another CA, another name, expired; theirs or
 * ours), -EPROTO (half an answer, endless answer, closed). */
int tls_ask(struct tls *t, const char *address, int port, const char *peer, const char *request,
	    size_t len, int timeout_ms, struct str *answer, struct fault *f);

/* Server: a listening socket on ADDRESS:PORT (0.0.0.0 not used by the product); non-blocking,
 * close-on-exec. Returns the descriptor. */
int tls_listen(const char *address, int port, struct fault *f);
/* Takes one connection from LISTENER and serves it within TIMEOUT_MS; -EAGAIN at once when none
 * is waiting (poll the listener for POLLIN). HANDLER gets the peer's common name (already verified
 * against the CA) and its request, and fills ANSWER; a negative return closes without an answer and
 * is returned. One slow peer must not hold the others: the caller runs this in its own thread (a
 * struct tls may be shared) or accepts the bound of TIMEOUT_MS. */
int tls_serve_one(struct tls *t, int listener, int timeout_ms,
		  int (*handler)(void *user, const char *peer, const char *request, size_t len,
				 struct str *answer),
		  void *user, struct fault *f);
