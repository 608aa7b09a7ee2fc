/* Writes etcd's log for tests: records with right sums and padding. */
#pragma once

#include "firstboot/etcd_wire.h"
#include "lib/str.h"

#include <endian.h>

struct wal_build {
	struct str out;
	uint32_t crc;
};

static inline void wire_varint(struct str *s, uint64_t v)
{
	unsigned char byte;

	do {
		byte = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		str_add_n(s, &byte, 1);
		v >>= 7;
	} while (v);
}

static inline void wire_number(struct str *s, unsigned field, uint64_t v)
{
	wire_varint(s, field << 3);
	wire_varint(s, v);
}

static inline void wire_string(struct str *s, unsigned field, const void *data, size_t n)
{
	wire_varint(s, field << 3 | 2);
	wire_varint(s, n);
	str_add_n(s, data, n);
}

/* Type 4 (CRC) records carry the running sum; all others add their data to it. */
static inline void wal_record(struct wal_build *w, unsigned type, const void *data, size_t n)
{
	_str_ struct str rec = { 0 };
	size_t pad;
	uint64_t header;

	if (type != 4)
		w->crc = crc32c(w->crc, data, n);
	wire_number(&rec, 1, type);
	wire_number(&rec, 2, w->crc);
	if (n)
		wire_string(&rec, 3, data, n);
	pad = (8 - rec.len % 8) % 8;
	header = htole64(rec.len | (pad ? (0x80 | (uint64_t)pad) << 56 : 0));
	str_add_n(&w->out, &header, sizeof(header));
	str_add_n(&w->out, rec.p, rec.len);
	str_add_n(&w->out, "\0\0\0\0\0\0\0", pad);
}

/* The head of a first segment. */
static inline void wal_begin(struct wal_build *w, uint64_t self, uint64_t cluster)
{
	_str_ struct str meta = { 0 };

	wal_record(w, 4, NULL, 0);
	wire_number(&meta, 1, self);
	wire_number(&meta, 2, cluster);
	wal_record(w, 1, meta.p, meta.len);
}

static inline void wal_entry(struct wal_build *w, unsigned type, uint64_t term, uint64_t index,
			     const struct str *data)
{
	_str_ struct str e = { 0 };

	wire_number(&e, 1, type);
	wire_number(&e, 2, term);
	wire_number(&e, 3, index);
	if (data && data->len)
		wire_string(&e, 4, data->p, data->len);
	wal_record(w, 2, e.p, e.len);
}

/* TYPE: 0 add, 1 remove, 2 update, 3 add learner. */
static inline void wal_change(struct wal_build *w, uint64_t index, unsigned type, uint64_t id,
			      const char *json)
{
	_str_ struct str c = { 0 };

	wire_number(&c, 1, 77);
	wire_number(&c, 2, type);
	wire_number(&c, 3, id);
	wire_string(&c, 4, json, strlen(json));
	wal_entry(w, 1, 2, index, &c);
}

static inline void wal_state(struct wal_build *w, uint64_t commit)
{
	_str_ struct str s = { 0 };

	wire_number(&s, 1, 2);
	wire_number(&s, 2, 0);
	wire_number(&s, 3, commit);
	wal_record(w, 3, s.p, s.len);
}

static inline void wal_snapshot_record(struct wal_build *w, uint64_t term, uint64_t index)
{
	_str_ struct str s = { 0 };

	wire_number(&s, 1, index);
	wire_number(&s, 2, term);
	wal_record(w, 5, s.p, s.len);
}
