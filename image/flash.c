/* See flash.h. */
#include "image/flash.h"

#include "image/pump.h"

#include <errno.h>

/* File systems, RAID and LVM keep their signatures within this of either end. */
#define EDGE (1U << 20)

/* What was written, piece by piece, to be found again: where a disk lies is worth knowing. */
struct proof {
	unsigned char (*sums)[32];
	size_t n;
};

static void proof_free(struct proof *p)
{
	free(p->sums);
}
#define _proof_ _cleanup_(proof_free)

static void proof_add(struct proof *p, const void *data, size_t n)
{
	if (p->n % 64 == 0)
		p->sums = mem_resize(p->sums, (p->n + 64) * sizeof *p->sums);
	crypto_sha256(data, n, p->sums[p->n++]);
}

static int stopped(const struct flash *x, struct fault *f)
{
	return x->stop && *x->stop ? fault_set(f, EINTR, "stopped by signal %d", (int)*x->stop) : 0;
}

static int lies(const struct flash *x, uint64_t at, struct fault *f)
{
	return fault_set(f, EIO,
			 "%s does not give back what was written to it, at byte %llu: the disk is "
			 "defective, or something else writes to it",
			 x->target->path, (unsigned long long)at);
}

/* What a disk begins and ends with. Made before anything is written: a table that cannot be is no
 * reason to lose the old one. */
struct edges {
	unsigned char *head, *tail;
};

static void edges_free(struct edges *e)
{
	free(e->head);
	free(e->tail);
}
#define _edges_ _cleanup_(edges_free)

static int edges_make(const struct ptable *table, uint64_t size, const void *boot, struct edges *e,
		      struct fault *f)
{
	e->head = mem_alloc(PTABLE_HEAD);
	e->tail = mem_alloc(PTABLE_TAIL);
	return ptable_make(table, size, boot, e->head, e->tail, f);
}

/* Is the table at the beginning whole, as a firmware would find it? */
static bool head_is_sound(const struct flash *x)
{
	_free_ unsigned char *head = mem_alloc(PTABLE_HEAD);
	_ptable_ struct ptable t = { 0 };

	return target_read(x->target, head, PTABLE_HEAD, 0, NULL) >= 0 &&
	       ptable_read_head(head, PTABLE_HEAD, x->target->path, &t, NULL) == 1;
}

/* Written, and found there again. */
static int write_at(const struct flash *x, const unsigned char *data, size_t n, uint64_t at,
		    struct fault *f)
{
	_free_ unsigned char *back = mem_alloc(n);
	int r = target_write(x->target, data, n, at, f);

	if (r >= 0)
		r = target_sync(x->target, f);
	if (r >= 0)
		r = target_read(x->target, back, n, at, f);
	return r < 0 || memcmp(data, back, n) == 0 ? r : lies(x, at, f);
}

static int write_tail(const struct flash *x, const struct edges *e, struct fault *f)
{
	return write_at(x, e->tail, PTABLE_TAIL, x->target->size - PTABLE_TAIL, f);
}

/* The first sector says what kind of table follows: last, when no copy would make up for half a
 * table. Until then it is that of before, or none. */
static int write_head_alone(const struct flash *x, const struct edges *e, struct fault *f)
{
	int r = write_at(x, e->head + PTABLE_SECTOR, PTABLE_HEAD - PTABLE_SECTOR, PTABLE_SECTOR, f);

	return r < 0 ? r : write_at(x, e->head, PTABLE_SECTOR, 0, f);
}

/* At every moment one of the two is whole: the copy is replaced first, unless it is all there is. */
static int edges_write(const struct flash *x, const struct edges *e, bool *begun, struct fault *f)
{
	int r;

	if (!head_is_sound(x)) {
		*begun = true;
		r = write_head_alone(x, e, f);
		return r < 0 ? r : write_tail(x, e, f);
	}
	r = write_tail(x, e, f);
	if (r < 0 && !*begun)
		return fault_wrap(f, "%s is as it was, but for the copy of its table at its end",
				  x->target->path);
	if (r < 0)
		return r;
	*begun = true;
	return write_at(x, e->head, PTABLE_HEAD, 0, f);
}

static ssize_t produce(void *user, void *buf, size_t n, struct fault *f)
{
	return source_read(user, buf, n, f);
}

static int stream(const struct flash *x, struct proof *proof, struct fault *f)
{
	_pump_ struct pump *p = pump_new(produce, x->source);
	uint64_t end = x->layout->image_end, at = PTABLE_HEAD;

	while (at < end) {
		void *data;
		ssize_t n = pump_next(p, &data, f);
		int r = n < 0 ? (int)n : stopped(x, f);

		if (r < 0)
			return r;
		if (n == 0)
			return fault_set(f, ENODATA,
					 "%s ends after %llu bytes, its partitions reach to %llu",
					 x->source->name, (unsigned long long)at,
					 (unsigned long long)end);
		if ((uint64_t)n > end - at)
			n = (ssize_t)(end - at);
		proof_add(proof, data, (size_t)n);
		r = target_write(x->target, data, (size_t)n, at, f);
		if (r < 0)
			return r;
		at += (uint64_t)n;
		x->progress(x->user, FLASH_WRITE, at, end);
	}
	return 0;
}

/* The seed's partition is filled whole: no old seed may shine through behind it. */
static int write_seed(const struct flash *x, struct fault *f)
{
	const struct partition *p = &x->layout->seed;
	unsigned char *data = mem_alloc(p->size);
	int r;

	memcpy(data, x->seed->p, x->seed->len);
	r = target_write(x->target, data, p->size, p->start, f);
	explicit_bzero(data, p->size);
	free(data);
	return r;
}

/* A new data partition is to look blank, whatever an older life of the disk left there. */
static int clear_data(const struct flash *x, struct fault *f)
{
	const struct partition *p = &x->layout->data;
	_free_ void *zero = mem_alloc(EDGE);
	int r;

	if (!p->size || x->layout->kept)
		return 0;
	r = target_write(x->target, zero, EDGE, p->start, f);
	return r < 0 ? r : target_write(x->target, zero, EDGE, p->start + p->size - EDGE, f);
}

static int read_back(const struct flash *x, const struct proof *proof, struct fault *f)
{
	uint64_t end = x->layout->image_end, at = PTABLE_HEAD;
	unsigned char sum[32];
	void *buf = NULL;
	int r = 0;

	if (posix_memalign(&buf, 4096, PUMP_PIECE) != 0)
		abort(); /* out of memory, as mem_alloc has it */
	for (size_t i = 0; r >= 0 && at < end; i++) {
		size_t n = end - at < PUMP_PIECE ? (size_t)(end - at) : PUMP_PIECE;

		r = stopped(x, f);
		if (r >= 0)
			r = target_read(x->target, buf, n, at, f);
		if (r < 0)
			break;
		crypto_sha256(buf, n, sum);
		/* what was never written cannot be read back */
		if (i >= proof->n || memcmp(sum, proof->sums[i], sizeof sum) != 0)
			r = lies(x, at, f);
		at += n;
		x->progress(x->user, FLASH_VERIFY, at, end);
	}
	free(buf);
	return r;
}

static int read_back_seed(const struct flash *x, struct fault *f)
{
	const struct partition *p = &x->layout->seed;
	unsigned char *data = mem_alloc(x->seed->len);
	int r = target_read(x->target, data, x->seed->len, p->start, f);

	if (r >= 0 && memcmp(data, x->seed->p, x->seed->len) != 0)
		r = lies(x, p->start, f);
	explicit_bzero(data, x->seed->len);
	free(data);
	return r;
}

static int write_contents(const struct flash *x, struct proof *proof, struct fault *f)
{
	int r;

	target_direct(x->target, true);
	r = stream(x, proof, f);
	target_direct(x->target, false);
	if (r >= 0)
		r = source_end(x->source, f);
	if (r >= 0)
		r = write_seed(x, f);
	if (r >= 0)
		r = clear_data(x, f);
	return r < 0 ? r : target_sync(x->target, f);
}

static int verify(const struct flash *x, const struct proof *proof, struct fault *f)
{
	int r;

	target_direct(x->target, true);
	r = read_back(x, proof, f);
	target_direct(x->target, false);
	return r < 0 ? r : read_back_seed(x, f);
}

int flash_write(const struct flash *x, bool *begun, struct fault *f)
{
	_edges_ struct edges interim = { 0 }, last = { 0 };
	_proof_ struct proof proof = { 0 };
	uint64_t size = x->target->size;
	int r = edges_make(&x->layout->interim, size, NULL, &interim, f);

	if (r >= 0)
		r = edges_make(&x->layout->table, size, x->source->head, &last, f);
	if (r >= 0)
		r = edges_write(x, &interim, begun, f);
	if (r >= 0)
		r = write_contents(x, &proof, f);
	if (r >= 0)
		r = verify(x, &proof, f);
	if (r >= 0)
		r = stopped(x, f);
	if (r >= 0)
		r = edges_write(x, &last, begun, f);
	if (r >= 0)
		target_rescan(x->target);
	return r;
}
