/* See records.h. */
#include "firstboot/records.h"

#include "lib/json.h"

#include <errno.h>
#include <limits.h>

#define RECORD_MAX 65536

bool id_valid(const char *id)
{
	return id &&
	       (!*id || (strlen(id) == ID_LEN - 1 && strspn(id, "0123456789abcdef") == ID_LEN - 1));
}

static int take_id(const struct json *j, const char *key, char out[ID_LEN], struct fault *f)
{
	const char *text = json_str(j, key);

	if (json_get(j, key, NULL) && !text)
		return fault_set(f, EBADMSG, "%s is not text", key);
	if (!text)
		text = "";
	if (!id_valid(text))
		return fault_set(f, EBADMSG, "%s is not 32 hex digits", key);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int take_int(const struct json *j, const char *key, int min, int max, int otherwise,
		    int *ret, struct fault *f)
{
	int64_t v = json_int(j, key, json_get(j, key, NULL) ? INT64_MIN : otherwise);

	if (v < min || v > max)
		return fault_set(f, EBADMSG, "%s is not a number from %d to %d", key, min, max);
	*ret = (int)v;
	return 0;
}

static int take_words(const struct json *j, struct words *w, struct fault *f)
{
	const struct json *missing = json_get(j, "missing", NULL);
	int r;

	for (size_t i = 0; i < json_len(missing); i++) {
		const char *digit = json_string(json_at(missing, i));

		if (!digit || digit[0] < '0' || digit[0] >= '0' + NODE_COUNT || digit[1])
			return fault_set(f, EBADMSG, "words.missing names no node");
		w->missing[digit[0] - '0'] = true;
	}
	r = take_id(j, "abandoned", w->abandoned, f);
	return r < 0 ? r : take_int(j, "generation", 0, INT_MAX, 0, &w->generation, f);
}

static int take_all(const struct json *j, struct records *r, struct fault *f)
{
	const struct json *p = json_get(j, "promise", NULL);

	if (json_int(j, "version", 0) != 1)
		return fault_set(f, EBADMSG, "version %lld is not one this program knows (1)",
				 (long long)json_int(j, "version", 0));
	if (take_id(j, "cluster", r->cluster, f) < 0 ||
	    take_id(j, "formation", r->formation, f) < 0 ||
	    take_int(j, "generation", 0, INT_MAX, 0, &r->generation, f) < 0 ||
	    take_int(j, "retired", 0, INT_MAX, 0, &r->retired, f) < 0 ||
	    take_int(j, "retired_for", 0, NODE_COUNT - 1, 0, &r->retired_for, f) < 0 ||
	    take_int(p, "node", -1, NODE_COUNT - 1, -1, &r->promise.node, f) < 0 ||
	    take_id(p, "formation", r->promise.formation, f) < 0 ||
	    take_id(p, "cluster", r->promise.cluster, f) < 0 ||
	    take_words(json_get(j, "words", NULL), &r->words, f) < 0)
		return -EBADMSG;
	r->formed = json_bool(j, "formed", false);
	r->recovering = json_bool(j, "recovering", false);
	r->recover_reset = json_bool(j, "recover_reset", false);
	return 0;
}

int records_parse(const char *text, size_t len, struct records *ret, struct fault *f)
{
	_json_ struct json *j = NULL;
	struct records r = { .promise.node = -1 };

	if (json_parse(text, len, &j, f) < 0 || take_all(j, &r, f) < 0)
		return f ? (f->code = EBADMSG, -EBADMSG) : -EBADMSG;
	*ret = r;
	return 0;
}

void records_print(const struct records *r, struct str *out)
{
	_json_ struct json *j = json_object();
	struct json *p = json_object(), *w = json_object(), *missing = json_array();

	json_set_int(j, "version", 1);
	json_set_str(j, "cluster", r->cluster);
	json_set_int(j, "generation", r->generation);
	json_set_bool(j, "formed", r->formed);
	json_set_str(j, "formation", r->formation);
	json_set_int(p, "node", r->promise.node);
	json_set_str(p, "formation", r->promise.formation);
	json_set_str(p, "cluster", r->promise.cluster);
	json_set(j, "promise", p);
	json_set_int(j, "retired", r->retired);
	json_set_int(j, "retired_for", r->retired_for);
	for (int i = 0; i < NODE_COUNT; i++)
		if (r->words.missing[i])
			json_push_str(missing, (char[]){ (char)('0' + i), 0 });
	json_set(w, "missing", missing);
	json_set_str(w, "abandoned", r->words.abandoned);
	json_set_int(w, "generation", r->words.generation);
	json_set(j, "words", w);
	json_set_bool(j, "recovering", r->recovering);
	json_set_bool(j, "recover_reset", r->recover_reset);
	json_print(j, 2, out);
	str_add(out, "\n");
}

int records_load(const struct fs *fs, const char *dir, struct records *ret, struct fault *f)
{
	_free_ char *path = mem_printf("%s/%s", dir, RECORD_FILE);
	_str_ struct str text = { 0 };
	struct fault mine = { 0 };
	int r = fs_read(fs, path, RECORD_MAX, &text, &mine);

	if (r == -ENOENT) {
		*ret = (struct records){ .promise.node = -1 };
		return 0;
	}
	if (r == 0)
		r = records_parse(str_text(&text), text.len, ret, &mine);
	if (r == 0)
		return 0;
	if (f)
		*f = mine;
	return mine.code == EBADMSG ? fault_wrap(f, "%s is not understood", path) : r;
}

int records_save(const struct fs *fs, const char *dir, const struct records *r, struct fault *f)
{
	_free_ char *path = mem_printf("%s/%s", dir, RECORD_FILE);
	_str_ struct str text = { 0 };
	int ret;

	records_print(r, &text);
	ret = fs_write(fs, path, 0600, text.p, text.len, f);
	return ret < 0 ? ret : 0;
}
