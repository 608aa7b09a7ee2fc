/* See pg_look.h. */
#include "phoenix-job/pg_look.h"

#include "phoenix-job/pg_files.h"

#include "lib/timer.h"

#include <errno.h>

#define FRESH_MS 1000

int pg_own(const char *database, int timeout_ms, struct pg **ret, struct fault *f)
{
	struct pg_target t = { .address = PG_SOCKET,
			       .port = PG_PORT,
			       .database = database,
			       .user = PG_ROLE,
			       .timeout_ms = timeout_ms };

	return pg_open(&t, ret, f);
}

int pg_peer(const struct fs *fs, const char *address, const char *database, struct pg **ret,
	    struct fault *f)
{
	_secret_ struct str password = { 0 };
	struct pg_target t = { .address = address,
			       .port = PG_PORT,
			       .database = database,
			       .user = "repmgr",
			       .ca_file = PG_TLS "/ca.crt" };

	if (pg_secret(fs, "repmgr", &password, f) < 0)
		return -f->code;
	t.password = str_text(&password);
	return pg_open(&t, ret, f);
}

void pg_look_forget(struct pg_look *l)
{
	pg_freep(&l->pg);
	*l = (struct pg_look){ 0 };
}

/* A standby. Its terms are of what it has replayed, its position of what it has received: so the
 * position that is told is one that was received at the look before and is replayed now. When the
 * startup process waits for more, all that lies on the disk was replayed. */
static void see_standby(struct pg_look *l, const struct pg_rows *rows, struct pg_sight *s)
{
	uint64_t received = (uint64_t)pg_int(rows, 0, "received", 0);
	bool waits = pg_true(rows, 0, "waits") && s->replayed >= received;

	s->streams = pg_true(rows, 0, "streams");
	snprintf(s->upstream, sizeof s->upstream, "%s", pg_text(rows, 0, "upstream") ?: "");
	s->place.position = s->replayed;
	if (l->received > s->replayed)
		s->place.position = 0; /* to be kept as it was */
	s->known = waits || s->streams;
	l->received = received;
}

static int see_standbys_of(struct pg_look *l, struct pg_sight *s, struct fault *f)
{
	static const char sql[] =
		"SELECT application_name AS name, flush_lsn - '0/0' AS flushed, sync_priority "
		"FROM pg_stat_replication WHERE state = 'streaming'";
	_rows_ struct pg_rows *rows = NULL, *now = NULL;
	int64_t at = timer_now();

	/* who streams, then how far this server is: so that a position counts for names that were
	 * seen to be known before it was taken */
	if (pg_do(l->pg, sql, &rows, f) < 0 ||
	    pg_do(l->pg, "SELECT pg_current_wal_flush_lsn() - '0/0' AS flushed", &now, f) < 0)
		return -f->code;
	s->place.position = (uint64_t)pg_int(now, 0, "flushed", 0);
	if (at - l->then_at >= FRESH_MS) {
		l->before = l->then;
		l->then = s->place.position;
		l->then_at = at;
	}
	for (size_t i = 0; i < pg_count(rows); i++) {
		int pod = pg_pod_number(pg_text(rows, i, "name"));

		if (pod < 0)
			continue;
		s->standby[pod] = true;
		s->flushed[pod] = (uint64_t)pg_int(rows, i, "flushed", 0);
		s->priority[pod] = (int)pg_int(rows, i, "sync_priority", 0);
		s->fresh[pod] = s->flushed[pod] >= (l->before ?: l->then);
	}
	s->known = true;
	return 0;
}

int pg_look(struct pg_look *l, struct pg_sight *ret, struct fault *f)
{
	static const char sql[] =
		"SELECT pg_is_in_recovery() AS recovering, t.term, t.recorded, "
		"CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0' END AS "
		"replayed, coalesce(pg_last_wal_receive_lsn() - '0/0', 0) AS received, "
		"w.status = 'streaming' AS streams, "
		"substring(current_setting('primary_conninfo') from 'host=([^ ]*)') AS upstream, "
		"coalesce(a.wait_event IN ('RecoveryWalStream', "
		"'RecoveryRetrieveRetryInterval'), false) AS waits "
		"FROM phoenix.term t LEFT JOIN pg_stat_wal_receiver w ON true "
		"LEFT JOIN pg_stat_activity a ON a.backend_type = 'startup'";
	_rows_ struct pg_rows *rows = NULL;
	struct pg_sight s = { 0 };
	int r = 0;

	if (l->pg && !pg_usable(l->pg))
		pg_freep(&l->pg);
	if (!l->pg)
		r = pg_own("postgres", 1000, &l->pg, f);
	if (r < 0 || pg_do(l->pg, sql, &rows, f) < 0)
		return -f->code;
	if (pg_count(rows) != 1)
		return fault_set(f, EIO, "phoenix.term has %zu rows", pg_count(rows));
	s.recovering = pg_true(rows, 0, "recovering");
	s.place.term = pg_int(rows, 0, "term", 0);
	s.place.recorded = pg_int(rows, 0, "recorded", 0);
	s.replayed = (uint64_t)pg_int(rows, 0, "replayed", 0);
	if (s.recovering)
		see_standby(l, rows, &s);
	else if (see_standbys_of(l, &s, f) < 0)
		return -f->code;
	if (!s.place.position) {
		s.place = ret->place;
		s.known &= ret->known;
	}
	s.at = timer_now();
	*ret = s;
	return 0;
}
