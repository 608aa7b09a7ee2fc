/* See ptable.h. */
#include "lib/ptable.h"

#include "lib/fs.h"
#include "lib/ptable_fdisk.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* GPT header (UEFI 2.10, 5.3.2): in sector 1; where its copy is, at byte 32. */
#define GPT_MAGIC "EFI PART"
#define GPT_COPY 32
/* Where its entries are, how many, how large each is. A header decides how much the library reads. */
#define GPT_ENTRIES 72
#define GPT_COUNT 80
#define GPT_ENTRY_SIZE 84
#define GPT_COUNT_MAX 1024
#define GPT_ENTRY 128
#define MBR_PROTECTIVE 0xee

static void context_freep(struct fdisk_context **c)
{
	if (*c)
		fdisk.unref_context(*c);
}
#define _context_ _cleanup_(context_freep)

static void parts_freep(struct fdisk_table **t)
{
	if (*t)
		fdisk.unref_table(*t);
}
#define _parts_ _cleanup_(parts_freep)

static void part_freep(struct fdisk_partition **p)
{
	if (*p)
		fdisk.unref_partition(*p);
}
#define _part_ _cleanup_(part_freep)

static int assign(int fd, const char *name, bool read_only, struct fdisk_context **ret,
		  struct fault *f)
{
	_context_ struct fdisk_context *c = NULL;
	int r = fdisk_load(f);

	if (r < 0)
		return r;
	c = fdisk.new_context();
	if (!c)
		return fault_set(f, ENOMEM, "%s: out of memory", name);
	/* an image's sectors are 512 bytes, whatever the file system that it lies on prefers */
	fdisk.save_user_sector_size(c, PTABLE_SECTOR, PTABLE_SECTOR);
	fdisk.disable_dialogs(c, 1);
	fdisk.enable_bootbits_protection(c, 1);
	r = fdisk.assign_device_by_fd(c, fd, name, read_only);
	if (r < 0)
		return fault_set(f, -r, "%s: its partition table cannot be read: %s", name,
				 strerror(-r));
	*ret = TAKE_PTR(c);
	return 0;
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static void read_entry(struct fdisk_context *c, struct fdisk_partition *pa, struct ptable *t)
{
	struct fdisk_parttype *type = fdisk.partition_get_type(pa);
	struct partition p = {
		.start = fdisk.partition_get_start(pa) * PTABLE_SECTOR,
		.size = fdisk.partition_get_size(pa) * PTABLE_SECTOR,
	};

	copy_text(p.name, sizeof p.name, fdisk.partition_get_name(pa));
	copy_text(p.uuid, sizeof p.uuid, fdisk.partition_get_uuid(pa));
	copy_text(p.type, sizeof p.type, type ? fdisk.parttype_get_string(type) : NULL);
	if (t->gpt)
		fdisk.gpt_get_partition_attrs(c, fdisk.partition_get_partno(pa), &p.attributes);
	ptable_add(t, &p);
}

static bool is_protective(struct fdisk_partition *pa)
{
	struct fdisk_parttype *type = fdisk.partition_get_type(pa);

	return type && fdisk.parttype_get_code(type) == MBR_PROTECTIVE;
}

static int read_entries(struct fdisk_context *c, const char *name, struct ptable *t,
			struct fault *f)
{
	_parts_ struct fdisk_table *parts = NULL;
	_free_ char *id = NULL;

	if (fdisk.get_partitions(c, &parts) < 0 || (t->gpt && fdisk.get_disklabel_id(c, &id) < 0))
		return fault_set(f, EUCLEAN, "%s: its partition table is damaged", name);
	copy_text(t->uuid, sizeof t->uuid, id);
	for (size_t i = 0; i < fdisk.table_get_nents(parts); i++) {
		struct fdisk_partition *pa = fdisk.table_get_partition(parts, i);

		/* an MBR that is there to protect a GPT which the library did not find whole */
		if (!t->gpt && is_protective(pa))
			return fault_set(f, EUCLEAN, "%s: its GPT is damaged", name);
		if (fdisk.partition_has_start(pa) && fdisk.partition_has_size(pa))
			read_entry(c, pa, t);
	}
	return 1;
}

/* Without its beginning a GPT is none, to the kernel too. But somebody may want it back. */
static int no_table(int fd, uint64_t size, const char *name, struct fault *f)
{
	char copy[sizeof GPT_MAGIC - 1];

	if (size >= PTABLE_SECTOR &&
	    pread(fd, copy, sizeof copy, (off_t)size - PTABLE_SECTOR) == (ssize_t)sizeof copy &&
	    memcmp(copy, GPT_MAGIC, sizeof copy) == 0)
		return fault_set(f, EUCLEAN,
				 "%s has the copy of a partition table at its end, and nothing at "
				 "its beginning",
				 name);
	return 0;
}

static uint64_t number(const unsigned char *p, size_t at, size_t bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | p[at + bytes];
	return n;
}

/* The library takes as much memory as a header at AT says that its entries need, and a header for none
 * when there is not so much. */
static bool is_modest(int fd, uint64_t at, unsigned char header[PTABLE_SECTOR])
{
	if (pread(fd, header, PTABLE_SECTOR, (off_t)at) != PTABLE_SECTOR ||
	    memcmp(header, GPT_MAGIC, strlen(GPT_MAGIC)) != 0)
		return true;
	return number(header, GPT_COUNT, 4) <= GPT_COUNT_MAX &&
	       number(header, GPT_ENTRY_SIZE, 4) == GPT_ENTRY;
}

/* The header, the copy at the end, and the copy where the header says that it is. */
static bool are_modest(int fd, uint64_t size)
{
	unsigned char header[PTABLE_SECTOR] = { 0 }, copy[PTABLE_SECTOR];
	uint64_t at;

	if (!is_modest(fd, PTABLE_SECTOR, header) ||
	    (size > PTABLE_SECTOR && !is_modest(fd, size - PTABLE_SECTOR, copy)))
		return false;
	at = number(header, GPT_COPY, 8);
	return at >= INT64_MAX / PTABLE_SECTOR || is_modest(fd, at * PTABLE_SECTOR, copy);
}

int ptable_read(int fd, uint64_t size, const char *name, struct ptable *ret, struct fault *f)
{
	_context_ struct fdisk_context *c = NULL;
	_ptable_ struct ptable t = { .size = size };
	int r;

	if (!are_modest(fd, size))
		return fault_set(f, EUCLEAN, "%s: its partition table is not an ordinary one",
				 name);
	r = assign(fd, name, true, &c, f);
	if (r < 0)
		return r;
	if (!fdisk.has_label(c))
		return no_table(fd, size, name, f);
	t.gpt = fdisk.is_labeltype(c, FDISK_DISKLABEL_GPT);
	if (!t.gpt && !fdisk.is_labeltype(c, FDISK_DISKLABEL_DOS))
		return fault_set(f, EUCLEAN, "%s has a partition table of another kind (%s)", name,
				 fdisk.label_get_name(fdisk.get_label(c, NULL)));
	r = read_entries(c, name, &t, f);
	if (r > 0) {
		*ret = t;
		t = (struct ptable){ 0 };
	}
	return r;
}

/* An unnamed file in memory. */
static int scratch(uint64_t size, struct fault *f)
{
	_fd_ int fd = memfd_create("partition-table", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return fault_errno(f, "a file in memory of %llu bytes", (unsigned long long)size);
	return fd_take(&fd);
}

static int write_at(int fd, const void *data, size_t n, off_t at, struct fault *f)
{
	ssize_t w = pwrite(fd, data, n, at);

	if (w == (ssize_t)n)
		return 0;
	errno = w < 0 ? errno : EIO;
	return fault_errno(f, "a file in memory");
}

static int read_at(int fd, void *data, size_t n, off_t at, struct fault *f)
{
	ssize_t got = pread(fd, data, n, at);

	if (got == (ssize_t)n)
		return 0;
	errno = got < 0 ? errno : EIO;
	return fault_errno(f, "a file in memory");
}

int ptable_read_head(const void *head, size_t head_len, const char *name, struct ptable *ret,
		     struct fault *f)
{
	const unsigned char *gpt = (const unsigned char *)head + PTABLE_SECTOR;
	uint64_t copy;
	int r;

	if (head_len < 2 * PTABLE_SECTOR || memcmp(gpt, GPT_MAGIC, strlen(GPT_MAGIC)) != 0)
		return 0;
	copy = number(gpt, GPT_COPY, 8);
	if (number(gpt, GPT_ENTRIES, 8) != 2)
		return fault_set(f, EUCLEAN, "%s: its partition table is not an ordinary one",
				 name);
	if (copy * PTABLE_SECTOR < head_len || copy >= INT64_MAX / PTABLE_SECTOR)
		return fault_set(f, EUCLEAN, "%s: its partition table is damaged", name);

	_fd_ int fd = scratch((copy + 1) * PTABLE_SECTOR, f);

	if (fd < 0)
		return fd;
	r = write_at(fd, head, head_len, 0, f);
	if (r >= 0)
		r = ptable_read(fd, (copy + 1) * PTABLE_SECTOR, name, ret, f);
	if (r <= 0 || ret->gpt)
		return r;
	ptable_free(ret);
	return fault_set(f, EUCLEAN, "%s: its partition table is damaged", name);
}

void ptable_free(struct ptable *t)
{
	free(t->v);
	*t = (struct ptable){ 0 };
}

const struct partition *ptable_find(const struct ptable *t, const char *name, size_t *n)
{
	const struct partition *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->v[i].name, name) && count++ == 0)
			found = &t->v[i];
	if (n)
		*n = count;
	return found;
}

uint64_t ptable_end(const struct ptable *t)
{
	uint64_t end = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].start + t->v[i].size > end)
			end = t->v[i].start + t->v[i].size;
	return end;
}

void ptable_add(struct ptable *t, const struct partition *p)
{
	t->v = mem_resize(t->v, (t->n + 1) * sizeof *t->v);
	t->v[t->n++] = *p;
}

static int add_entry(struct fdisk_context *c, size_t number, const struct partition *p,
		     struct fault *f)
{
	_part_ struct fdisk_partition *pa = fdisk.new_partition();
	struct fdisk_parttype *type =
		fdisk.label_get_parttype_from_string(fdisk.get_label(c, NULL), p->type);
	int r;

	/* a type that the library has no name for is one nevertheless */
	if (!type)
		type = fdisk.new_unknown_parttype(0, p->type);
	fdisk.partition_set_partno(pa, number);
	fdisk.partition_set_start(pa, p->start / PTABLE_SECTOR);
	fdisk.partition_set_size(pa, p->size / PTABLE_SECTOR);
	fdisk.partition_size_explicit(pa, 1);
	fdisk.partition_set_name(pa, p->name);
	fdisk.partition_set_type(pa, type);
	fdisk.unref_parttype(type);
	if (*p->uuid)
		fdisk.partition_set_uuid(pa, p->uuid);
	r = fdisk.add_partition(c, pa, NULL);
	if (r >= 0 && p->attributes)
		r = fdisk.gpt_set_partition_attrs(c, number, p->attributes);
	if (r < 0)
		return fault_set(f, -r, "partition %zu (%s) cannot be put at %llu: %s", number + 1,
				 p->name, (unsigned long long)p->start, strerror(-r));
	return 0;
}

static int fill(int fd, const struct ptable *t, struct fault *f)
{
	_context_ struct fdisk_context *c = NULL;
	int r = assign(fd, "the new partition table", false, &c, f);

	if (r < 0)
		return r;
	r = fdisk.create_disklabel(c, "gpt");
	if (r >= 0 && *t->uuid)
		r = fdisk.set_disklabel_id_from_string(c, t->uuid);
	if (r < 0)
		return fault_set(f, -r, "a partition table cannot be made: %s", strerror(-r));
	for (size_t i = 0; i < t->n; i++) {
		r = add_entry(c, i, &t->v[i], f);
		if (r < 0)
			return r;
	}
	r = fdisk.write_disklabel(c);
	return r < 0 ? fault_set(f, -r, "the partition table cannot be made: %s", strerror(-r)) : 0;
}

/* The library aligns what it is not told exactly; a partition that moved would be lost data. */
static int is_as_told(int fd, const struct ptable *t, uint64_t size, struct fault *f)
{
	_ptable_ struct ptable made = { 0 };
	int r = ptable_read(fd, size, "the new partition table", &made, f);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++)
		if (i >= made.n || made.v[i].start != t->v[i].start ||
		    made.v[i].size != t->v[i].size || !str_eq(made.v[i].name, t->v[i].name))
			return fault_set(f, EINVAL, "partition %zu (%s) does not fit where it is",
					 i + 1, t->v[i].name);
	return 0;
}

int ptable_make(const struct ptable *t, uint64_t size, const void *boot,
		unsigned char head[PTABLE_HEAD], unsigned char tail[PTABLE_TAIL], struct fault *f)
{
	_fd_ int fd = scratch(size, f);
	int r;

	if (fd < 0)
		return fd;
	r = boot ? write_at(fd, boot, PTABLE_HEAD, 0, f) : 0;
	if (r >= 0)
		r = fill(fd, t, f);
	if (r >= 0)
		r = is_as_told(fd, t, size, f);
	if (r >= 0)
		r = read_at(fd, head, PTABLE_HEAD, 0, f);
	if (r >= 0)
		r = read_at(fd, tail, PTABLE_TAIL, (off_t)size - PTABLE_TAIL, f);
	return r;
}
