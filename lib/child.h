/* A program that runs beside this one and ends with it: a server that is only needed while a command
 * runs. (For programs that are waited for: lib/proc.h.)
 *
 * Between the two stands a keeper, a process of ours that waits for either's end. The kernel's word to
 * a child whose parent died (PR_SET_PDEATHSIG) is forgotten when that child changes its user, as a
 * server does that was started by root; the keeper changes nothing and gets the word, even when this
 * program was killed. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

#include <sys/types.h>

struct child {
	pid_t pid; /* the keeper's */
	int out;   /* what the program writes to stdout and stderr; non-blocking */
};
#define _child_ _cleanup_(child_stop)
#define CHILD_NONE                   \
	{                            \
		.pid = -1, .out = -1 \
	}

/* Starts ARGV (NULL at the end; looked up in PATH). It gets SIGTERM when this program ends, however
 * that is, and SIGKILL two seconds later. To be called by the main thread: the end of the calling
 * thread is what counts. -ENOENT: there is no such program. */
int child_start(const char *const *argv, struct child *ret, struct fault *f);
/* 0: it runs; otherwise it has ended: a fault with its status. */
int child_alive(struct child *c, struct fault *f);
/* SIGTERM, and SIGKILL after a while. */
void child_stop(struct child *c);
