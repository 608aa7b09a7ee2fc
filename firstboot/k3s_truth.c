/* See k3s.h: what K3s itself answers, and what its journal says when it does not. */
#include "firstboot/k3s.h"

#include "firstboot/paths.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/proc.h"

#include <errno.h>
#include <inttypes.h>

#define GATEWAY "https://127.0.0.1:2382/v3/"
#define HEALTH "http://127.0.0.1:2381/health" /* plain, served before etcd serves anybody else */
#define PEM_MAX 65536
#define STARTED "Starting k3s.service" /* systemd's word, in every language */

/* K3s answers with a Kubernetes Status; its message is the part for people. */
static int not_ready(const char *address, const struct http_response *rs, struct fault *f)
{
	_json_ struct json *j = NULL;
	const char *message = NULL;

	if (json_parse(str_text(&rs->body), rs->body.len, &j, NULL) == 0)
		message = json_str(j, "message");
	return fault_set(f, EAGAIN, "%s is not ready: %.200s (HTTP %d)", address,
			 message ? message : str_text(&rs->body), rs->status);
}

static int ask(struct http_client **kept, const struct http_request *rq, struct http_response *rs,
	       struct fault *f)
{
	if (!kept)
		return http_do(rq, rs, f);
	if (!*kept)
		*kept = http_client_new();
	return http_client_do(*kept, rq, rs, f);
}

/* What counts wants credentials (/ping is 200 without quorum), and our root vouches for who
 * answers. */
static int server(struct http_client **kept, const char *address, const char *path,
		  const char *user, const struct secrets *s, int limit_ms, struct http_response *rs,
		  struct fault *f)
{
	_free_ char *url = mem_printf("https://%s:%d%s", address, API_PORT, path);
	int r = ask(kept,
		    &(struct http_request){ .url = url,
					    .ca_pem = s->server_ca,
					    .user = user,
					    .password = s->token_password,
					    .timeout_ms = limit_ms,
					    .max_bytes = 65536 },
		    rs, f);

	/* texts without times and numbers: who watches is told once */
	if (r == -ETIMEDOUT)
		return fault_set(f, ETIMEDOUT, "%s does not answer in time", address);
	if (r == -ECONNREFUSED)
		return fault_set(f, ECONNREFUSED, "%s refuses connections", address);
	if (r < 0)
		return r;
	if (rs->status == 401)
		return fault_set(f, EACCES, "%s refuses our token: another cluster", address);
	return rs->status == 200 ? 0 : not_ready(address, rs, f);
}

int k3s_ready(struct http_client **kept, const char *address, const struct secrets *s, int limit_ms,
	      struct fault *f)
{
	_http_ struct http_response rs = { 0 };

	return server(kept, address, "/v1-k3s/readyz", "node", s, limit_ms, &rs, f);
}

/* One call of the etcd gateway on loopback (2379 speaks gRPC only; measured) with K3s's own client
 * certificate. Without KEPT it is asked for another node's answer, which waits. */
static int gateway(struct http_client **kept, const struct fs *fs, const char *call,
		   const char *body, struct json **ret, struct fault *f)
{
	_str_ struct str ca = { 0 }, cert = { 0 };
	_secret_ struct str key = { 0 };
	_http_ struct http_response rs = { 0 };
	_free_ char *url = mem_printf(GATEWAY "%s", call);
	int r;

	if ((r = fs_read(fs, K3S_TLS "/etcd/server-ca.crt", PEM_MAX, &ca, f)) < 0 ||
	    (r = fs_read(fs, K3S_TLS "/etcd/client.crt", PEM_MAX, &cert, f)) < 0 ||
	    (r = fs_read(fs, K3S_TLS "/etcd/client.key", PEM_MAX, &key, f)) < 0)
		return r;
	r = ask(kept,
		&(struct http_request){ .method = "POST",
					.url = url,
					.body = body,
					.body_len = strlen(body),
					.ca_pem = ca.p,
					.cert_pem = cert.p,
					.key_pem = key.p,
					.timeout_ms = kept ? K3S_OWN_MS : K3S_PEER_MS },
		&rs, f);
	if (r < 0)
		return r;
	if (rs.status != 200)
		return fault_set(f, EIO, "etcd: HTTP %d %.200s", rs.status, str_text(&rs.body));
	return json_parse(str_text(&rs.body), rs.body.len, ret, f);
}

static uint64_t decimal(const char *text)
{
	return text ? strtoull(text, NULL, 10) : 0;
}

static void copy(char *out, size_t size, const char *text, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(out, text, n);
	out[n] = 0;
}

static void take_members(const struct json *list, struct etcd_disk *ret)
{
	for (size_t i = 0; i < json_len(list) && ret->n < ETCD_MEMBERS_MAX; i++) {
		struct etcd_member *m = &ret->members[ret->n++];
		const struct json *one = json_at(list, i);
		const char *name = json_str(one, "name"),
			   *url = json_string(json_at(json_get(one, "peerURLs", NULL), 0));

		m->id = decimal(json_str(one, "ID"));
		m->learner = json_bool(one, "isLearner", false);
		copy(m->name, sizeof m->name, name ? name : "", name ? strlen(name) : 0);
		if (url && str_starts(url, "https://"))
			copy(m->address, sizeof m->address, url + 8, strcspn(url + 8, ":/"));
	}
}

int k3s_members_at(struct http_client **kept, const char *address, const struct secrets *s,
		   struct etcd_disk *ret, struct fault *f)
{
	_http_ struct http_response rs = { 0 };
	_json_ struct json *j = NULL;
	int r = server(kept, address, "/db/info", "server", s, K3S_PEER_MS, &rs, f);

	/* its member ids are numbers beyond 63 bits */
	if (r == 0)
		r = json_parse_reals(str_text(&rs.body), rs.body.len, &j, f);
	if (r < 0)
		return r;
	*ret = (struct etcd_disk){ .has_wal = true };
	take_members(json_get(j, "members", NULL), ret);
	return 0;
}

int k3s_members(struct http_client **kept, const struct fs *fs, struct etcd_disk *ret,
		struct fault *f)
{
	_json_ struct json *j = NULL;
	int r = gateway(kept, fs, "cluster/member/list", "{\"linearizable\":false}", &j, f);

	if (r < 0)
		return r;
	*ret = (struct etcd_disk){ .has_wal = true };
	ret->self = decimal(json_string(json_get(j, "header", "member_id", NULL)));
	ret->cluster = decimal(json_string(json_get(j, "header", "cluster_id", NULL)));
	take_members(json_get(j, "members", NULL), ret);
	return ret->self ? 0 : fault_set(f, EPROTO, "etcd does not say which member it is");
}

static int member_call(const struct fs *fs, const char *call, uint64_t id, struct fault *f)
{
	_free_ char *body = mem_printf("{\"ID\":\"%" PRIu64 "\"}", id);
	_json_ struct json *j = NULL;

	return gateway(NULL, fs, call, body, &j, f);
}

int k3s_member_remove(const struct fs *fs, uint64_t id, struct fault *f)
{
	return member_call(fs, "cluster/member/remove", id, f);
}

int k3s_member_promote(const struct fs *fs, uint64_t id, struct fault *f)
{
	return member_call(fs, "cluster/member/promote", id, f);
}

bool k3s_lacks_quorum(void)
{
	_http_ struct http_response rs = { 0 };

	return http_do(&(struct http_request){ .url = HEALTH, .timeout_ms = 1500 }, &rs, NULL) ==
		       0 &&
	       strstr(str_text(&rs.body), "NO LEADER");
}

/* Three that start together on two slow cores take a tenth of it. */
#define SLOW_MS (10 * 60 * 1000)
#define SLOW_TEXT "K3s has not been ready for more than 10 minutes (journalctl -u k3s tells more)"

/* Texts that K3s was seen to write, and what they mean for a person. */
static const struct trouble {
	const char *text, *meaning;
} troubles[] = {
	{ "data does not contain any valid RSA or ECDSA public keys",
	  "service.key is not in SEC1 form: no API server can ever start with it. `phoenix init` "
	  "makes a right one; nodes that started with it must be wiped" },
	{ "token CA hash does not match the Cluster CA certificate hash",
	  "the token belongs to another CA than the server's: this seed is of another cluster" },
	{ "invalid token CA hash length", "the token in the seed is damaged" },
	{ "failed to bootstrap cluster data: not authorized",
	  "the server refuses the token: this seed is of another cluster" },
	{ "critical configuration value mismatch between servers",
	  "the servers' K3s settings differ: give all nodes seeds from the same `phoenix seed` "
	  "run" },
	{ "duplicate node name found", "the cluster still has an etcd member of this node's name" },
	{ "This node has been removed from the cluster",
	  "this member was removed from the cluster" },
	{ "Waiting for other members to finish joining", "waits for another node that is joining" },
	{ "leaderelection lost", "quorum was lost" },
	{ "no space left on device", "the disk is full" },
	{ "read-only file system", "a file system is read-only" },
	{ "failed to find cpuset cgroup",
	  "the kernel lacks cgroup controllers that kubelet needs" },
	{ "address already in use", "a port that K3s needs is taken by another program" },
};

int k3s_unready(int64_t ms, const char *ready, const char *unpromoted, const char *said,
		struct fault *f)
{
	return fault_set(f, EAGAIN, "%s: %s%s%s%s%s", ms < SLOW_MS ? "K3s starts" : SLOW_TEXT,
			 ready, unpromoted && *unpromoted ? "; not a voter yet: " : "",
			 unpromoted ? unpromoted : "", said && *said ? "; " : "", said ? said : "");
}

int k3s_said(int lines, struct str *ret, struct fault *f)
{
	_free_ char *last = mem_printf("%d", lines);
	const char *const argv[] = { "journalctl", "-u", "k3s.service", "-b",	      "-o", "cat",
				     "-n",	   last, "-q",		"--no-pager", NULL };
	_str_ struct str out = { 0 };
	const char *from;
	int r = proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 10000, .max_output = 16 << 20 },
			&out, f);

	if (r < 0)
		return r;
	from = str_text(&out);
	for (const char *at = from; (at = strstr(at, STARTED)); at += strlen(STARTED))
		from = at;
	str_add(ret, from);
	return 0;
}

int k3s_trouble(struct fault *f)
{
	const struct trouble *last = NULL;
	const char *where = NULL;
	_str_ struct str out = { 0 };

	if (k3s_said(300, &out, NULL) < 0 || !out.len)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		for (const char *at = out.p; (at = strstr(at, troubles[i].text)); at++)
			if (!where || at > where) {
				where = at;
				last = &troubles[i];
			}
	if (!last)
		return 0;
	fault_set(f, EREMOTEIO, "%s (K3s: %s)", last->meaning, last->text);
	return 1;
}
