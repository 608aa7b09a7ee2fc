/* What stands in the databases for us: the terms, roles and databases of the services, what poolers
 * and repmgr need. All statements may be said again. */
#pragma once

#include "phoenix-job/pg_unit.h"

#include "lib/pg.h"

/* Everything, on a primary. CREATE DATABASE takes a moment. */
int pg_schema_apply(const struct fs *fs, const struct pg_unit *u, struct fault *f);
/* The first statement of a new primary: from here on its data is of TERM. */
int pg_term_begin(int64_t term, struct fault *f);
/* NUMBER of the record that now stands in the Lease. */
int pg_term_mark(int64_t number, struct fault *f);
/* May this pod's data, of TERM, go on from the one at ADDRESS, or did they part? 1: it may; 0: they
 * parted. */
int pg_term_agrees(const struct fs *fs, const char *address, struct pg_place own, struct fault *f);
/* repmgr.nodes as it is: SELF the primary; addresses of the pods ("": not known), who streams. And
 * a slot for each other pod, none else. */
int pg_meta_primary(const struct pg_unit *u, char addresses[PG_PODS][64],
		    const bool streams[PG_PODS], struct fault *f);
/* A standby holds no WAL back for anybody. */
int pg_meta_standby(struct fault *f);
