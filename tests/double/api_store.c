/* The objects, what happened to them lately, and the states kept to go back to: etcd's part. */
#include "tests/double/api.h"

#include <errno.h>

/* The first version: not so low that a test's made-up old one is by chance a real one. */
#define FIRST_VERSION 100

struct snapshot {
	char *name;
	struct entries objects;
	int64_t version;
	struct snapshot *next;
};

static int compare(const struct place *a, const struct place *b)
{
	int r = strcmp(a->gv, b->gv);

	if (!r)
		r = strcmp(a->plural, b->plural);
	if (!r)
		r = strcmp(a->ns, b->ns);
	return r ? r : strcmp(a->name, b->name);
}

/* Where AT is, or would stand. */
static size_t position(const struct entries *e, const struct place *at)
{
	size_t low = 0, high = e->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&e->v[middle].at, at) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const struct entries *e, const struct place *at)
{
	size_t i = position(e, at);

	return i < e->n && compare(&e->v[i].at, at) == 0 ? &e->v[i] : NULL;
}

static void entries_put(struct entries *e, const struct place *at, struct json *object)
{
	struct entry *there = find(e, at);
	size_t i;

	if (there) {
		json_freep(&there->object);
		there->object = object;
		return;
	}
	i = position(e, at);
	e->v = mem_resize(e->v, (e->n + 1) * sizeof *e->v);
	memmove(e->v + i + 1, e->v + i, (e->n++ - i) * sizeof *e->v);
	e->v[i] = (struct entry){ *at, object };
}

static void entries_remove(struct entries *e, const struct place *at)
{
	struct entry *there = find(e, at);

	if (!there)
		return;
	json_freep(&there->object);
	e->n--;
	memmove(there, there + 1, (size_t)(e->v + e->n - there) * sizeof *there);
}

void entries_free(struct entries *e)
{
	for (size_t i = 0; i < e->n; i++)
		json_freep(&e->v[i].object);
	free(e->v);
	*e = (struct entries){ 0 };
}

static void entries_copy(const struct entries *from, struct entries *to)
{
	entries_free(to);
	for (size_t i = 0; i < from->n; i++)
		entries_put(to, &from->v[i].at, json_copy(from->v[i].object));
}

static struct event *event_at(const struct store *s, size_t i)
{
	return &s->events[(s->first + i) % s->max_events];
}

static void event_drop(struct store *s)
{
	struct event *e = event_at(s, 0);

	s->floor = e->version;
	json_freep(&e->before);
	json_freep(&e->after);
	s->first = (s->first + 1) % s->max_events;
	s->n_events--;
}

static void event_add(struct store *s, const struct place *at, struct json *before,
		      struct json *after)
{
	if (s->n_events == s->max_events)
		event_drop(s);
	*event_at(s, s->n_events++) = (struct event){ s->version, *at, before, after };
	pthread_cond_broadcast(&s->changed);
}

const struct json *store_get(const struct store *s, const struct place *at)
{
	const struct entry *e = find(&s->now, at);

	return e ? e->object : NULL;
}

static void set_version(struct json *object, int64_t version)
{
	_free_ char *text = mem_printf("%lld", (long long)version);
	struct json *m = json_copy(json_get(object, "metadata", NULL));

	json_set_str(m, "resourceVersion", text);
	json_set(object, "metadata", m);
}

const struct json *store_put(struct store *s, const struct place *at, struct json *object)
{
	struct json *before = json_copy(store_get(s, at));

	set_version(object, ++s->version);
	entries_put(&s->now, at, object);
	event_add(s, at, before, json_copy(object));
	return object;
}

void store_remove(struct store *s, const struct place *at)
{
	struct json *before = json_copy(store_get(s, at));

	if (!before)
		return;
	/* whoever watches is told the version of the deletion, not of what was there */
	s->version++;
	entries_remove(&s->now, at);
	event_add(s, at, before, NULL);
}

static bool belongs(const struct place *what, const struct place *at)
{
	return str_eq(what->gv, at->gv) && str_eq(what->plural, at->plural) &&
	       (!*at->ns || str_eq(what->ns, at->ns)) &&
	       (!*at->name || str_eq(what->name, at->name));
}

bool store_list(const struct store *s, const struct place *at, int64_t version, struct entries *ret)
{
	if (version < s->floor)
		return false;
	for (size_t i = 0; i < s->now.n; i++)
		if (belongs(&s->now.v[i].at, at))
			entries_put(ret, &s->now.v[i].at, json_copy(s->now.v[i].object));
	/* what has happened since is undone */
	for (size_t i = s->n_events; i > 0 && event_at(s, i - 1)->version > version; i--) {
		const struct event *e = event_at(s, i - 1);

		if (!belongs(&e->at, at))
			continue;
		if (e->before)
			entries_put(ret, &e->at, json_copy(e->before));
		else
			entries_remove(ret, &e->at);
	}
	return true;
}

const struct event *store_event(const struct store *s, const struct place *at, int64_t version)
{
	for (size_t i = 0; i < s->n_events; i++) {
		const struct event *e = event_at(s, i);

		if (e->version > version && belongs(&e->at, at))
			return e;
	}
	return NULL;
}

void store_snapshot(struct store *s, const char *name)
{
	struct snapshot *p = s->snapshots;

	while (p && !str_eq(p->name, name))
		p = p->next;
	if (!p) {
		p = mem_alloc(sizeof *p);
		p->name = mem_strdup(name);
		p->next = s->snapshots;
		s->snapshots = p;
	}
	entries_copy(&s->now, &p->objects);
	p->version = s->version;
}

bool store_restore(struct store *s, const char *name)
{
	const struct snapshot *p = s->snapshots;

	while (p && !str_eq(p->name, name))
		p = p->next;
	if (!p)
		return false;
	entries_copy(&p->objects, &s->now);
	while (s->n_events)
		event_drop(s);
	s->version = s->floor = p->version;
	s->epoch++;
	pthread_cond_broadcast(&s->changed);
	return true;
}

void store_start(struct store *s, size_t max_events)
{
	static const char *const namespaces[] = { "default", "kube-system" };
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, &monotonic);
	s->max_events = max_events;
	s->events = mem_alloc(max_events * sizeof *s->events);
	s->version = s->floor = FIRST_VERSION;
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		struct place at = { .gv = "v1", .plural = "namespaces" };
		struct refusal no = { 0 };
		_json_ struct json *o = json_object(), *m = json_object();

		snprintf(at.name, sizeof at.name, "%s", namespaces[i]);
		json_set_str(m, "name", namespaces[i]);
		json_set(o, "metadata", TAKE_PTR(m));
		object_create(s, &at, o, &no);
	}
}
