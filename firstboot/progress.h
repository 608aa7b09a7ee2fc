/* Tells whoever watches how far first boot is: the journal, the console, systemd's status line, and
 * STATUS_FILE for programs (phoenix status, the lab). Each says a thing once: a step that waits for
 * an hour is one line. */
#pragma once

#include "firstboot/engine.h"
#include "lib/json.h"

struct progress {
	const struct fs *fs;
	bool quiet;    /* no console: a command run by hand */
	int64_t since; /* monotonic ms: when `head` last changed */
	struct str head;    /* state, step and text of the whole */
	struct str written; /* what STATUS_FILE holds */
};
#define _progress_ _cleanup_(progress_free)

void progress_init(struct progress *p, const struct fs *fs);
void progress_free(struct progress *p);
/* Results[I] changed: a line for the journal and the console, the status line, STATUS_FILE. */
void progress_update(struct progress *p, const struct engine *e, size_t i);
/* STATUS_FILE, when something in it changed: after a pass, for the times. */
void progress_write(struct progress *p, const struct engine *e);
/* The first step that is not done; NULL when all are. */
const struct step_result *progress_current(const struct engine *e);
/* {"version":1, "node", "state": working|waiting|failed|ready, "step", "text", "since_ms" (monotonic),
 * "steps": [{"name", "state", "text", "ms", "tries"}]}. The caller's. */
struct json *progress_json(struct progress *p, const struct engine *e);
/* For people: a step a line. */
void progress_table(const struct engine *e, struct str *out);
