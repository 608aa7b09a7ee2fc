/* A stream of YAML documents: where each begins and ends, and what it is. Only the head is parsed:
 * a CustomResourceDefinition goes far beyond what lib/yaml.h is willing to read, and the API server
 * reads the rest anyway. */
#include "lib/kube_internal.h"
#include "lib/yaml.h"

#include <errno.h>

#define HEAD_MAX (1u << 20)

static size_t line_length(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);

	return end ? (size_t)(end - text) + 1 : len;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "---" or "..." alone, or with white space behind it. */
static bool is_marker(const char *line, size_t len, const char *marker)
{
	return len >= 3 && memcmp(line, marker, 3) == 0 && (len == 3 || is_space(line[3]));
}

/* Nothing but white space and a comment. */
static bool is_blank(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && is_space(line[i]))
		i++;
	return i == len || line[i] == '#';
}

int kube_documents_next(struct kube_documents *s, struct kube_document *d, struct fault *f)
{
	bool found = false;

	*d = (struct kube_document){ 0 };
	if (!s->line)
		s->line = 1;
	while (s->pos < s->len) {
		const char *line = s->text + s->pos;
		size_t n = line_length(line, s->len - s->pos);
		bool begin = is_marker(line, n, "---"), marker = begin || is_marker(line, n, "...");

		if (marker && found)
			break; /* it is read again, as the beginning of the next */
		if (begin && !is_blank(line + 3, n - 3))
			return fault_set(f, EINVAL, "line %d: text behind \"---\" on the same line",
					 s->line);
		s->pos += n;
		s->line++;
		if (marker || (!found && is_blank(line, n)))
			continue;
		if (!found) {
			d->text = line;
			d->line = s->line - 1;
			found = true;
		}
		d->len += n;
	}
	if (found)
		d->number = ++s->number;
	return found;
}

static bool is_head_key(const char *line, size_t len)
{
	static const char *const keys[] = { "apiVersion:", "kind:", "metadata:" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (len >= strlen(keys[i]) && memcmp(line, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

/* The lines of the three top-level keys; the rest is left empty, so that line numbers stay right.
 */
static void head_lines(const struct kube_document *d, struct str *out)
{
	bool keep = false;
	size_t pos = 0;

	for (int i = 1; i < d->line; i++)
		str_add_n(out, "\n", 1);
	while (pos < d->len) {
		const char *line = d->text + pos;
		size_t n = line_length(line, d->len - pos);

		/* In block style a line at the margin begins the next key, unless it is a list's
		 * item. */
		if (!is_space(*line) && *line != '#' && *line != '-')
			keep = is_head_key(line, n);
		if (keep)
			str_add_n(out, line, n);
		else if (line[n - 1] == '\n')
			str_add_n(out, "\n", 1);
		pos += n;
	}
}

static char *scalar(const struct yaml *map, const char *key)
{
	const struct yaml *v = yaml_get(map, key);

	return v && v->kind == YAML_SCALAR && *v->text ? mem_strdup(v->text) : NULL;
}

static int head_yaml(const struct kube_document *d, const char *file, struct kube_head *h,
		     struct fault *f)
{
	_diags_ struct diags mistakes = { 0 };
	_secret_ struct str lines = { 0 };
	_yaml_ struct yaml *y = NULL;
	const struct yaml *meta;

	head_lines(d, &lines);
	if (lines.len > HEAD_MAX)
		return fault_set(f, EFBIG, "%s:%d: metadata is larger than %u bytes", file, d->line,
				 HEAD_MAX);
	if (yaml_parse(file, str_text(&lines), lines.len, &y, &mistakes) < 0)
		return fault_set(f, EINVAL, "%s", mistakes.lines.n ? mistakes.lines.v[0] : file);
	meta = yaml_get(y, "metadata");
	h->api_version = scalar(y, "apiVersion");
	h->kind = scalar(y, "kind");
	h->name = scalar(meta, "name");
	h->ns = scalar(meta, "namespace");
	return 0;
}

static int head_json(const struct kube_document *d, const char *file, struct kube_head *h,
		     struct fault *f)
{
	_json_ struct json *j = NULL;

	if (json_parse(d->text, d->len, &j, f) < 0) {
		fault_wrap(f, "%s:%d", file, d->line);
		return -EINVAL;
	}
	h->api_version = mem_strdup(json_str(j, "apiVersion"));
	h->kind = mem_strdup(json_str(j, "kind"));
	h->name = mem_strdup(kube_meta(j, "name"));
	h->ns = mem_strdup(kube_meta(j, "namespace"));
	return 0;
}

/* What goes into a path is checked here; the server checks the rest against the path. */
static int head_check(const struct kube_head *h, const char *file, int line, struct fault *f)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	const char *missing = !h->api_version ? "apiVersion" : !h->kind ? "kind" : "metadata.name";
	const char *slash;

	if (!h->api_version || !h->kind || !h->name || !*h->name)
		return fault_set(f, EINVAL, "%s:%d: %s is missing", file, line, missing);
	slash = strchr(h->api_version, '/');
	for (const char *p = h->api_version; *p; p++)
		if (!strchr(letters, *p) && !strchr(".-", *p) && p != slash)
			return fault_set(f, EINVAL, "%s:%d: apiVersion \"%s\"", file, line,
					 h->api_version);
	if (!*h->api_version || slash == h->api_version || (slash && !slash[1]) ||
	    strstr(h->api_version, ".."))
		return fault_set(f, EINVAL, "%s:%d: apiVersion \"%s\"", file, line, h->api_version);
	if (!*h->kind || h->kind[strspn(h->kind, letters)])
		return fault_set(f, EINVAL, "%s:%d: kind \"%s\"", file, line, h->kind);
	if (str_eq(h->name, ".") || str_eq(h->name, "..") || str_eq(h->ns, ".") ||
	    str_eq(h->ns, ".."))
		return fault_set(f, EINVAL, "%s:%d: name \"%s\"", file, line, h->name);
	return 0;
}

int kube_head_read(const struct kube_document *d, const char *file, struct kube_head *ret,
		   struct fault *f)
{
	_kube_head_ struct kube_head h = { 0 };
	size_t i = 0;
	int r;

	while (i < d->len && is_space(d->text[i]))
		i++;
	r = i < d->len && d->text[i] == '{' ? head_json(d, file, &h, f) : head_yaml(d, file, &h, f);
	if (r >= 0)
		r = head_check(&h, file, d->line, f);
	if (r < 0)
		return r;
	*ret = h;
	h = (struct kube_head){ 0 };
	return 0;
}

void kube_head_free(struct kube_head *h)
{
	free(h->api_version);
	free(h->kind);
	free(h->name);
	free(h->ns);
	*h = (struct kube_head){ 0 };
}
