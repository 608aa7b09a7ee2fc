/* See layout.h. */
#include "image/layout.h"

#include "lib/units.h"

#include <errno.h>
#include <strings.h>

#define MIB (1ULL << 20)

/* Types of the Discoverable Partitions Specification (UAPI.2). */
#define TYPE_ROOT_X86_64 "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
#define TYPE_LINUX "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
/* "Microsoft basic data": what a stick with a FAT file system has. */
#define TYPE_FAT "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

static uint64_t up(uint64_t n)
{
	return (n + MIB - 1) / MIB * MIB;
}

static uint64_t down(uint64_t n)
{
	return n / MIB * MIB;
}

static bool above_head(const struct ptable *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].start < PTABLE_HEAD || t->v[i].size > t->size ||
		    t->v[i].start > t->size - t->v[i].size)
			return false;
	return true;
}

int layout_image(const struct ptable *image, const char *name, struct fault *f)
{
	size_t roots;
	const struct partition *root = ptable_find(image, LAYOUT_ROOT, &roots);

	if (!root || roots > 1)
		return fault_set(f, EINVAL,
				 "%s is no disk image of ThreePhoenix: it has %s partition named "
				 "" LAYOUT_ROOT,
				 name, roots ? "more than one" : "no");
	if (strcasecmp(root->type, TYPE_ROOT_X86_64) != 0)
		return fault_set(f, EINVAL,
				 "%s is not for x86-64: its root partition has the type %s", name,
				 root->type);
	if (root->start + root->size != ptable_end(image))
		return fault_set(f, EINVAL,
				 "%s: " LAYOUT_ROOT " is not its last partition and cannot grow",
				 name);
	if (ptable_end(image) + PTABLE_TAIL > image->size || !above_head(image))
		return fault_set(f, EINVAL, "%s: its partitions do not leave room for the table",
				 name);
	return 0;
}

/* The old data partition, or none. */
static int keep(const struct layout_wish *w, const char *name, struct layout *l, struct fault *f)
{
	size_t n;
	const struct partition *data = ptable_find(w->disk, LAYOUT_DATA, &n);

	if (w->wipe || !data || w->disk_size < PTABLE_TAIL)
		return 0;
	if (n > 1)
		return fault_set(f, ENOTUNIQ,
				 "%s has %zu partitions named " LAYOUT_DATA
				 ": remove the wrong one, or --wipe erases all",
				 name, n);
	if (data->size > w->disk_size - PTABLE_TAIL ||
	    data->start > w->disk_size - PTABLE_TAIL - data->size)
		return fault_set(f, EUCLEAN,
				 "%s: its " LAYOUT_DATA
				 " reaches over the end of the disk, as if it had "
				 "been copied from a larger one: --wipe erases it",
				 name);
	l->kept = true;
	l->data = *data;
	return 0;
}

static int too_small(const struct layout_wish *w, uint64_t needed, const char *name,
		     const struct layout *l, struct fault *f)
{
	char need[32], have[32];

	units_bytes(needed, need, sizeof need);
	if (l->kept) {
		units_bytes(l->data.start, have, sizeof have);
		return fault_set(f, ENOSPC,
				 "%s: the image and the seed need %s, but " LAYOUT_DATA
				 " begins at %s: --wipe erases it",
				 name, need, have);
	}
	units_bytes(w->disk_size, have, sizeof have);
	return fault_set(f, ENOSPC, "%s is too small: it has %s, and %s are needed", name, have,
			 need);
}

/* Where the system area ends. */
static int divide(const struct layout_wish *w, const char *name, const struct layout *l,
		  uint64_t *ret, struct fault *f)
{
	uint64_t needed = up(l->image_end) + up(w->seed_size);
	uint64_t end = down(w->disk_size - PTABLE_TAIL), half = down(w->disk_size / 2);
	uint64_t behind = l->kept || w->no_data ? 0 : LAYOUT_DATA_MIN, area;

	if (l->kept)
		end = down(l->data.start);
	if (w->disk_size < MIB + PTABLE_TAIL || needed + behind > end)
		return too_small(w, needed + behind + (l->kept ? 0 : MIB), name, l, f);
	area = LAYOUT_SYSTEM < half || w->no_data ? LAYOUT_SYSTEM : half;
	if (l->kept)
		area = end;
	if (area < needed)
		area = needed;
	if (area + behind > end)
		area = end - behind;
	*ret = area;
	return 0;
}

static void fill_table(const struct layout_wish *w, struct layout *l)
{
	memcpy(l->table.uuid, w->image->uuid, sizeof l->table.uuid);
	for (size_t i = 0; i < w->image->n; i++) {
		struct partition p = w->image->v[i];

		if (str_eq(p.name, LAYOUT_ROOT))
			p.size = l->seed.start - p.start;
		ptable_add(&l->table, &p);
	}
	ptable_add(&l->table, &l->seed);
	if (l->data.size)
		ptable_add(&l->table, &l->data);
	if (l->kept)
		ptable_add(&l->interim, &l->data);
}

int layout_make(const struct layout_wish *w, const char *name, struct layout *ret, struct fault *f)
{
	_layout_ struct layout l = { .image_end = ptable_end(w->image) };
	uint64_t area = 0;
	int r = keep(w, name, &l, f);

	if (r >= 0)
		r = divide(w, name, &l, &area, f);
	if (r < 0)
		return r;
	l.seed = (struct partition){ .name = LAYOUT_SEED,
				     .type = TYPE_FAT,
				     .start = area - up(w->seed_size),
				     .size = up(w->seed_size) };
	if (!l.kept && !w->no_data)
		l.data = (struct partition){ .name = LAYOUT_DATA,
					     .type = TYPE_LINUX,
					     .start = area,
					     .size = down(w->disk_size - PTABLE_TAIL) - area };
	fill_table(w, &l);
	*ret = l;
	l = (struct layout){ 0 };
	return 0;
}

void layout_free(struct layout *l)
{
	ptable_free(&l->table);
	ptable_free(&l->interim);
}
