/* Finds the seed and keeps a copy: the medium may be gone, or scrubbed, at the next boot. */
#include "firstboot/nic.h"
#include "firstboot/steps.h"
#include "lib/console.h"
#include "lib/log.h"

#include <errno.h>

/* Said once for each list: it is looked at again and again. */
void step_seed_tell(const struct boot *b, const struct diags *d)
{
	static char *told;
	_str_ struct str all = { 0 };

	strv_each (line, &d->lines)
		str_addf(&all, "%s\n", line);
	if (str_eq(told, str_text(&all)))
		return;
	free(told);
	told = mem_strdup(str_text(&all));
	strv_each (line, &d->lines) {
		_free_ char *said = mem_printf("seed: %s", line);

		log_warn("%s", said);
		if (b->live && !b->plan)
			console_say(said);
	}
}

/* The seed is read once in a process's life: everything after stands on one and the same. */
int step_seed_check(struct boot *b, struct fault *f)
{
	if (!b->seed) {
		_diags_ struct diags d = { 0 };
		int r = seed_find(&b->fs, &b->seed, &d, f);

		step_seed_tell(b, &d);
		if (r < 0 || !b->seed)
			return r < 0 ? r : fault_set(f, ENOENT, "no seed");
	}
	if (!seed_is_imported(&b->fs, b->seed))
		return step_needed(b, "the seed of %s (%s) is to be imported", boot_node(b)->name,
				   b->seed->source);
	return STEP_DONE;
}

/* A seed in the wrong machine is not kept: once imported it would refuse the right one as another
 * node's. */
int step_seed_apply(struct boot *b, struct fault *f)
{
	int r = nic_refuse_other(&b->fs, boot_config(b), b->seed->self, f);

	if (r == 0)
		r = seed_import(&b->fs, b->seed, f);
	return r < 0 ? r : 0;
}
