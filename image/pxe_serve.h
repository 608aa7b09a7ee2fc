/* The two servers of network boot: plain HTTP for what a boot program can fetch (script, kernel,
 * initial RAM disk; nothing secret), TLS for what the installer asks (order.h). */
#pragma once

#include "image/pxe_nodes.h"
#include "lib/httpd.h"

struct pxe_serve {
	struct pxe_nodes *nodes;
	const char *address;		     /* of this machine */
	const char *image, *kernel, *initrd; /* files */
	int http_port, tls_port;	     /* 0: any, and then which */
	char *pin, *cert;
	struct str key; /* made for this run; erased on free */
	struct httpd *http, *tls;
};
#define _pxe_serve_ _cleanup_(pxe_serve_stop)

/* The first members are the caller's. */
int pxe_serve_start(struct pxe_serve *s, struct fault *f);
void pxe_serve_stop(struct pxe_serve *s);
