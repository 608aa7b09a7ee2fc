/* See pods.h. */
#include "tests/db/pods.h"

#include "lib/fs.h"
#include "lib/timer.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/database/leases"

struct kube *kube;
int primary;
int64_t term = 1;
static char *ca;
/* The double gives UIDs itself: the pods' are asked for. */
static char uids[4][64];

static char *in_folder(const char *name)
{
	return mem_printf("%s/%s", getenv("ROUTE_DIR"), name);
}

/* --- the machines --- */

void hand(const char *fmt, ...)
{
	_str_ struct str command = { 0 };
	va_list ap;

	str_add(&command, "ROUTE_HAND='");
	va_start(ap, fmt);
	str_vaddf(&command, fmt, ap);
	va_end(ap);
	str_addf(&command, "' %s", getenv("ROUTE_COMMAND"));
	if (system(command.p) != 0)
		fail_msg("%s", command.p);
}

void link_of(int n, const char *state)
{
	_free_ char *command = mem_printf("ip link set v%d %s", n, state);

	assert_int_equal(system(command), 0);
}

pid_t process(const char *a, const char *b)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	for (struct dirent *e; (e = readdir(proc));) {
		_free_ char *path = mem_printf("/proc/%s/cmdline", e->d_name);
		char line[512] = "";
		FILE *file = isdigit((unsigned char)*e->d_name) ? fopen(path, "re") : NULL;
		size_t n = file ? fread(line, 1, sizeof line - 1, file) : 0;

		if (file)
			fclose(file);
		for (size_t i = 0; i < n; i++)
			line[i] = line[i] ? line[i] : ' ';
		if (n && str_starts(line, a) && strstr(line, b) &&
		    (!found || atoi(e->d_name) < found))
			found = atoi(e->d_name);
	}
	closedir(proc);
	return found;
}

pid_t postmaster(int n)
{
	_free_ char *name = mem_printf("-D /test/pg/%d", n), *other = mem_printf("/test/pg/%d", n);
	pid_t pid = process("/usr/lib/postgresql/17/bin/postgres", name);

	return pid ? pid : process("/usr/lib/postgresql/17/bin/postgres", other);
}

void signalled(pid_t pid, int number)
{
	assert_true(pid > 1);
	assert_int_equal(kill(pid, number), 0);
}

void signalled_all(int n, int number)
{
	pid_t leader = postmaster(n);
	DIR *proc = opendir("/proc");

	for (struct dirent *e; (e = readdir(proc));) {
		_free_ char *path = mem_printf("/proc/%s/stat", e->d_name);
		FILE *file = isdigit((unsigned char)*e->d_name) ? fopen(path, "re") : NULL;
		int parent = 0;

		if (!file)
			continue;
		if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == leader)
			kill(atoi(e->d_name), number);
		fclose(file);
	}
	closedir(proc);
	signalled(leader, number);
}

void is_gone(pid_t pid)
{
	for (int i = 0; i < 600 && kill(pid, 0) == 0; i++)
		timer_sleep(50);
	assert_int_equal(kill(pid, 0), -1);
}

/* --- connections --- */

int reach(const char *address, int port, const char *user, bool tls, struct pg **ret,
	  struct fault *f)
{
	_free_ char *password = mem_printf("%s-password", user);
	const struct pg_target t = { .address = address,
				     .port = port,
				     .database = str_eq(user, "gitea") ? "gitea" : "postgres",
				     .user = user,
				     .password = password,
				     .ca_file = tls ? ca : NULL,
				     .timeout_ms = 40000 };

	return pg_open(&t, ret, f);
}

struct pg *client(int port)
{
	struct fault f = { 0 };
	struct pg *pg = NULL;

	if (reach(POOLER, port, "gitea", true, &pg, &f) < 0)
		fail_msg("%s", f.text);
	return pg;
}

void server_does(int n, const char *sql)
{
	_free_ char *address = mem_printf("10.42.0.1%d", n);
	_pg_ struct pg *pg = NULL;
	struct fault f = { 0 };

	if (reach(address, 5432, "repmgr", true, &pg, &f) < 0 || pg_do(pg, sql, NULL, &f) < 0)
		fail_msg("%s: %s", sql, f.text);
}

void done(struct pg *pg, const char *sql)
{
	struct fault f = { 0 };

	if (pg_do(pg, sql, NULL, &f) < 0)
		fail_msg("%s: %s", sql, f.text);
}

int server_of(struct pg *pg, const char *sql)
{
	_rows_ struct pg_rows *rows = NULL;
	const char *a;

	if (pg_do(pg, sql, &rows, NULL) < 0)
		return -1;
	a = pg_text(rows, 0, "a");
	return a && str_starts(a, "10.42.0.1") ? atoi(a + strlen("10.42.0.1")) : -1;
}

/* --- the API --- */

static void put(const char *path, const char *name, const char *text)
{
	_free_ char *one = mem_printf("%s/%s", path, name);
	_json_ struct json *object = NULL, *now = NULL;
	struct fault f = { 0 };

	if (json_parse(text, strlen(text), &object, &f) < 0)
		fail_msg("%s: %s", text, f.text);
	if (kube_get(kube, one, &now, NULL) < 0) {
		if (kube_create(kube, path, object, NULL, &f) < 0)
			fail_msg("%s: %s", one, f.text);
	} else if (kube_patch(kube, one, object, NULL, &f) < 0) {
		fail_msg("%s: %s", one, f.text);
	}
}

void put_holder(int holder, int64_t t)
{
	_free_ char *text =
		mem_printf("{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			   "\"metadata\":{\"name\":\"postgres\",\"namespace\":\"database\","
			   "\"annotations\":{\"phoenix/pod\":\"postgres-%d\"}},"
			   "\"spec\":{\"holderIdentity\":\"%s/nonce\",\"leaseDurationSeconds\":5,"
			   "\"leaseTransitions\":%lld}}",
			   holder, uids[holder], (long long)t);

	put(LEASES, "postgres", text);
}

void put_pod(int n, const char *address)
{
	_free_ char *text = mem_printf(
			    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
			    "\"postgres-%d\","
			    "\"namespace\":\"database\",\"labels\":{\"app.kubernetes.io/"
			    "name\":\"postgres\"}},"
			    "\"spec\":{\"containers\":[]},\"status\":{\"podIP\":\"%s\"}}",
			    n, address),
		    *path = mem_printf(NS "/pods/postgres-%d", n);
	_json_ struct json *now = NULL;

	put(NS "/pods", path + strlen(NS "/pods/"), text);
	assert_int_equal(kube_get(kube, path, &now, NULL), 0);
	snprintf(uids[n], sizeof uids[n], "%s",
		 json_string(json_get(now, "metadata", "uid", NULL)));
}

void put_map(const char *name, const char *data)
{
	_free_ char *text = mem_printf(
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"database\"},\"data\":%s}",
		name, data);

	put(NS "/configmaps", name, text);
}

/* The identity of N's cluster. */
static char *system_of(int n)
{
	_free_ char *address = mem_printf("10.42.0.1%d", n);
	_rows_ struct pg_rows *rows = NULL;
	_pg_ struct pg *pg = NULL;

	assert_int_equal(reach(address, 5432, "repmgr", true, &pg, NULL), 0);
	assert_int_equal(
		pg_do(pg, "SELECT system_identifier AS s FROM pg_control_system()", &rows, NULL),
		0);
	return mem_printf("{\"state\":\"done\",\"system\":\"%s\"}", pg_text(rows, 0, "s"));
}

void put_move(const char *id, int to, const char *phase)
{
	_free_ char *data = mem_printf("{\"id\":\"%s\",\"to\":\"postgres-%d\",\"transitions\":"
				       "\"%lld\",\"seconds\":\"20\",\"phase\":\"%s\"}",
				       id, to, (long long)term, phase);

	put_map("postgres-move", data);
}

/* --- what the agent says --- */

char *pool(const char *name)
{
	_free_ char *path = in_folder("run/route.json");
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;
	_fs_ struct fs fs = { .fd = -1 };
	const struct json *pools;

	assert_int_equal(fs_open(&fs, "/", NULL), 0);
	if (fs_read(&fs, path, 65536, &text, NULL) < 0 ||
	    json_parse(text.p, text.len, &j, NULL) < 0)
		return mem_strdup("?");
	pools = json_get(j, "pools", NULL);
	for (size_t i = 0; i < json_len(pools); i++)
		if (str_eq(json_str(json_at(pools, i), "name"), name))
			return mem_strdup(json_str(json_at(pools, i), "pod"));
	return mem_strdup("?");
}

void until_pool(const char *name, int n)
{
	_free_ char *wanted = n < 0 ? mem_strdup("") : mem_printf("postgres-%d", n);

	for (int64_t end = timer_now() + 60000;; timer_sleep(50)) {
		_free_ char *is = pool(name);

		if (str_eq(is, wanted))
			return;
		if (timer_now() > end)
			fail_msg("pool %s points at '%s', expected '%s'", name, is, wanted);
	}
}

void until_as_it_should_be(void)
{
	int lower = primary == 0 ? 1 : 0, higher = primary == 2 ? 1 : 2;

	until_pool("rw", primary);
	until_pool("session", primary);
	until_pool("ro1", lower);
	until_pool("ro2", higher);
}

/* --- the database --- */

void third_follows(int n, int old)
{
	_free_ char *sql = mem_printf("ALTER SYSTEM SET primary_conninfo = 'host=10.42.0.1%d "
				      "user=repmgr password=repmgr-password sslmode=require'",
				      n);

	server_does(3 - n - old, sql);
	server_does(3 - n - old, "SELECT pg_reload_conf()");
}

void promote(int n)
{
	_free_ char *sql = NULL;

	server_does(n, "SELECT pg_promote()");
	sql = mem_printf("UPDATE phoenix.term SET term = %lld", (long long)++term);
	server_does(n, sql);
	primary = n;
}

void others_made_anew(void)
{
	for (int n = 0; n < 3; n++)
		if (n != primary)
			hand("clone %d %d", n, primary);
	until_as_it_should_be();
}

/* --- */

int world(void **state)
{
	_free_ char *cert = in_folder("admin.pem"), *key = in_folder("admin.key"), *data = NULL;
	_str_ struct str ca_text = { 0 }, cert_text = { 0 }, key_text = { 0 };
	_strv_ struct strv servers = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	struct kube_config c = { 0 };

	(void)state;
	ca = in_folder("ca.pem");
	assert_int_equal(fs_open(&fs, "/", NULL), 0);
	assert_int_equal(fs_read(&fs, ca, 65536, &ca_text, NULL), 0);
	assert_int_equal(fs_read(&fs, cert, 65536, &cert_text, NULL), 0);
	assert_int_equal(fs_read(&fs, key, 65536, &key_text, NULL), 0);
	strv_add(&servers, "https://10.42.0.2:6443");
	c.servers = servers;
	c.ca_pem = ca_text.p;
	c.cert_pem = cert_text.p;
	c.key_pem = key_text.p;
	assert_int_equal(kube_new(&c, &kube, NULL), 0);
	put("/api/v1/namespaces", "database",
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"database\"}}");
	for (int n = 0; n < 3; n++) {
		_free_ char *address = mem_printf("10.42.0.1%d", n);

		put_pod(n, address);
	}
	data = system_of(0);
	put_map("postgres", data);
	put_holder(0, term);
	return 0;
}

int world_away(void **state)
{
	(void)state;
	kube_freep(&kube);
	free(ca);
	return 0;
}
