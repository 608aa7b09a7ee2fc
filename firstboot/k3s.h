/* K3s from outside: its unit, its configuration of the moment, whether it is *truly* ready and what
 * is wrong when it is not. Exit status and unit state lie (measured: fatal errors exit 0, a removed
 * member never exits, `systemctl start` blocks until Ready), so the truth is its /v1-k3s/readyz,
 * its etcd, and the words in its journal. */
#pragma once

#include "firstboot/etcd_disk.h"
#include "firstboot/step.h"

struct k3s_unit {
	char active[24], sub[24], result[24]; /* as systemd says */
	long pid, restarts;
};
int k3s_unit(struct k3s_unit *ret, struct fault *f);
bool k3s_is_running(void); /* a main process exists */
bool k3s_has_wal(const struct fs *fs);
bool k3s_installed(const struct fs *fs);

/* Starts the unit for one start: FORM gives it --cluster-init, which is gone again before this
 * returns. Without a WAL the unit cannot be restarted by systemd itself afterwards. */
int k3s_start(const struct fs *fs, bool form, struct fault *f);
/* Lets systemd restart it from now on: its data decides, no flag does. */
int k3s_allow_restart(const struct fs *fs, struct fault *f);
int k3s_stop(const struct fs *fs,
	     struct fault *f); /* and until it is gone; no restart by systemd afterwards */
/* The server to join through; NULL removes it (cluster-reset refuses to run with one). */
int k3s_set_server(const struct fs *fs, const char *address, struct fault *f);

/* Another node is asked within the limits of an answer of one's own; the own K3s has time: on a slow
 * machine that starts it an answer takes up to 1700 ms, of which the handshake 1300 (measured on an
 * emulated one, which was well and hardly ever heard within 1500 ms). */
#define K3S_PEER_MS 1500
#define K3S_OWN_MS 5000
/* 0: the server at ADDRESS is ready, by its own word given under our CA and within LIMIT_MS.
 * Otherwise -errno with what it says. KEPT (may be NULL, may point at NULL) is a connection for the
 * next question: a handshake costs more than all else. */
struct http_client;
int k3s_ready(struct http_client **kept, const char *address, const struct secrets *s, int limit_ms,
	      struct fault *f);
/* The members as the running etcd of this node tells them, through its loopback gateway. */
int k3s_members(struct http_client **kept, const struct fs *fs, struct etcd_disk *ret,
		struct fault *f);
/* The members, without ids, as the server at ADDRESS tells one that is about to join: asked with the
 * cluster's token, answered before its API is ready, and with a quorum only. */
int k3s_members_at(struct http_client **kept, const char *address, const struct secrets *s,
		   struct etcd_disk *ret, struct fault *f);
int k3s_member_remove(const struct fs *fs, uint64_t id, struct fault *f);
/* Etcd refuses, and this fails, while the learner has not caught up. */
int k3s_member_promote(const struct fs *fs, uint64_t id, struct fault *f);
/* This node's etcd runs and says that it has no leader. */
bool k3s_lacks_quorum(void);
/* The known failure in the journal since the unit was last started, in words with its remedy. 1
 * found, 0 none. */
int k3s_trouble(struct fault *f);
/* The sentence of a K3s that runs and has not been ready for MS: READY is its own word, UNPROMOTED
 * and SAID (may be NULL or "") what else is known. Always -EAGAIN. */
int k3s_unready(int64_t ms, const char *ready, const char *unpromoted, const char *said,
		struct fault *f);
/* What K3s wrote to the journal since its unit was last started, of the last LINES lines. Found by
 * systemd's own line there and not by the time: the clock may be set meanwhile. */
int k3s_said(int lines, struct str *ret, struct fault *f);
/* Runs K3s's own cluster-reset: this node becomes the only voter of its data. */
int k3s_reset(const struct fs *fs, struct fault *f);
