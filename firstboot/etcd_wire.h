/* What etcd's files are made of: protocol buffers and CRC-32C. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_bytes {
	const uint8_t *p; /* into the message */
	size_t n;
};

/* A field to look for. One of the two outputs: a number (varint), or bytes (string, bytes,
 * message). */
struct wire_field {
	uint32_t number;
	uint64_t *value;
	struct wire_bytes *bytes;
};

/* Reads the fields FIELDS (ended by number 0) from the message of N bytes and skips all others. As
 * in every protobuf decoder the last one of a kind counts, and an absent one leaves its output
 * alone. False: malformed. */
bool wire_read(const void *message, size_t n, const struct wire_field *fields);

/* CRC-32C (Castagnoli) of N more bytes after those that gave CRC; begin with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);
