#include "firstboot/etcd_wal.h"

#include "firstboot/etcd_wire.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define FRAME_HEADER 8
#define SECTOR 512
/* etcd's requests end at 2 MiB unless configured otherwise. */
#define RECORD_MAX (8u << 20)
/* Changes that the database has not seen yet are a handful: it is written ten times a second. */
#define CHANGES_MAX 4096
#define DETAIL_BYTES_MAX (1u << 20)
#define WINDOW (256u << 10)

enum record { RECORD_METADATA = 1, RECORD_ENTRY, RECORD_STATE, RECORD_CRC, RECORD_SNAPSHOT };
enum entry { ENTRY_NORMAL, ENTRY_CONF_CHANGE };

void etcd_wal_free(struct etcd_wal *w)
{
	for (size_t i = 0; i < w->n_changes; i++)
		free(w->changes[i].detail);
	free(w->changes);
	free(w->snapshots);
	*w = (struct etcd_wal){ 0 };
}

static void forget_changes_from(struct etcd_wal *w, uint64_t index)
{
	while (w->n_changes && w->changes[w->n_changes - 1].index >= index) {
		struct wal_change *c = &w->changes[--w->n_changes];

		w->detail_bytes -= c->len;
		free(c->detail);
	}
}

static int keep_change(struct etcd_wal *w, const struct wal_change *c, struct wire_bytes detail,
		       struct fault *f)
{
	if (w->n_changes >= CHANGES_MAX || detail.n > DETAIL_BYTES_MAX - w->detail_bytes)
		return fault_set(f, EBADMSG, "too many membership changes at entry %" PRIu64,
				 c->index);
	w->changes = mem_resize(w->changes, (w->n_changes + 1) * sizeof(*c));
	w->changes[w->n_changes] = *c;
	w->changes[w->n_changes].detail =
		mem_strndup(detail.n ? (const char *)detail.p : "", detail.n);
	w->changes[w->n_changes++].len = detail.n;
	w->detail_bytes += detail.n;
	return 0;
}

static int read_conf_change(struct etcd_wal *w, uint64_t index, struct wire_bytes data,
			    struct fault *f)
{
	/* ConfChangeType's numbers */
	static const enum wal_kind kinds[] = { WAL_ADD, WAL_REMOVE, WAL_UPDATE, WAL_LEARNER };
	struct wire_bytes context = { 0 };
	struct wal_change c = { .index = index };
	uint64_t type = 0;
	const struct wire_field fields[] = {
		{ 2, .value = &type }, { 3, .value = &c.id }, { 4, .bytes = &context }, { 0 }
	};

	if (!wire_read(data.p, data.n, fields))
		return fault_set(f, EBADMSG, "entry %" PRIu64 ": malformed change", index);
	c.kind = type < ARRAY_LEN(kinds) ? kinds[type] : WAL_UNKNOWN;
	return keep_change(w, &c, context, f);
}

/* A request among the many ordinary ones by which a member publishes its name; what isn't one, or
 * cannot be read as one, is none of our business. */
static int read_request(struct etcd_wal *w, uint64_t index, struct wire_bytes data, struct fault *f)
{
	struct wire_bytes set = { 0 }, attributes = { 0 }, name = { 0 };
	struct wal_change c = { .index = index, .kind = WAL_NAME };
	const struct wire_field request[] = { { 1301, .bytes = &set }, { 0 } };
	const struct wire_field attr_set[] = { { 1, .value = &c.id },
					       { 2, .bytes = &attributes },
					       { 0 } };
	const struct wire_field attrs[] = { { 1, .bytes = &name }, { 0 } };

	if (!wire_read(data.p, data.n, request) || !set.n || !wire_read(set.p, set.n, attr_set) ||
	    !wire_read(attributes.p, attributes.n, attrs))
		return 0;
	return keep_change(w, &c, name, f);
}

/* An entry supersedes all that came before it with its index or a higher one. A jump forward is
 * sound only where a snapshot fills the gap: then nothing before it counts any more. */
static int read_entry(struct etcd_wal *w, struct wire_bytes data, struct fault *f)
{
	uint64_t type = 0, index = 0;
	struct wire_bytes payload = { 0 };
	const struct wire_field fields[] = {
		{ 1, .value = &type }, { 3, .value = &index }, { 4, .bytes = &payload }, { 0 }
	};
	struct wal_change unknown = { .kind = WAL_UNKNOWN };

	if (!wire_read(data.p, data.n, fields) || !index)
		return fault_set(f, EBADMSG, "malformed entry");
	if (!w->first || index < w->first || index > w->last + 1)
		w->first = index;
	forget_changes_from(w, index > w->last + 1 ? 0 : index);
	w->last = unknown.index = index;
	if (type == ENTRY_NORMAL)
		return index > w->after ? read_request(w, index, payload, f) : 0;
	if (type == ENTRY_CONF_CHANGE)
		return read_conf_change(w, index, payload, f);
	/* ConfChangeV2 too: etcd never writes one and panics on it. */
	return keep_change(w, &unknown, (struct wire_bytes){ 0 }, f);
}

static int read_metadata(struct etcd_wal *w, struct wire_bytes data, struct fault *f)
{
	uint64_t self = 0, cluster = 0;
	const struct wire_field fields[] = { { 1, .value = &self },
					     { 2, .value = &cluster },
					     { 0 } };

	if (!wire_read(data.p, data.n, fields) || !self)
		return fault_set(f, EBADMSG, "malformed metadata");
	if (w->metadata && (w->self != self || w->cluster != cluster))
		return fault_set(f, EBADMSG, "segments of two different members");
	w->metadata = true;
	w->self = self;
	w->cluster = cluster;
	return 0;
}

static int read_snapshot(struct etcd_wal *w, struct wire_bytes data, struct fault *f)
{
	struct wal_snapshot s = { 0 };
	const struct wire_field fields[] = { { 1, .value = &s.index },
					     { 2, .value = &s.term },
					     { 0 } };

	if (!wire_read(data.p, data.n, fields))
		return fault_set(f, EBADMSG, "malformed snapshot record");
	if (s.index < w->after)
		return 0;
	if (w->n_snapshots >= CHANGES_MAX)
		return fault_set(f, EBADMSG, "too many snapshot records");
	w->snapshots = mem_resize(w->snapshots, (w->n_snapshots + 1) * sizeof(s));
	w->snapshots[w->n_snapshots++] = s;
	return 0;
}

static int read_record(struct etcd_wal *w, uint64_t type, uint32_t crc, struct wire_bytes data,
		       struct fault *f)
{
	const struct wire_field state[] = { { 3, .value = &w->commit }, { 0 } };

	switch (type) {
	case RECORD_METADATA:
		return read_metadata(w, data, f);
	case RECORD_ENTRY:
		return read_entry(w, data, f);
	case RECORD_STATE:
		w->commit = 0;
		if (!wire_read(data.p, data.n, state))
			return fault_set(f, EBADMSG, "malformed state");
		return 0;
	case RECORD_CRC:
		/* The first record of a segment: the sum over all segments before it. */
		if (w->crc && w->crc != crc)
			return fault_set(f, EBADMSG, "a segment does not continue the one before");
		w->crc = crc;
		return 0;
	case RECORD_SNAPSHOT:
		return read_snapshot(w, data, f);
	default:
		return fault_set(f, EBADMSG, "record of unknown type %" PRIu64, type);
	}
}

/* A view that moves over the file: bounded memory for segments of any size. */
struct window {
	int fd;
	uint64_t size, offset; /* of the file; of the first byte that is available */
	struct wire_bytes have;
	uint8_t *buf;
	size_t cap;
};

static void window_free(struct window *w)
{
	free(w->buf);
}

/* Makes N bytes (or all up to the end of the file) available at w->have. */
static int window_need(struct window *w, size_t n, struct fault *f)
{
	if (w->have.n >= n)
		return 0;
	if (w->have.n)
		memmove(w->buf, w->have.p, w->have.n);
	if (w->cap < n) {
		w->cap = n < WINDOW ? WINDOW : n;
		w->buf = mem_resize(w->buf, w->cap);
	}
	w->have.p = w->buf;
	while (w->have.n < n) {
		ssize_t r = pread(w->fd, w->buf + w->have.n, w->cap - w->have.n,
				  (off_t)(w->offset + w->have.n));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fault_errno(f, "cannot read");
		if (!r)
			break;
		w->have.n += (size_t)r;
	}
	return 0;
}

static void window_pass(struct window *w, size_t n)
{
	w->have.p += n;
	w->have.n -= n;
	w->offset += n;
}

/* etcd's test for a record that was being written when the power failed: one of the sectors that it
 * covers (its data begins at file position AT) holds nothing but zeros. */
static bool is_torn(const uint8_t *data, size_t n, uint64_t at)
{
	while (n) {
		size_t chunk = SECTOR - at % SECTOR, zeros = 0;

		if (chunk > n)
			chunk = n;
		while (zeros < chunk && !data[zeros])
			zeros++;
		if (zeros == chunk)
			return true;
		data += chunk;
		n -= chunk;
		at += chunk;
	}
	return false;
}

static int cut_short(bool last, struct fault *f)
{
	return last ? 0 : fault_set(f, EBADMSG, "the segment ends within a record");
}

/* One frame: 8 bytes with the length in the lower 56 bits and, when the top bit is set, the number
 * of padding bytes above; then the record. 1: read; 0: the segment ends here. */
static int read_frame(struct etcd_wal *w, struct window *win, bool last, struct fault *f)
{
	uint64_t header, len, total, type = 0, crc = 0;
	struct wire_bytes data = { 0 };
	const struct wire_field fields[] = {
		{ 1, .value = &type }, { 2, .value = &crc }, { 3, .bytes = &data }, { 0 }
	};
	int r = window_need(win, FRAME_HEADER, f);

	if (r < 0 || !win->have.n)
		return r;
	if (win->have.n < FRAME_HEADER)
		return cut_short(last, f);
	memcpy(&header, win->have.p, sizeof(header));
	header = le64toh(header);
	if (!header)
		return 0; /* preallocated, not written yet */
	len = header & (UINT64_MAX >> 8);
	total = FRAME_HEADER + len + (header >> 63 ? header >> 56 & 7 : 0);
	if (total > win->size - win->offset)
		return cut_short(last, f);
	if (len > RECORD_MAX)
		return fault_set(f, EBADMSG, "a record of %" PRIu64 " bytes", len);
	r = window_need(win, total, f);
	if (r < 0 || win->have.n < total)
		return r < 0 ? r : cut_short(false, f);
	if (!wire_read(win->have.p + FRAME_HEADER, len, fields) ||
	    (type != RECORD_CRC && crc32c(w->crc, data.p, data.n) != (uint32_t)crc)) {
		if (last && is_torn(win->have.p + FRAME_HEADER, total - FRAME_HEADER,
				    win->offset + FRAME_HEADER))
			return 0;
		return fault_set(f, EBADMSG, "a damaged record");
	}
	if (type != RECORD_CRC)
		w->crc = (uint32_t)crc;
	r = read_record(w, type, (uint32_t)crc, data, f);
	if (r < 0)
		return r;
	window_pass(win, total);
	return 1;
}

int etcd_wal_segment(struct etcd_wal *w, int fd, bool last, struct fault *f)
{
	_cleanup_(window_free) struct window win = { .fd = fd };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fault_errno(f, "cannot stat the segment");
	if (!S_ISREG(st.st_mode))
		return fault_set(f, EBADMSG, "not a regular file");
	win.size = (uint64_t)st.st_size;
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	do {
		r = read_frame(w, &win, last, f);
	} while (r > 0);
	return r < 0 ? fault_wrap(f, "byte %" PRIu64, win.offset) : 0;
}

int etcd_wal_exists(const struct fs *fs, const char *dir, struct fault *f)
{
	_strv_ struct strv names = { 0 };
	int r = fs_list(fs, dir, &names, f);

	if (r == -ENOENT) {
		fault_clear(f);
		return 0;
	}
	if (r < 0)
		return r;
	strv_each (name, &names) {
		if (str_ends(name, ".wal"))
			return 1;
	}
	return 0;
}

/* "%016x-%016x.wal" */
static bool segment_parse(const char *name, uint64_t *seq, uint64_t *index)
{
	int end = 0;

	if (strlen(name) != 37 || strspn(name, "0123456789abcdef") != 16 ||
	    strspn(name + 17, "0123456789abcdef") != 16)
		return false;
	return sscanf(name, "%" SCNx64 "-%" SCNx64 ".wal%n", seq, index, &end) == 2 && end == 37;
}

/* The segments of DIR from one before the last that begins at or before AFTER: all entries after
 * it, and all snapshots from it on, are there. Names sort by their sequence number, which must not
 * have a gap. */
static int select_segments(const struct fs *fs, const char *dir, uint64_t after,
			   struct strv *selected, struct fault *f)
{
	_strv_ struct strv names = { 0 };
	uint64_t seq, index, before = 0;
	int r = fs_list(fs, dir, &names, f);

	if (r < 0)
		return r;
	strv_each (name, &names) {
		if (!segment_parse(name, &seq, &index))
			continue;
		if (selected->n > 1 && index <= after) {
			_strv_ struct strv old = *selected;

			*selected = (struct strv){ 0 };
			strv_add(selected, old.v[old.n - 1]);
		}
		if (selected->n && seq != before + 1)
			return fault_set(f, EBADMSG, "a segment is missing before %s", name);
		strv_add(selected, name);
		before = seq;
	}
	if (!selected->n)
		return fault_set(f, EBADMSG, "no segment has a name that etcd gives");
	return 0;
}

int etcd_wal_read(struct etcd_wal *w, const struct fs *fs, const char *dir, uint64_t after,
		  struct fault *f)
{
	_strv_ struct strv names = { 0 };
	int r = select_segments(fs, dir, after, &names, f);

	if (r < 0)
		return fault_wrap(f, "%s", dir);
	etcd_wal_free(w);
	w->after = after;
	for (size_t i = 0; i < names.n; i++) {
		_free_ char *path = mem_printf("%s/%s", dir, names.v[i]);
		_fd_ int fd = fs_openat(fs, path, O_RDONLY | O_NONBLOCK, 0, f);

		if (fd < 0)
			return fd;
		r = etcd_wal_segment(w, fd, i == names.n - 1, f);
		if (r < 0)
			return fault_wrap(f, "%s", path);
	}
	if (!w->metadata)
		return fault_set(f, EBADMSG, "%s: the log does not name its member", dir);
	return 0;
}
