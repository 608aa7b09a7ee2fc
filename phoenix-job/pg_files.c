/* See pg_files.h. */
#include "phoenix-job/pg_files.h"

#include <errno.h>

#define TURNS 8

int pg_first_priority(int turn)
{
	return 1 + turn % TURNS * PG_PODS;
}

static void print_names(const struct pg_unit *u, const struct pg_settings *s, struct str *out)
{
	int n = 0;

	for (int i = 0; i < PG_PODS; i++)
		n += s->names[i];
	if (!n && u->mode == PG_ASYNC)
		return;
	/* sync: a new primary waits until it was told for whom */
	str_addf(out, "synchronous_standby_names = 'FIRST %d (", n ?: 1);
	for (int i = 1; i < pg_first_priority(s->turn); i++)
		str_addf(out, "\"-%d\", ", i);
	for (int i = 0, first = 1; i < PG_PODS; i++)
		if (s->names[i]) {
			str_addf(out, "%s\"postgres-%d\"", first ? "" : ", ", i);
			first = 0;
		}
	str_addf(out, "%s)'\n", n ? "" : "\"-\"");
}

void pg_conninfo_print(const char *address, const char *application, const char *database,
		       struct str *out)
{
	str_addf(out,
		 "host=%s port=%d user=repmgr dbname=%s application_name=%s connect_timeout=2 "
		 "sslmode=verify-ca sslrootcert=" PG_TLS "/ca.crt passfile=" PG_PASSFILE,
		 address, PG_PORT, database, application);
}

void pg_conf_print(const struct pg_unit *u, const struct pg_settings *s, struct str *out)
{
	str_addf(out,
		 "# Written by phoenix pg; a change made here is lost.\n"
		 "listen_addresses = '*'\n"
		 "port = %d\n"
		 "unix_socket_directories = '" PG_SOCKET "'\n"
		 "hba_file = '" PG_RUN_DIR "/pg_hba.conf'\n"
		 "ident_file = '" PG_RUN_DIR "/pg_ident.conf'\n"
		 "cluster_name = '%s'\n"
		 "ssl = on\n"
		 "ssl_ca_file = '" PG_TLS "/ca.crt'\n"
		 "ssl_cert_file = '" PG_TLS "/server.crt'\n"
		 "ssl_key_file = '" PG_TLS "/server.key'\n"
		 "ssl_min_protocol_version = 'TLSv1.3'\n"
		 "password_encryption = 'scram-sha-256'\n"
		 "max_connections = 200\n"
		 "shared_preload_libraries = 'repmgr, phoenix_fence'\n"
		 "phoenix.permit = '" PG_PERMIT "'\n"
		 "phoenix.exempt = '" PG_ROLE ", repmgr'\n"
		 "phoenix.supervisor = '" PG_ROLE "'\n"
		 "max_prepared_transactions = 0\n"
		 /* whatever crashed: the supervisor decides what becomes of it */
		 "restart_after_crash = off\n"
		 "wal_level = replica\n"
		 "wal_log_hints = on\n"
		 "max_wal_senders = 12\n"
		 "max_replication_slots = 12\n"
		 "hot_standby = on\n"
		 "hot_standby_feedback = on\n"
		 "wal_keep_size = 1GB\n"
		 "max_slot_wal_keep_size = 8GB\n"
		 "wal_sender_timeout = 5s\n"
		 "wal_receiver_timeout = 5s\n"
		 "wal_receiver_status_interval = 1s\n"
		 /* (each try is a line in the log: seldom while there is nobody to ask) */
		 "wal_retrieve_retry_interval = %s\n"
		 "recovery_target_timeline = 'latest'\n"
		 "tcp_keepalives_idle = 5\n"
		 "tcp_keepalives_interval = 2\n"
		 "tcp_keepalives_count = 3\n"
		 "tcp_user_timeout = 10s\n"
		 "logging_collector = off\n"
		 "log_destination = 'stderr'\n"
		 "log_line_prefix = '%%m [%%p] %%q%%u@%%d '\n"
		 "log_connections = off\n"
		 "synchronous_commit = %s\n",
		 PG_PORT, u->pod, s->upstream ? "200ms" : "5s",
		 u->reads_standbys ? "remote_apply" : "on");
	print_names(u, s, out);
	if (!s->upstream)
		return;
	str_add(out, "primary_conninfo = '");
	pg_conninfo_print(s->upstream, u->pod, "replication", out);
	str_addf(out, "'\nprimary_slot_name = 'repmgr_slot_%d'\n", u->self + 1);
}

static int write_hba(const struct fs *fs, const struct pg_unit *u, const char *user,
		     struct fault *f)
{
	_str_ struct str hba = { 0 }, ident = { 0 };

	str_addf(&hba,
		 "local all " PG_ROLE " peer map=phoenix\n"
		 "local all all scram-sha-256\n"
		 "hostssl all " PG_ROLE " all reject\n"
		 "hostssl replication repmgr %s scram-sha-256\n"
		 "hostssl all all %s scram-sha-256\n",
		 u->network, u->network);
	str_addf(&ident, "phoenix %s " PG_ROLE "\n", user);
	if (fs_write_text(fs, PG_RUN_DIR "/pg_hba.conf", 0600, str_text(&hba), f) < 0 ||
	    fs_write_text(fs, PG_RUN_DIR "/pg_ident.conf", 0600, str_text(&ident), f) < 0)
		return -f->code;
	return 0;
}

/* A colon or backslash in a password is escaped in this file. */
static int write_passfile(const struct fs *fs, struct fault *f)
{
	_secret_ struct str password = { 0 }, line = { 0 };

	if (pg_secret(fs, "repmgr", &password, f) < 0)
		return -f->code;
	str_add(&line, "*:*:*:repmgr:");
	for (const char *p = str_text(&password); *p; p++)
		str_addf(&line, "%s%c", *p == ':' || *p == '\\' ? "\\" : "", *p);
	str_add(&line, "\n");
	return fs_write_text(fs, PG_PASSFILE, 0600, str_text(&line), f);
}

int pg_repmgr_write(const struct fs *fs, const struct pg_unit *u, const char *path,
		    const char *data, struct fault *f)
{
	_str_ struct str text = { 0 };

	str_addf(&text, "node_id=%d\nnode_name='%s'\nconninfo='", u->self + 1, u->pod);
	pg_conninfo_print(u->address, u->pod, "repmgr", &text);
	str_addf(&text,
		 "'\ndata_directory='%s'\n"
		 "passfile='" PG_PASSFILE "'\n"
		 "use_replication_slots=yes\n"
		 "failover=manual\n"
		 "log_level=NOTICE\n",
		 data);
	return fs_write_text(fs, path, 0600, str_text(&text), f);
}

int pg_files_write(const struct fs *fs, const struct pg_unit *u, const char *user, struct fault *f)
{
	int r = write_hba(fs, u, user, f);

	if (r >= 0)
		r = write_passfile(fs, f);
	if (r >= 0)
		r = pg_repmgr_write(fs, u, PG_RUN_DIR "/repmgr.conf", PG_VOLUME "/data", f);
	return r < 0 ? r : 0;
}
