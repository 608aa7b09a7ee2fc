#include "firstboot/bbolt.h"

#include "lib/str.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0xED0CDAEDu
#define VERSION 2
#define PAGE_HEADER 16 /* id 8, flags 2, count 2, overflow 4 */
#define META_END (PAGE_HEADER + 64)
#define META_SUMMED 56	 /* of its 64 bytes; the rest is the checksum */
#define BUCKET_HEADER 16 /* root page 8, sequence 8 */
#define ELEMENT 16	 /* of a branch or leaf page */
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2 };
#define LEAF_BUCKET 1u

/* etcd's buckets that are read here fill a page or two. The bounds keep a hostile file cheap. */
#define PAGE_MAX (256u << 10)
#define DEPTH_MAX 8
#define PAGES_MAX 1024

/* The file is in the byte order of the machine that wrote it: little endian on all that K3s knows.
 */
static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static int read_at(const struct bbolt *b, uint64_t offset, void *buf, size_t n, struct fault *f)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(b->fd, (char *)buf + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fault_errno(f, "cannot read at byte %" PRIu64, offset + done);
		if (!r)
			return fault_set(f, EBADMSG, "the file ends at byte %" PRIu64,
					 offset + done);
		done += (size_t)r;
	}
	return 0;
}

struct meta {
	uint32_t page_size;
	uint64_t root, high, txid;
};

/* 1: a valid meta page stands at OFFSET; 0: none does. */
static int read_meta(const struct bbolt *b, uint64_t offset, struct meta *ret, struct fault *f)
{
	uint8_t page[META_END];
	const uint8_t *m = page + PAGE_HEADER;
	uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */
	int r;

	if (b->size < META_END || offset > b->size - META_END)
		return 0;
	r = read_at(b, offset, page, sizeof(page), f);
	if (r < 0)
		return r;
	for (int i = 0; i < META_SUMMED; i++)
		sum = (sum ^ m[i]) * 0x100000001b3u;
	if (get32(m) != MAGIC || get32(m + 4) != VERSION || get64(m + META_SUMMED) != sum)
		return 0;
	*ret = (struct meta){ .page_size = get32(m + 8),
			      .root = get64(m + 16),
			      .high = get64(m + 40),
			      .txid = get64(m + 48) };
	return 1;
}

/* The second meta page stands one page in, and when the first one is broken the page size isn't
 * known: every size is tried. */
static int find_meta(const struct bbolt *b, struct meta *ret, struct fault *f)
{
	struct meta second;
	int r, found = read_meta(b, 0, ret, f);

	if (found < 0)
		return found;
	for (uint32_t size = 1024; size <= PAGE_MAX; size *= 2) {
		if (found && ret->page_size != size)
			continue;
		r = read_meta(b, size, &second, f);
		if (r < 0)
			return r;
		if (!r || second.page_size != size)
			continue;
		if (!found || second.txid > ret->txid)
			*ret = second;
		return 1;
	}
	return found;
}

int bbolt_open(struct bbolt *b, int fd, struct fault *f)
{
	struct meta meta = { 0 };
	struct stat st;
	int r;

	*b = (struct bbolt){ .fd = fd, .pages_left = PAGES_MAX };
	if (fstat(fd, &st) < 0)
		return fault_errno(f, "cannot stat the database");
	if (!S_ISREG(st.st_mode))
		return fault_set(f, EBADMSG, "the database is not a regular file");
	b->size = (uint64_t)st.st_size;
	r = find_meta(b, &meta, f);
	if (r < 0)
		return r;
	if (!r)
		return fault_set(f, EBADMSG, "no valid bbolt meta page");
	if (meta.page_size < 1024 || meta.page_size > PAGE_MAX ||
	    meta.page_size & (meta.page_size - 1))
		return fault_set(f, EBADMSG, "page size %" PRIu32, meta.page_size);
	if (meta.high > b->size / meta.page_size)
		return fault_set(f, EBADMSG,
				 "the database is cut short: %" PRIu64 " bytes, %" PRIu64
				 " pages of %" PRIu32 " are in use",
				 b->size, meta.high, meta.page_size);
	b->page_size = meta.page_size;
	b->root = meta.root;
	b->high = meta.high;
	return 0;
}

/* A leaf's key and value; FLAGS tell a bucket. */
struct leaf {
	const uint8_t *key, *value;
	size_t key_len, value_len;
	uint32_t flags;
};
typedef int leaf_fn(void *user, const struct leaf *leaf, struct fault *f);

static bool ascends(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c < 0 || (!c && a_len < b_len);
}

/* All leaves of one leaf page of LEN bytes: one of the file, or inline in a bucket's value. */
static int page_leaves(const uint8_t *page, size_t len, leaf_fn *fn, void *user, struct fault *f)
{
	size_t count = get16(page + 10);
	struct leaf last = { 0 };

	if (PAGE_HEADER + count * ELEMENT > len)
		return fault_set(f, EBADMSG, "a leaf page counts %zu keys", count);
	for (size_t i = 0; i < count; i++) {
		size_t at = PAGE_HEADER + i * ELEMENT;
		uint64_t pos = at + (uint64_t)get32(page + at + 4);
		struct leaf leaf = { .flags = get32(page + at),
				     .key_len = get32(page + at + 8),
				     .value_len = get32(page + at + 12) };
		int r;

		if (!leaf.key_len || pos + leaf.key_len + leaf.value_len > len)
			return fault_set(f, EBADMSG, "key %zu lies outside of its page", i);
		leaf.key = page + pos;
		leaf.value = leaf.key + leaf.key_len;
		if (i && !ascends(last.key, last.key_len, leaf.key, leaf.key_len))
			return fault_set(f, EBADMSG, "key %zu is out of order", i);
		r = fn(user, &leaf, f);
		if (r < 0)
			return r;
		last = leaf;
	}
	return 0;
}

/* Page ID with its overflow pages; the caller's. */
static int read_page(struct bbolt *b, uint64_t id, uint8_t **ret, size_t *len, struct fault *f)
{
	uint8_t header[PAGE_HEADER];
	_free_ uint8_t *page = NULL;
	uint64_t overflow;
	int r;

	if (id < 2 || id >= b->high)
		return fault_set(f, EBADMSG, "page %" PRIu64 " of %" PRIu64, id, b->high);
	if (!b->pages_left--)
		return fault_set(f, EBADMSG, "more than %d pages, or a cycle", PAGES_MAX);
	r = read_at(b, id * b->page_size, header, sizeof(header), f);
	if (r < 0)
		return r;
	overflow = get32(header + 12);
	if (get64(header) != id || overflow >= b->high - id ||
	    (overflow + 1) * b->page_size > PAGE_MAX)
		return fault_set(f, EBADMSG, "page %" PRIu64 " is not a page", id);
	*len = (size_t)(overflow + 1) * b->page_size;
	page = mem_alloc(*len);
	r = read_at(b, id * b->page_size, page, *len, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(page);
	return 0;
}

static int walk(struct bbolt *b, uint64_t id, int depth, leaf_fn *fn, void *user, struct fault *f)
{
	_free_ uint8_t *page = NULL;
	size_t len = 0, count;
	int r = read_page(b, id, &page, &len, f);

	if (r < 0 || !page)
		return r;
	if (get16(page + 8) == PAGE_LEAF)
		return page_leaves(page, len, fn, user, f);
	count = get16(page + 10);
	if (get16(page + 8) != PAGE_BRANCH || PAGE_HEADER + count * ELEMENT > len)
		return fault_set(f, EBADMSG, "page %" PRIu64 " is neither branch nor leaf", id);
	if (depth >= DEPTH_MAX)
		return fault_set(f, EBADMSG, "more than %d levels, or a cycle", DEPTH_MAX);
	for (size_t i = 0; i < count; i++) {
		r = walk(b, get64(page + PAGE_HEADER + i * ELEMENT + 8), depth + 1, fn, user, f);
		if (r < 0)
			return r;
	}
	return 0;
}

struct lookup {
	const char *name;
	bool found;
	uint64_t root; /* 0: the bucket's only page is inline */
	struct str inline_page;
};

static int find_bucket(void *user, const struct leaf *leaf, struct fault *f)
{
	struct lookup *l = user;

	if (leaf->key_len != strlen(l->name) || memcmp(leaf->key, l->name, leaf->key_len))
		return 0;
	if (!(leaf->flags & LEAF_BUCKET) || leaf->value_len < BUCKET_HEADER || l->found)
		return fault_set(f, EBADMSG, "bucket %s is not a bucket", l->name);
	l->found = true;
	l->root = get64(leaf->value);
	if (!l->root)
		str_add_n(&l->inline_page, leaf->value + BUCKET_HEADER,
			  leaf->value_len - BUCKET_HEADER);
	return 0;
}

struct pairs {
	bbolt_pair *pair;
	void *user;
};

static int give_pair(void *user, const struct leaf *leaf, struct fault *f)
{
	const struct pairs *p = user;

	if (leaf->flags & LEAF_BUCKET)
		return fault_set(f, EBADMSG, "a bucket stands where a value should be");
	return p->pair(p->user, leaf->key, leaf->key_len, leaf->value, leaf->value_len, f);
}

int bbolt_each(struct bbolt *b, const char *name, bbolt_pair *pair, void *user, struct fault *f)
{
	struct pairs pairs = { .pair = pair, .user = user };
	struct lookup l = { .name = name };
	_str_ struct str page = { 0 };
	int r = walk(b, b->root, 0, find_bucket, &l, f);

	page = l.inline_page; /* one owner, on every way out */
	if (r < 0)
		return r;
	if (!l.found)
		return 0;
	if (l.root)
		r = walk(b, l.root, 0, give_pair, &pairs, f);
	else if (page.len < PAGE_HEADER || get16((uint8_t *)page.p + 8) != PAGE_LEAF)
		r = fault_set(f, EBADMSG, "not a leaf page");
	else
		r = page_leaves((uint8_t *)page.p, page.len, give_pair, &pairs, f);
	return r < 0 ? fault_wrap(f, "bucket %s", name) : 1;
}
