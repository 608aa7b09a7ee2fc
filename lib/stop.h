/* The signals by which a person or systemd ends a program: they only say so, and the program goes
 * on to the next place where it may be left. */
#pragma once

#include <signal.h>

/* From now on INT, TERM and HUP do not end the process; a call that blocks returns with EINTR. The
 * answer is where the number of the last one will stand, as in stop_asked(): for what is told where
 * to look. */
const volatile sig_atomic_t *stop_catch(void);
/* The number of the signal, 0: none came. From any thread. */
int stop_asked(void);
