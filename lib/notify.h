/* sd_notify(3) without libsystemd: the protocol is one datagram, and its manual page asks small
 * programs to speak it themselves. */
#pragma once

/* Sends STATE ("READY=1", "STATUS=…") to $NOTIFY_SOCKET; without one, or when nobody listens,
 * nothing happens: a start by hand is no error. */
void notify_send(const char *state);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
