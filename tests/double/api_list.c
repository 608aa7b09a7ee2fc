/* Lists: what is selected, page by page, all pages of one moment. */
#include "tests/double/api.h"

static const char *param(const struct request *rq, const char *name)
{
	return rq->query(rq->user, name);
}

/* Where a list goes on: "VERSION:NAMESPACE/NAME" of the last one told. */
struct page {
	int64_t version;
	struct place after;
	long limit;
};

static bool page_parse(const struct store *s, const struct request *rq, struct page *p,
		       struct refusal *no)
{
	const char *from = param(rq, "continue"), *limit = param(rq, "limit");
	const char *name = from ? strchr(from, '/') : NULL, *ns = from ? strchr(from, ':') : NULL;

	*p = (struct page){ .version = s->version };
	if (limit && !str_to_long(limit, 0, INT32_MAX, &p->limit))
		return refuse(no, 400, "BadRequest", "limit: is no number");
	if (!from || !*from)
		return true;
	if (!name || !ns || name < ns || name - ns > (int)sizeof p->after.ns)
		return refuse(no, 400, "BadRequest", "invalid continue token: %s", from);
	p->version = strtoll(from, NULL, 10);
	memcpy(p->after.ns, ns + 1, (size_t)(name - ns - 1));
	snprintf(p->after.name, sizeof p->after.name, "%s", name + 1);
	return true;
}

static bool is_behind(const struct page *p, const struct place *at)
{
	int r = strcmp(at->ns, p->after.ns);

	return !*p->after.name || r > 0 || (r == 0 && strcmp(at->name, p->after.name) > 0);
}

static struct json *item(const struct kind *k, const struct json *object)
{
	_json_ struct json *less = k->typed ? without(object, "kind") : NULL;

	return k->typed ? without(less, "apiVersion") : json_copy(object);
}

/* The items of a page. MORE gets the token for the next one, or stays NULL. */
static struct json *page_items(const struct entries *all, const struct kind *k,
			       const struct request *rq, const struct page *p, char **more)
{
	struct json *items = json_array();
	const struct place *last = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct entry *e = &all->v[i];

		if (!is_behind(p, &e->at) || !labels_fit(param(rq, "labelSelector"), e->object) ||
		    !fields_fit(param(rq, "fieldSelector"), e->object))
			continue;
		if (p->limit && json_len(items) == (size_t)p->limit) {
			*more = mem_printf("%lld:%s/%s", (long long)p->version, last->ns,
					   last->name);
			break;
		}
		json_push(items, item(k, e->object));
		last = &e->at;
	}
	return items;
}

struct json *list_make(struct store *s, const struct place *at, const struct kind *k,
		       const struct request *rq, struct refusal *no)
{
	_entries_ struct entries all = { 0 };
	_free_ char *more = NULL, *version = NULL, *kind = mem_printf("%sList", k->name);
	struct json *j, *m, *items;
	struct page p;

	if (!page_parse(s, rq, &p, no))
		return NULL;
	if (!store_list(s, at, p.version, &all)) {
		refuse(no, 410, "Expired",
		       "The provided continue parameter is too old to display a consistent list "
		       "result");
		return NULL;
	}
	items = page_items(&all, k, rq, &p, &more);
	version = mem_printf("%lld", (long long)p.version);
	m = json_object();
	json_set_str(m, "resourceVersion", version);
	json_set_str(m, "continue", more);
	j = json_object();
	json_set_str(j, "kind", kind);
	json_set_str(j, "apiVersion", k->gv);
	json_set(j, "metadata", m);
	json_set(j, "items", items);
	return j;
}
