/* The programs of a pooler pod: started, started again when they end, reaped, ended. This program is
 * the pod's first process, so the orphans of others are its to reap as well. All write to the same
 * standard error, which is the pod's log.
 *
 * They end when this program ends, however that is. (To be called by the main thread alone: the
 * kernel's word to a child comes when the thread ends that made it.) */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct route_child {
	const char *name;
	const char *const *argv;
	int on_death;	    /* the signal it gets when this program ends */
	int to_end;	    /* the signal by which it is asked to end */
	bool shared_memory; /* it leaves some behind when it is killed */
	/* its own */
	pid_t pid;
	int64_t started, next, pause;
};

/* Starts those of N that do not run and whose time has come. Returns the ms until another one's
 * comes, -1: all run. */
int64_t route_children_start(struct route_child *children, int n);
/* Reaps whatever has ended. Returns one of N that did (to be called again), or NULL. */
struct route_child *route_children_reap(struct route_child *children, int n);
/* Asks it to end, and ends it with all that it started after MS. */
void route_children_end(struct route_child *child, int64_t ms);
