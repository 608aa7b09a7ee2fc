#include "firstboot/etcd_members.h"

#include "lib/json.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

/* etcd's default; K3s sets no other. */
#define LEARNERS_MAX 1
/* One entry for each node that was ever replaced. */
#define REMOVED_MAX 65536

void etcd_roll_free(struct etcd_roll *r)
{
	free(r->removed);
	*r = (struct etcd_roll){ 0 };
}

bool etcd_roll_removed(const struct etcd_roll *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_removed; i++)
		if (r->removed[i] == id)
			return true;
	return false;
}

bool etcd_roll_lone(const struct etcd_roll *r, uint64_t id)
{
	bool lone = false;

	for (int i = 0; i < r->n; i++) {
		if (r->members[i].m.learner)
			continue;
		if (r->members[i].m.id != id)
			return false;
		lone = true;
	}
	return lone;
}

static struct etcd_roll_member *roll_find(struct etcd_roll *r, uint64_t id)
{
	for (int i = 0; i < r->n; i++)
		if (r->members[i].m.id == id)
			return &r->members[i];
	return NULL;
}

static int roll_add(struct etcd_roll *r, const struct etcd_roll_member *m, struct fault *f)
{
	if (r->n >= ETCD_MEMBERS_MAX)
		return fault_set(f, EBADMSG, "more than %d members", ETCD_MEMBERS_MAX);
	r->members[r->n++] = *m;
	return 1;
}

static int roll_remove(struct etcd_roll *r, uint64_t id, struct fault *f)
{
	if (r->n_removed >= REMOVED_MAX)
		return fault_set(f, EBADMSG, "more than %d removed members", REMOVED_MAX);
	for (int i = 0; i < r->n; i++) {
		if (r->members[i].m.id != id)
			continue;
		memmove(&r->members[i], &r->members[i + 1],
			(size_t)(r->n - i - 1) * sizeof(r->members[0]));
		r->n--;
		break;
	}
	if (!(r->n_removed & (r->n_removed + 1))) /* doubles at 1, 3, 7, … */
		r->removed = mem_resize(r->removed, (2 * r->n_removed + 1) * sizeof(id));
	r->removed[r->n_removed++] = id;
	return 1;
}

/* Member ids are unsigned 64-bit numbers, which JSON readers of signed ones refuse. They are known
 * from elsewhere (the key, the log entry), so that long numbers outside of strings may become 0. */
static void blank_long_numbers(char *text, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		size_t digits = 0;

		if (quoted && text[i] == '\\') {
			i++;
			continue;
		}
		if (text[i] == '"')
			quoted = !quoted;
		while (!quoted && i + digits < len && isdigit((unsigned char)text[i + digits]))
			digits++;
		if (digits > 18) {
			memset(text + i, ' ', digits);
			text[i] = '0';
		}
		if (digits)
			i += digits - 1;
	}
}

/* The host of "https://10.0.0.1:2380" or "https://[fd00::1]:2380". Cut when it has no room. */
static void url_host(const char *url, char *host, size_t size)
{
	const char *p = strstr(url, "://");
	size_t n;

	p = p ? p + 3 : url;
	if (*p == '[')
		n = strcspn(++p, "]/");
	else
		n = strcspn(p, ":/");
	if (n >= size)
		n = size - 1;
	memcpy(host, p, n);
	host[n] = '\0';
}

static int read_urls(const struct json *urls, struct etcd_roll_member *m, struct fault *f)
{
	_str_ struct str all = { 0 };

	for (size_t i = 0; i < json_len(urls); i++) {
		const char *url = json_string(json_at(urls, i));

		if (!url || strchr(url, '\n'))
			return fault_set(f, EBADMSG, "a peer URL that is none");
		if (!i)
			url_host(url, m->m.address, sizeof(m->m.address));
		str_addf(&all, "%s\n", url);
	}
	if (all.len >= sizeof(m->urls))
		return fault_set(f, EBADMSG, "peer URLs of %zu bytes", all.len);
	memcpy(m->urls, str_text(&all), all.len + 1);
	return 0;
}

/* {"id":1,"peerURLs":["https://10.0.0.1:2380"],"isLearner":true,"name":"a-1234abcd",
 *  "clientURLs":[…]}; a change from the log may have "isPromote":true too. */
static int read_member(const void *json, size_t len, uint64_t id, struct etcd_roll_member *m,
		       bool *promote, struct fault *f)
{
	_free_ char *text = mem_strndup(len ? json : "", len);
	_json_ struct json *j = NULL;
	const char *name;
	size_t n;

	*m = (struct etcd_roll_member){ .m.id = id };
	if (memchr(text, '\0', len))
		return fault_set(f, EBADMSG, "member %016" PRIx64 ": NUL in its JSON", id);
	blank_long_numbers(text, len);
	if (json_parse(text, len, &j, f) < 0) {
		f->code = EBADMSG;
		return fault_wrap(f, "member %016" PRIx64, id);
	}
	if (read_urls(json_get(j, "peerURLs", NULL), m, f) < 0)
		return fault_wrap(f, "member %016" PRIx64, id);
	name = json_str(j, "name");
	n = name ? strnlen(name, sizeof(m->m.name) - 1) : 0;
	memcpy(m->m.name, name ? name : "", n);
	m->m.learner = json_bool(j, "isLearner", false);
	if (promote)
		*promote = json_bool(j, "isPromote", false);
	return 0;
}

/* Another member than ID has one of the URLs. */
static bool urls_taken(const struct etcd_roll *r, const char *urls, uint64_t id)
{
	for (const char *url = urls; *url; url += strcspn(url, "\n") + 1) {
		size_t n = strcspn(url, "\n") + 1;

		for (int i = 0; i < r->n; i++) {
			const char *other = r->members[i].urls;

			if (r->members[i].m.id == id)
				continue;
			for (; *other; other += strcspn(other, "\n") + 1)
				if (!strncmp(other, url, n))
					return true;
		}
	}
	return false;
}

static int apply_add(struct etcd_roll *r, const struct wal_change *c, struct fault *f)
{
	struct etcd_roll_member m, *old = roll_find(r, c->id);
	bool promote = false;
	int learners = 0, e = read_member(c->detail, c->len, c->id, &m, &promote, f);

	if (e < 0)
		return e;
	if (promote) {
		if (!old || !old->m.learner)
			return 0;
		old->m.learner = false;
		return 1;
	}
	for (int i = 0; i < r->n; i++)
		learners += r->members[i].m.learner;
	if (old || urls_taken(r, m.urls, 0))
		return 0;
	if (m.m.learner && c->kind == WAL_LEARNER && learners >= LEARNERS_MAX)
		return 0;
	return roll_add(r, &m, f);
}

static int apply_update(struct etcd_roll *r, const struct wal_change *c, struct fault *f)
{
	struct etcd_roll_member m, *old = roll_find(r, c->id);
	int e;

	if (!old)
		return 0;
	e = read_member(c->detail, c->len, c->id, &m, NULL, f);
	if (e < 0 || urls_taken(r, m.urls, c->id))
		return e;
	memcpy(old->urls, m.urls, sizeof(m.urls));
	memcpy(old->m.address, m.m.address, sizeof(m.m.address));
	return 1;
}

int etcd_roll_apply(struct etcd_roll *r, const struct wal_change *c, struct fault *f)
{
	struct etcd_roll_member *old = roll_find(r, c->id);
	size_t n;

	if (c->kind != WAL_UNKNOWN && etcd_roll_removed(r, c->id))
		return 0;
	switch (c->kind) {
	case WAL_ADD:
	case WAL_LEARNER:
		return apply_add(r, c, f);
	case WAL_REMOVE:
		return old ? roll_remove(r, c->id, f) : 0;
	case WAL_UPDATE:
		return apply_update(r, c, f);
	case WAL_NAME:
		if (!old)
			return 0;
		n = strnlen(c->detail, sizeof(old->m.name) - 1);
		memcpy(old->m.name, c->detail, n);
		old->m.name[n] = '\0';
		return 1;
	case WAL_UNKNOWN:
		break;
	}
	return fault_set(f, EBADMSG, "log entry %" PRIu64 " is of a kind that etcd does not write",
			 c->index);
}

/* Keys of the buckets of members: the id in hex, as etcd's types.ID prints it. */
static int read_id(const uint8_t *key, size_t len, uint64_t *ret, struct fault *f)
{
	char text[17] = { 0 };

	if (len && len < sizeof(text))
		memcpy(text, key, len);
	if (!*text || text[strspn(text, "0123456789abcdef")])
		return fault_set(f, EBADMSG, "a key that is no member id");
	*ret = strtoull(text, NULL, 16);
	return 0;
}

static int on_meta(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t value_len, struct fault *f)
{
	static const char name[] = "consistent_index";
	struct etcd_roll *r = user;

	if (key_len != strlen(name) || memcmp(key, name, key_len))
		return 0;
	if (value_len != sizeof(r->index))
		return fault_set(f, EBADMSG, "%s has %zu bytes", name, value_len);
	memcpy(&r->index, value, sizeof(r->index));
	r->index = be64toh(r->index);
	return 0;
}

static int on_member(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
		     size_t value_len, struct fault *f)
{
	struct etcd_roll_member m;
	uint64_t id = 0;
	int e = read_id(key, key_len, &id, f);

	if (e >= 0)
		e = read_member(value, value_len, id, &m, NULL, f);
	return e < 0 ? e : roll_add(user, &m, f);
}

static int on_removed(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t value_len, struct fault *f)
{
	uint64_t id = 0;
	int e = read_id(key, key_len, &id, f);

	(void)value;
	(void)value_len;
	return e < 0 ? e : roll_remove(user, id, f);
}

int etcd_roll_read(struct etcd_roll *r, struct bbolt *db, struct fault *f)
{
	int e = bbolt_each(db, "meta", on_meta, r, f);

	if (e >= 0)
		e = bbolt_each(db, "members", on_member, r, f);
	if (e >= 0)
		e = bbolt_each(db, "members_removed", on_removed, r, f);
	return e < 0 ? e : 0;
}
