/* What PostgreSQL of this pod shows when it is asked: by one connection that is kept, over the pod's
 * own socket. */
#pragma once

#include "phoenix-job/pg_unit.h"

#include "lib/pg.h"

struct pg_sight {
	int64_t at; /* when; 0: it has not answered */
	bool recovering;
	struct pg_place place;
	bool known; /* all that lies on the disk is in PLACE */
	/* a standby */
	bool streams;
	char upstream[64]; /* of the receiver's settings; "" = none */
	uint64_t replayed;
	/* a primary: of each standby that streams */
	bool standby[PG_PODS], fresh[PG_PODS];
	uint64_t flushed[PG_PODS];
	int priority[PG_PODS];
};

struct pg_look {
	struct pg *pg;
	uint64_t received;     /* at the look before: what has to be replayed */
	uint64_t then, before; /* a primary's positions, a second or two ago */
	int64_t then_at;
};

/* 0, or -errno: RET then keeps what it held. */
int pg_look(struct pg_look *l, struct pg_sight *ret, struct fault *f);
/* The connection of a PostgreSQL that is gone, and what was seen of it. */
void pg_look_forget(struct pg_look *l);
/* To this pod's own PostgreSQL, as its superuser. */
int pg_own(const char *database, int timeout_ms, struct pg **ret, struct fault *f);
/* To another pod's, as repmgr. */
int pg_peer(const struct fs *fs, const char *address, const char *database, struct pg **ret,
	    struct fault *f);
