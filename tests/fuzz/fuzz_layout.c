/* A disk's table as somebody else left it, and what a flash would make of it; and the table of an
 * image that is none of ours. The input: the first sectors of a disk, then its last ones. Checksums are
 * made right, or nothing would get past them. */
#include "image/layout.h"
#include "lib/fs.h"

#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define SIZE (8192 * MIB)
#define FRONT (34 * PTABLE_SECTOR)
#define ROOT "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"

static uint32_t crc(const uint8_t *p, size_t n)
{
	uint32_t c = ~0U;

	while (n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320U : 0);
	}
	return ~c;
}

static uint32_t get(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (8 * i));
}

/* Of a header and its entries: UEFI 2.10, 5.3.2. */
static void sign(uint8_t *header, const uint8_t *entries)
{
	uint64_t n = (uint64_t)get(header + 80) * get(header + 84);

	if (memcmp(header, "EFI PART", 8) != 0)
		return;
	put(header + 88, crc(entries, n < 32 * PTABLE_SECTOR ? n : 32 * PTABLE_SECTOR));
	put(header + 12, 92);
	put(header + 16, 0);
	put(header + 16, crc(header, 92));
}

static bool overlap(const struct partition *a, const struct partition *b)
{
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

/* Whatever is on the disk: what comes out of it is whole, and what is kept is where it was. */
static void check(const struct ptable *old, const struct layout *l)
{
	const struct partition *data = ptable_find(old, LAYOUT_DATA, NULL);
	_free_ unsigned char *head = NULL, *tail = NULL;
	struct fault f = { 0 };

	for (size_t i = 0; i < l->table.n; i++) {
		const struct partition *p = &l->table.v[i];

		if (p->start < PTABLE_HEAD || p->size > SIZE - PTABLE_TAIL ||
		    p->start > SIZE - PTABLE_TAIL - p->size || !p->size)
			abort();
		for (size_t k = 0; k < i; k++)
			if (overlap(p, &l->table.v[k]))
				abort();
	}
	if (!l->kept)
		return; /* then nothing depends on what was there */
	head = mem_alloc(PTABLE_HEAD);
	tail = mem_alloc(PTABLE_TAIL);
	if (l->data.start != data->start || l->data.size != data->size)
		abort();
	if (ptable_make(&l->table, SIZE, NULL, head, tail, &f) < 0 ||
	    ptable_make(&l->interim, SIZE, NULL, head, tail, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		abort();
	}
}

static void plan(const struct ptable *old)
{
	struct partition root = {
		.name = LAYOUT_ROOT, .type = ROOT, .start = MIB, .size = 40 * MIB
	};
	struct ptable image = { .gpt = true, .size = 42 * MIB, .v = &root, .n = 1 };

	for (int i = 0; i < 2; i++) {
		_layout_ struct layout l = { 0 };
		const struct layout_wish w = { .image = &image,
					       .disk = old,
					       .disk_size = SIZE,
					       .seed_size = MIB,
					       .no_data = i };
		struct fault f = { 0 };

		if (layout_make(&w, "disk", &l, &f) == 0)
			check(old, &l);
		else if (!*f.text)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t front[FRONT], back[PTABLE_TAIL], head[PTABLE_HEAD];
	_fd_ int fd = memfd_create("disk", MFD_CLOEXEC);
	_ptable_ struct ptable disk = { 0 }, image = { 0 };
	size_t n = size < FRONT ? size : FRONT, rest = size - n;

	if (!size)
		return 0;
	memset(front, 0, sizeof front);
	memset(back, 0, sizeof back);
	memcpy(front, data, n);
	memcpy(back, data + n, rest < sizeof back ? rest : sizeof back);
	sign(front + PTABLE_SECTOR, front + 2 * PTABLE_SECTOR);
	sign(back + 32 * PTABLE_SECTOR, back);
	if (ftruncate(fd, SIZE) < 0 || pwrite(fd, front, FRONT, 0) != FRONT ||
	    pwrite(fd, back, PTABLE_TAIL, SIZE - PTABLE_TAIL) != PTABLE_TAIL)
		abort();
	if (ptable_read(fd, SIZE, "disk", &disk, NULL) >= 0)
		plan(&disk);
	memcpy(head, front, FRONT);
	if (ptable_read_head(head, sizeof head, "image", &image, NULL) == 1 &&
	    layout_image(&image, "image", NULL) == 0)
		plan(&image);
	return 0;
}
