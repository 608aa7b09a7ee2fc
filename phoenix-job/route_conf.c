/* See route_conf.h. What a setting is for stands beside it; most of them were failures once. */
#include "phoenix-job/route_conf.h"

#include "lib/json.h"

#include <ctype.h>
#include <errno.h>

#define PASSWORD_MAX 1024
#define FILE_MAX 65536

int route_conf_port(enum route_pool p)
{
	return 6432 + (int)p;
}

char *route_conf_path(enum route_pool p)
{
	return mem_printf(ROUTE_RUN "/%s.ini", route_pool_name(p));
}

static char *target_path(enum route_pool p)
{
	return mem_printf(ROUTE_RUN "/%s.server", route_pool_name(p));
}

/* --- PgBouncer --- */

static const char pgbouncer_settings[] =
	/* for the console: the socket's folder is ours alone, and who comes by it as our user is
	   the administrator */
	"unix_socket_dir = " ROUTE_RUN "/sockets\n"
	"unix_socket_mode = 0700\n"
	"auth_type = scram-sha-256\n"
	/* holds the asking role alone; the clients' keys are asked for, and go through to the
	   server */
	"auth_file = " ROUTE_RUN "/users\n"
	"auth_user = pgbauth\n"
	"auth_dbname = postgres\n"
	"auth_query = SELECT usename, passwd FROM phoenix.get_auth($1)\n"
	"client_tls_sslmode = require\n"
	/* nobody is asked for a certificate; without it PgBouncer looks for the system's CAs and
	   does not start where there are none ("failed to load CA") */
	"client_tls_ca_file = " ROUTE_TLS "/ca.crt\n"
	"client_tls_cert_file = " ROUTE_TLS "/server.crt\n"
	"client_tls_key_file = " ROUTE_RUN "/server.key\n"
	/* a pod's address changes, so no certificate names it; the CA signs servers alone */
	"server_tls_sslmode = verify-ca\n"
	"server_tls_ca_file = " ROUTE_TLS "/ca.crt\n"
	"max_client_conn = 1000\n"
	/* drivers prepare statements by name, and the next transaction may be on another server
	   connection */
	"max_prepared_statements = 200\n"
	/* lib/pq and JDBC always send it */
	"ignore_startup_parameters = extra_float_digits\n"
	/* how long after a failed try the next one may come, and so what a pool that is pointed at
	   a new primary waits for its first connection */
	"server_login_retry = 0.05\n"
	"server_connect_timeout = 2\n"
	/* clients wait this long for a primary */
	"query_wait_timeout = 30\n"
	/* servers that are cut off: a statement on its way to them, or one that waits for its
	   answer, ends after three seconds */
	"tcp_keepalive = 1\n"
	"tcp_keepidle = 1\n"
	"tcp_keepintvl = 1\n"
	"tcp_keepcnt = 2\n"
	"tcp_user_timeout = 3000\n"
	/* of a session whose server is not the pool's any more, when its transaction ends */
	"server_fast_close = 1\n"
	/* one line a connection would be most of the log */
	"log_connections = 0\n"
	"log_disconnections = 0\n"
	"stats_period = 3600\n";

/* Server connections of each pair of user and database. All poolers' together (three pods) have to
 * fit into PostgreSQL's max_connections, also while every pool points at the primary. */
static int pool_size(enum route_pool p)
{
	return p == ROUTE_SESSION ? 15 : 20;
}

void route_conf_pgbouncer(enum route_pool p, struct str *out)
{
	_free_ char *target = target_path(p);

	str_addf(out,
		 "[databases]\n%%include %s\n[pgbouncer]\nlisten_addr = %s\nlisten_port = %d\n"
		 "pool_mode = %s\ndefault_pool_size = %d\n%s",
		 target, p == ROUTE_SESSION ? "*" : "127.0.0.1", route_conf_port(p),
		 p == ROUTE_SESSION ? "session" : "transaction", pool_size(p), pgbouncer_settings);
	/* what a session leaves behind is the next one's otherwise */
	if (p == ROUTE_SESSION)
		str_add(out, "server_reset_query = DISCARD ALL\n");
}

/* Port 1 of this pod: nobody listens there, which a client that waits does not notice. */
int route_conf_point(const struct fs *fs, enum route_pool p, const char *address, struct fault *f)
{
	_free_ char *path = target_path(p),
		    *line = mem_printf("* = host=%s port=%d\n", *address ? address : ROUTE_NOWHERE,
				       *address ? 5432 : 1);
	int r = fs_write_text(fs, path, 0600, line, f);

	return r < 0 ? r : 0;
}

/* --- Pgpool-II --- */

static const char pgpool_settings[] =
	"listen_addresses = '*'\n"
	"unix_socket_directories = '" ROUTE_RUN "/sockets'\n"
	/* its own console is used by nobody */
	"pcp_listen_addresses = ''\n"
	"pcp_socket_dir = '" ROUTE_RUN "/sockets'\n"
	"pid_file_name = '" ROUTE_RUN "/pgpool.pid'\n"
	"work_dir = '" ROUTE_RUN "'\n"
	"logdir = '" ROUTE_RUN "'\n"
	"backend_clustering_mode = 'streaming_replication'\n"
	/* who is not let in by pool_hba.conf is not asked for a password */
	"enable_pool_hba = on\n"
	"pool_passwd = '" ROUTE_RUN "/pool_passwd'\n"
	"allow_clear_text_frontend_auth = off\n"
	"ssl = on\n"
	"ssl_cert = '" ROUTE_TLS "/server.crt'\n"
	"ssl_key = '" ROUTE_RUN "/server.key'\n"
	/* a process for each client, as many as two more poolers' clients together would be */
	"process_management_mode = static\n"
	"num_init_children = 96\n"
	/* PgBouncer keeps connections; what Pgpool-II kept besides would hold its pools' places */
	"connection_cache = off\n"
	"max_pool = 1\n"
	"child_life_time = 0\n"
	"child_max_connections = 0\n"
	"statement_level_load_balance = off\n"
	/* a transaction that has written reads what it wrote */
	"disable_load_balance_on_write = 'transaction'\n"
	/* Where its backends lead is the agent's to know: it neither looks at them nor gives one
	   up. A pool is always there; a backend that it took for dead would stay so. */
	"health_check_period = 0\n"
	"sr_check_period = 0\n"
	"failover_command = ''\n"
	"follow_primary_command = ''\n"
	"failover_on_backend_error = off\n"
	"failover_on_backend_shutdown = off\n"
	"detach_false_primary = off\n"
	"auto_failback = off\n"
	"search_primary_node_timeout = 0\n"
	"memory_cache_enabled = off\n"
	/* what its processes share of the catalogue lies in the cache's memory all the same, of
	   which the default takes 136 MB */
	"memqcache_total_size = 8MB\n"
	"memqcache_max_num_cache = 10000\n"
	"log_line_prefix = 'pgpool[%p]: '\n";

static void pgpool_backend(struct str *out, int i, enum route_pool p)
{
	str_addf(out, "backend_hostname%d = '127.0.0.1'\nbackend_port%d = %d\n", i, i,
		 route_conf_port(p));
	str_addf(out, "backend_weight%d = %d\nbackend_flag%d = '%sDISALLOW_TO_FAILOVER'\n", i,
		 p != ROUTE_RW, i, p == ROUTE_RW ? "ALWAYS_PRIMARY|" : "");
}

void route_conf_pgpool(const struct route_conf *c, struct str *out)
{
	str_addf(out, "port = %d\nload_balance_mode = %s\n%s", ROUTE_PGPOOL_PORT,
		 c->standbys_read ? "on" : "off", pgpool_settings);
	pgpool_backend(out, 0, ROUTE_RW);
	pgpool_backend(out, 1, ROUTE_RO1);
	pgpool_backend(out, 2, ROUTE_RO2);
}

/* --- reading --- */

void route_conf_free(struct route_conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->services[i].database);
		free(c->services[i].role);
		mem_erase_str(c->services[i].password);
	}
	free(c->services);
	free(c->network);
	strv_free(&c->api);
	mem_erase_str(c->auth_password);
	mem_erase_str(c->route_password);
	*c = (struct route_conf){ 0 };
}

static bool made_of(const char *text, const char *also)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(also, *p))
			return false;
	return *text;
}

static char *secret(const struct fs *fs, const char *name, struct str *wrong)
{
	_free_ char *path = mem_printf(ROUTE_SECRETS "/%s", name);
	_secret_ struct str text = { 0 };
	struct fault f = { 0 };

	if (fs_read(fs, path, PASSWORD_MAX, &text, &f) < 0) {
		str_addf(wrong, "; %s", f.text);
		return NULL;
	}
	while (text.len && text.p[text.len - 1] == '\n')
		text.p[--text.len] = 0;
	/* it goes into files of lines, with quotes in one of them */
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == '"')
			text.len = 0;
	if (!text.len)
		str_addf(wrong, "; %s: has to be one line, not empty and without \"", path);
	return mem_strdup(str_text(&text));
}

static void load_services(const struct fs *fs, const struct json *list, struct route_conf *c,
			  struct str *wrong)
{
	c->services = mem_alloc(sizeof *c->services * (json_len(list) + 1));
	for (size_t i = 0; i < json_len(list); i++) {
		const char *role = json_str(json_at(list, i), "role"),
			   *database = json_str(json_at(list, i), "database");
		struct route_service *s = &c->services[c->n];

		if (!role || !database || !made_of(role, "_-") || !made_of(database, "_-")) {
			str_addf(wrong,
				 "; services[%zu]: wants role and database, of letters, digits, "
				 "_ and -",
				 i);
			continue;
		}
		*s = (struct route_service){ .database = mem_strdup(database),
					     .role = mem_strdup(role),
					     .password = secret(fs, role, wrong) };
		c->n++;
	}
}

static void load_settings(const struct json *j, struct route_conf *c, struct str *wrong)
{
	const char *reads = json_str(j, "reads"), *network = json_str(j, "network");
	const struct json *api = json_get(j, "api", NULL);

	if (json_int(j, "version", 0) != 1)
		str_add(wrong, "; version: has to be 1");
	if (!str_eq(reads, "primary") && !str_eq(reads, "standbys"))
		str_add(wrong, "; reads: has to be primary or standbys");
	if (!network || !made_of(network, "./:") || !strchr(network, '/'))
		str_add(wrong, "; network: has to be like 10.42.0.0/16");
	for (size_t i = 0; i < json_len(api); i++)
		if (json_string(json_at(api, i)))
			strv_add(&c->api, json_string(json_at(api, i)));
	if (!c->api.n)
		str_add(wrong, "; api: has to list the addresses of the API");
	c->standbys_read = str_eq(reads, "standbys");
	c->network = mem_strdup(network);
}

int route_conf_load(const struct fs *fs, struct route_conf *ret, struct fault *f)
{
	_route_conf_ struct route_conf c = { 0 };
	_str_ struct str text = { 0 }, wrong = { 0 };
	_json_ struct json *j = NULL;
	int r = fs_read(fs, ROUTE_DATABASE, FILE_MAX, &text, f);

	if (r == 0)
		r = json_parse(text.p, text.len, &j, f);
	if (r < 0)
		return fault_wrap(f, ROUTE_DATABASE);
	load_settings(j, &c, &wrong);
	load_services(fs, json_get(j, "services", NULL), &c, &wrong);
	c.auth_password = secret(fs, "pgbauth", &wrong);
	c.route_password = secret(fs, "route", &wrong);
	if (wrong.len)
		return fault_set(f, EINVAL, ROUTE_DATABASE ": %s", wrong.p + 2);
	*ret = c;
	c = (struct route_conf){ 0 };
	return 0;
}

/* --- writing --- */

static int write_key(const struct fs *fs, struct fault *f)
{
	_secret_ struct str key = { 0 };
	int r = fs_read(fs, ROUTE_TLS "/server.key", FILE_MAX, &key, f);

	/* Pgpool-II refuses one that a group may read, as a mounted secret's can be */
	return r < 0 ? r : fs_write_text(fs, ROUTE_RUN "/server.key", 0600, str_text(&key), f);
}

/* Pgpool-II has to know the passwords to log in at PgBouncer: SCRAM lets nothing through. */
static int write_passwords(const struct fs *fs, const struct route_conf *c, struct fault *f)
{
	_secret_ struct str passwd = { 0 }, users = { 0 };
	_str_ struct str hba = { 0 };
	int r;

	for (size_t i = 0; i < c->n; i++)
		str_addf(&passwd, "%s:TEXT%s\n", c->services[i].role, c->services[i].password);
	str_addf(&users, "\"pgbauth\" \"%s\"\n", c->auth_password);
	str_addf(&hba,
		 "hostssl all all %s scram-sha-256\n"
		 "hostssl all all 127.0.0.1/32 scram-sha-256\n",
		 c->network);
	r = fs_write_text(fs, ROUTE_RUN "/pool_passwd", 0600, str_text(&passwd), f);
	if (r >= 0)
		r = fs_write_text(fs, ROUTE_RUN "/users", 0600, str_text(&users), f);
	return r < 0 ? r : fs_write_text(fs, ROUTE_RUN "/pool_hba.conf", 0600, str_text(&hba), f);
}

int route_conf_write(const struct fs *fs, const struct route_conf *c, struct fault *f)
{
	_str_ struct str pgpool = { 0 };
	int r = fs_mkdirs(fs, ROUTE_RUN "/sockets", 0700, f);

	for (int p = 0; r >= 0 && p < ROUTE_POOLS; p++) {
		_free_ char *path = route_conf_path(p);
		_str_ struct str text = { 0 };

		route_conf_pgbouncer(p, &text);
		r = fs_write_text(fs, path, 0600, str_text(&text), f);
		if (r >= 0)
			r = route_conf_point(fs, p, "", f);
	}
	route_conf_pgpool(c, &pgpool);
	if (r >= 0)
		r = fs_write_text(fs, ROUTE_RUN "/pgpool.conf", 0600, str_text(&pgpool), f);
	if (r >= 0)
		r = write_passwords(fs, c, f);
	if (r >= 0)
		r = write_key(fs, f);
	return r < 0 ? r : 0;
}
