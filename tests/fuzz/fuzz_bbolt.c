/* Any bytes as etcd's database: as they are, and with the sums of both meta pages put right, without
 * which no change would get past them. */
#include "firstboot/etcd_members.h"

#include <endian.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const uint8_t *data, size_t size)
{
	_fd_ int fd = memfd_create("db", MFD_CLOEXEC);
	_etcd_roll_ struct etcd_roll roll = { 0 };
	struct bbolt db;
	struct fault f = { 0 };

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (bbolt_open(&db, fd, &f) >= 0)
		etcd_roll_read(&roll, &db, &f);
}

static void put_sum(uint8_t *db, size_t size, size_t page)
{
	uint64_t sum = 0xcbf29ce484222325u;

	if (page > size || size - page < 80)
		return;
	for (int i = 0; i < 56; i++)
		sum = (sum ^ db[page + 16 + i]) * 0x100000001b3u;
	sum = htole64(sum);
	memcpy(db + page + 72, &sum, sizeof(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_str_ struct str fixed = { 0 };

	look(data, size);
	str_add_n(&fixed, data, size);
	put_sum((uint8_t *)fixed.p, size, 0);
	put_sum((uint8_t *)fixed.p, size, 4096);
	look((uint8_t *)fixed.p, size);
	return 0;
}
