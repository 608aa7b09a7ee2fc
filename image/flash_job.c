/* See flash_job.h. */
#include "image/flash_job.h"

#include "image/flash_data.h"
#include "lib/meter.h"
#include "lib/stop.h"

#include <errno.h>

const struct node_config *flash_job_node(const struct flash_job *j)
{
	return &j->seed.seed->config->nodes[j->seed.seed->self];
}

/* Where the node would find its data, and where not. */
static int check_place(const struct flash_job *j, const struct flash_wish *w, struct fault *f)
{
	const struct target *t = &j->target;

	if (t->no_table.code)
		return fault_set(f, EUCLEAN,
				 "%s: whether there is a " LAYOUT_DATA " on it cannot be told. "
				 "Repair the table (sgdisk, sfdisk), or --wipe erases all",
				 t->no_table.text);
	if (t->data_elsewhere)
		return fault_set(f, EEXIST,
				 "%s: %s has the label " TARGET_DATA
				 " and would be erased: --wipe, if it may go",
				 t->path, t->data_elsewhere);
	if (w->data && !w->data_is_ours && ptable_find(&t->table, LAYOUT_DATA, NULL))
		return fault_set(f, EEXIST,
				 "%s has a partition " LAYOUT_DATA
				 ", but the description has the data of %s on %s (data:): the node "
				 "would wait for a person. --wipe erases the partition, or leave "
				 "out data:",
				 t->path, w->owner->node, w->data);
	return 0;
}

int flash_job_plan(struct flash_job *j, const struct flash_wish *w, struct fault *f)
{
	const struct target *t = &j->target;
	const struct layout_wish wish = { .image = &j->source->table,
					  .disk = &t->table,
					  .disk_size = t->size,
					  .seed_size = w->seed_size,
					  .wipe = w->wipe,
					  .no_data = w->data != NULL };
	int r = w->wipe ? 0 : check_place(j, w, f);

	if (r >= 0)
		r = layout_make(&wish, t->path, &j->layout, f);
	if (r < 0 || !j->layout.kept)
		return r;
	r = flash_data_fits(t->path, &j->layout.data, w->owner, f);
	if (r < 0)
		return fault_wrap(f, "%s (--wipe erases it)", t->path);
	j->owned = r > 0;
	return 0;
}

struct watch {
	struct meter meter;
	void (*tell)(void *user, enum flash_phase phase, unsigned percent);
	void *user;
	unsigned told; /* percent + 1 of the phase; 0 nothing yet */
};

static void progress(void *user, enum flash_phase phase, uint64_t done, uint64_t total)
{
	static const char *const names[] = {
		[FLASH_WRITE] = "writing", [FLASH_VERIFY] = "reading back"
	};
	struct watch *w = user;
	unsigned percent = total ? (unsigned)(done * 100 / total) : 100;

	if (!w->meter.what || !str_eq(w->meter.what, names[phase])) {
		meter_begin(&w->meter, names[phase]);
		w->told = 0;
	}
	meter_show(&w->meter, done, total);
	if (w->tell && percent + 1 > w->told) {
		w->told = percent + 1;
		w->tell(w->user, phase, percent);
	}
}

int flash_job_write(struct flash_job *j,
		    void (*tell)(void *user, enum flash_phase phase, unsigned percent), void *user,
		    bool *begun, struct fault *f)
{
	struct watch w = { .tell = tell, .user = user };
	const struct flash x = { .target = &j->target,
				 .source = j->source,
				 .layout = &j->layout,
				 .seed = &j->seed.bytes,
				 .progress = progress,
				 .user = &w,
				 .stop = stop_catch() };
	int r;

	j->source->stop = x.stop;
	r = flash_write(&x, begun, f);
	meter_end(&w.meter);
	return r;
}

void flash_job_free(struct flash_job *j)
{
	source_freep(&j->source);
	flash_seed_free(&j->seed);
	target_close(&j->target);
	layout_free(&j->layout);
}
