/* See route_status.h. */
#include "phoenix-job/route_status.h"

#include "lib/json.h"
#include "lib/timer.h"
#include "phoenix-job/route_conf.h"

#include <errno.h>

/* The agent writes at least each two seconds. */
#define OLD_MS 10000
#define FILE_MAX 65536

static struct json *pool_json(const struct route_said *said, enum route_pool p)
{
	const struct route_wish *wish = &said->wishes[p];
	struct json *j = json_object();

	json_set_str(j, "name", route_pool_name(p));
	json_set_int(j, "port", route_conf_port(p));
	json_set_str(j, "pod", wish->to.pod);
	json_set_str(j, "address", wish->to.address);
	json_set_bool(j, "paused", wish->paused);
	json_set_str(j, "why", wish->why);
	json_set_int(j, "active", said->use[p].active);
	json_set_int(j, "waiting", said->use[p].waiting);
	return j;
}

static struct json *server_json(const struct route_pod *pod)
{
	const struct route_server *v = &pod->server;
	struct json *j = json_object();

	json_set_str(j, "pod", pod->name);
	json_set_str(j, "address", pod->address);
	json_set_str(j, "is",
		     !v->told	   ? "unknown"
		     : v->recovery ? v->streams ? "streaming standby" : "standby"
				   : "primary");
	json_set_int(j, "term", v->term);
	json_set_int(j, "timeline", v->timeline);
	json_set_int(j, "position", (int64_t)v->position);
	json_set_int(j, "silent", v->silent);
	return j;
}

int route_status_write(const struct fs *fs, const struct route_said *said, struct fault *f)
{
	_json_ struct json *j = json_object();
	struct json *pools = json_array(), *servers = json_array();
	_str_ struct str text = { 0 };

	json_set_int(j, "version", 1);
	json_set_int(j, "at", timer_now());
	json_set_int(j, "term", said->s->lease.term);
	json_set_bool(j, "served", said->served);
	json_set_str(j, "down", said->down);
	for (int p = 0; p < ROUTE_POOLS; p++)
		json_push(pools, pool_json(said, (enum route_pool)p));
	for (int i = 0; i < said->w->n; i++)
		json_push(servers, server_json(&said->w->pods[i]));
	json_set(j, "pools", pools);
	json_set(j, "servers", servers);
	json_print(j, 1, &text);
	str_add(&text, "\n");
	return fs_write_text(fs, ROUTE_STATUS, 0644, text.p, f);
}

int route_status_ready(const struct fs *fs, struct fault *f)
{
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;
	const char *down;
	int64_t age;
	int r = fs_read(fs, ROUTE_STATUS, FILE_MAX, &text, f);

	if (r == 0)
		r = json_parse(text.p, text.len, &j, f);
	if (r < 0)
		return r;
	age = timer_now() - json_int(j, "at", 0);
	down = json_str(j, "down");
	if (age < 0 || age > OLD_MS)
		return fault_set(f, EAGAIN, "phoenix route has said nothing for %lld s",
				 (long long)age / 1000);
	if (down)
		return fault_set(f, EAGAIN, "%s does not run", down);
	if (!json_bool(j, "served", false))
		return fault_set(f, EAGAIN, "no primary has been found yet");
	return 0;
}
