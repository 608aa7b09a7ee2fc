/* Takes the secrets away from where the seed came from, once they are imported: whoever pulls the
 * stick out later, or reads cloud-init's folder, finds none. What cannot be cleaned is told. */
#include "firstboot/steps.h"

#include <errno.h>

static int scrub(struct boot *b, bool dry, struct fault *f)
{
	_diags_ struct diags left = { 0 };
	int n;

	if (!seed_is_imported(&b->fs, b->seed) && b->plan)
		return 1;
	if (!seed_is_imported(&b->fs, b->seed))
		return fault_set(f, ENOENT, "the seed is not imported: its medium is left alone");
	n = seed_scrub(&b->fs, dry, &left, f);
	strv_each (line, &left.lines)
		if (n >= 0)
			step_note(b, "%s", line);
	return n;
}

int step_scrub_check(struct boot *b, struct fault *f)
{
	int n = scrub(b, true, f);

	if (n > 0)
		return step_needed(b, "secrets are still in %d place%s where a seed was found", n,
				   n == 1 ? "" : "s");
	return n < 0 ? n : STEP_DONE;
}

int step_scrub_apply(struct boot *b, struct fault *f)
{
	int n = scrub(b, false, f);

	return n < 0 ? n : 0;
}
