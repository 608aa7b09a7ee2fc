/* Any bytes as a segment of etcd's log, as the last one and as one before it; and once more with the sums
 * of all records put right, without which no change would get past them. What is read is then applied. */
#include "firstboot/etcd_members.h"
#include "tests/unit/wal_build.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const uint8_t *data, size_t size, bool last)
{
	_fd_ int fd = memfd_create("wal", MFD_CLOEXEC);
	_etcd_wal_ struct etcd_wal wal = { 0 };
	_etcd_roll_ struct etcd_roll roll = { 0 };
	struct fault f = { 0 };

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (etcd_wal_segment(&wal, fd, last, &f) < 0)
		return;
	for (size_t i = 0; i < wal.n_changes; i++)
		if (etcd_roll_apply(&roll, &wal.changes[i], &f) < 0)
			break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wal_build w = { 0 };
	_str_ struct str fixed = { 0 };

	look(data, size, true);
	look(data, size, false);
	for (size_t at = 0; size - at >= 8;) {
		uint64_t header, type = 0;
		size_t len;
		struct wire_bytes content = { 0 };
		const struct wire_field fields[] = { { 1, .value = &type },
						     { 3, .bytes = &content },
						     { 0 } };

		memcpy(&header, data + at, sizeof(header));
		header = le64toh(header);
		at += 8;
		len = header & 0xffffff;
		if (!header || len > size - at || !wire_read(data + at, len, fields))
			break;
		wal_record(&w, (unsigned)type, content.p, content.n);
		at += len;
		len = header >> 63 ? header >> 56 & 7 : 0;
		at = len > size - at ? size : at + len;
	}
	fixed = w.out;
	look((const uint8_t *)str_text(&fixed), fixed.len, true);
	return 0;
}
