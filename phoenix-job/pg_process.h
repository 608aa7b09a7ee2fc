/* PostgreSQL as a process of this pod: started, told, ended; and all of its processes gone before
 * anything is said about it. */
#pragma once

#include "lib/fault.h"

#include <stdbool.h>
#include <sys/types.h>

struct pg_process {
	pid_t pid;    /* of the postmaster; 0: none */
	bool standby; /* was started as one */
};
/* DATA by PG_CONF; EXTRA: one more setting ("listen_addresses="), or NULL. Its words go where ours
 * go. */
int pg_process_start(struct pg_process *p, const char *data, bool standby, const char *extra,
		     struct fault *f);
/* True: the postmaster runs. When it has ended, all others of PostgreSQL are killed first. */
bool pg_process_runs(struct pg_process *p);
/* Fast, and when it takes longer than FAST_MS at once, and when that takes too long it is killed;
 * FAST_MS 0: killed. Afterwards none of its processes is left. */
void pg_process_stop(struct pg_process *p, int fast_ms);
/* It waits for WAL that is not on the disk: by what its startup process calls itself. */
bool pg_process_lacks_wal(const struct pg_process *p);
/* Every process of PostgreSQL in this pod, at once. True: there was one. */
bool pg_process_kill_all(void);
