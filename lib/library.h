/* Libraries that only some commands need, loaded when they are first used. Linked, each would cost
 * every start of phoenix time and memory: the daemon of a node would carry what a workstation
 * flashes disks with (3 MB, measured, where 16 are allowed). The wrapper of a library names its
 * calls in a table of this; nobody else includes it. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct library_call {
	const char *name;
	void *to; /* address of a function pointer of that call's type */
};

struct library {
	const char *so; /* "libzstd.so.1" */
	const struct library_call *calls;
	size_t n;
	bool tried;
	char problem[256]; /* why it could not be loaded, or "" */
};

/* Loads L's calls, at the first time; safe from several threads. -EIO names the library and what is
 * missing. */
int library_load(struct library *l, struct fault *f);
/* Where the library SO is; the caller's. For who takes it elsewhere. */
int library_path(const char *so, char **ret, struct fault *f);
