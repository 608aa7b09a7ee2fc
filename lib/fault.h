/* The one error type of the program: what went wrong, in words a person can act on.
 * It is owned by the caller, has a fixed size (an error never needs memory), is set where the
 * mistake is seen, gains context on the way up and is printed once, in main or in a step's report.
 * Functions that can fail return 0 or a positive result, or -errno with the fault filled. */
#pragma once

#include <stdarg.h>

struct fault {
	int code;	 /* positive errno; 0 = no error */
	char text[1000]; /* one line, no trailing newline */
};

/* Sets F to CODE (a positive errno) and a text. Returns -CODE, so that it can be returned at once.
 * F may be NULL when nobody wants to know. */
int fault_set(struct fault *f, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like fault_set with the current errno; its name ("No such file or directory") ends the text. */
int fault_errno(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "CONTEXT: " before the text that F holds. Returns -F->code. A long text loses its end, never
 * its context. */
int fault_wrap(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Empties F, so that it can be used again. */
void fault_clear(struct fault *f);
