/* Tells whoever watches how far first boot is: the journal, the console, systemd's status line, and
 * STATUS_FILE for programs (phoenix status, the lab). Each says a thing once: a step that waits for
 * an hour is one line. */
#pragma once

#include "firstboot/engine.h"
#include "lib/json.h"

struct progress {
	const struct fs *fs;
	const char *state; /* what the daemon said of the whole; NULL: as the steps are */
	char step[32], text[1000];
	int64_t since;	    /* monotonic ms: when `head` last changed */
	struct str head;    /* state, step and text of the whole */
	struct str written; /* what STATUS_FILE holds */
	struct str said;    /* the last line, without the details in brackets at its end */
};

/* The engine's report callback; USER is a struct progress, {.fs = …} at first. A line for the
 * journal and the console, the status line, STATUS_FILE. */
void progress_report(void *user, const struct engine *e, size_t i);
/* The daemon's own word for the whole, until the next step reports. STEP and TEXT may be NULL;
 * STATE is not copied. */
void progress_set(struct progress *p, const struct engine *e, const char *state, const char *step,
		  const char *text);
void progress_free(struct progress *p);
/* {"version":1, "node", "state": working|waiting|failed|ready, "step", "text", "since_ms"
 * (monotonic), "steps": [{"name", "state", "text", "ms", "tries"}]}. The caller's. */
struct json *progress_json(struct progress *p, const struct engine *e);
