#include "firstboot/etcd_wire.h"

#include <endian.h>
#include <string.h>

static bool get_varint(struct wire_bytes *in, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; shift < 64 && in->n; shift += 7) {
		uint8_t byte = *in->p++;

		in->n--;
		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct wire_bytes *in, uint64_t n)
{
	if (n > in->n)
		return false;
	in->p += n;
	in->n -= n;
	return true;
}

/* One field's content, stored when somebody wants it. */
static bool read_field(struct wire_bytes *in, unsigned type, const struct wire_field *want)
{
	struct wire_bytes bytes;
	uint64_t v;

	switch (type) {
	case 0:
		if ((want && !want->value) || !get_varint(in, &v))
			return false;
		if (want)
			*want->value = v;
		return true;
	case 2:
		if ((want && !want->bytes) || !get_varint(in, &v))
			return false;
		bytes = (struct wire_bytes){ .p = in->p, .n = (size_t)v };
		if (!skip(in, v))
			return false;
		if (want)
			*want->bytes = bytes;
		return true;
	case 1:
		return !want && skip(in, 8);
	case 5:
		return !want && skip(in, 4);
	default:
		return false;
	}
}

bool wire_read(const void *message, size_t n, const struct wire_field *fields)
{
	struct wire_bytes in = { .p = message, .n = n };
	uint64_t key;

	while (in.n) {
		const struct wire_field *want = fields;

		if (!get_varint(&in, &key) || !(key >> 3) || key >> 32)
			return false;
		while (want->number && want->number != key >> 3)
			want++;
		if (!read_field(&in, key & 7, want->number ? want : NULL))
			return false;
	}
	return true;
}

/* Eight tables, eight bytes a round: a WAL of several segments is read in a fraction of a second on
 * any processor. */
static uint32_t crc_table[8][256];

__attribute__((constructor)) static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		crc_table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			crc_table[t][i] =
				crc_table[t - 1][i] >> 8 ^ crc_table[0][crc_table[t - 1][i] & 0xff];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, sizeof(v));
		v = le64toh(v) ^ crc;
		crc = 0;
		for (int i = 0; i < 8; i++)
			crc ^= crc_table[7 - i][v >> (8 * i) & 0xff];
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 0xff];
	return ~crc;
}
