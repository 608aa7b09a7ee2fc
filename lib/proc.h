/* Other programs, by argument vector (never a shell), with a time limit and their words captured.
 * A secret goes in by stdin, never by argv: every user of a machine can read argv. */
#pragma once

#include "lib/fault.h"
#include "lib/str.h"

struct proc {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const void *input;	 /* given on stdin; NULL = /dev/null */
	size_t input_len;
	const char *const *env; /* extra "NAME=VALUE", NULL-terminated, or NULL */
	int timeout_ms;	   /* 0 = 30 s; then the whole process group gets SIGKILL: -ETIMEDOUT */
	size_t max_output; /* of stdout and of stderr; 0 = 1 MiB; more is thrown away */
};

struct proc_result {
	int status; /* exit status, or 128 + signal */
	struct str out, err;
};
#define _proc_ _cleanup_(proc_result_free)

/* Runs P to its end. Returns 0 whatever its exit status was; -ENOENT when there is no such program,
 * -ETIMEDOUT, or the errno that kept it from starting. */
int proc_run(const struct proc *p, struct proc_result *r, struct fault *f);
void proc_result_free(struct proc_result *r);
/* What a program said last, which is mostly why it failed; NOTHING when it said nothing. SAID is
 * changed on the way. */
const char *proc_last_line(struct str *said, const char *nothing);
/* Runs and wants exit status 0; otherwise the fault carries the program's last line of stderr and
 * the error is -EREMOTEIO. OUT (may be NULL) gets stdout, appended. */
int proc_ok(const struct proc *p, struct str *out, struct fault *f);
/* proc_ok for a fixed argument list: proc_do(f, "ip", "link", NULL) */
int proc_do(struct fault *f, const char *argv0, ...) __attribute__((sentinel));
