/* Step `components`: what runs in the cluster (components.h). Waits until the cluster is whole: what is
 * spread over the nodes when only one of them is there stays where it is. */
#include "firstboot/cluster.h"
#include "firstboot/components.h"
#include "firstboot/paths.h"
#include "firstboot/plan.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"
#include "lib/log.h"

#include <errno.h>

#define LONG_MS 600000 /* a wait worth a warning; it goes on */

/* One for the life of this process, as in stale.c. */
static struct lease turn = { .ns = "kube-system",
			     .name = "phoenix-install",
			     .duration_ms = INSTALL_LEASE_MS };

/* Nothing is given up, but a wait of ten minutes is told once, at a level that somebody sees. R is what
 * a look or a try ended with. */
static void tell_long(int r, const char *text)
{
	static int64_t since;
	static bool told;

	if (r == 0)
		since = 0;
	if (r != -EAGAIN)
		return;
	if (!since) {
		since = timer_now();
		told = false;
	}
	if (told || timer_now() - since < LONG_MS)
		return;
	told = true;
	log_warn("components: not there after %d minutes, goes on waiting: %s", LONG_MS / 60000,
		 text);
}

struct scene {
	struct components all;
	struct kube *kube;
	const char *nodes[NODE_COUNT + 1];
	struct str not_yet;
};

static void scene_free(struct scene *s)
{
	components_free(&s->all);
	kube_freep(&s->kube);
	str_free(&s->not_yet);
}

/* IN and S are filled; S is to be freed whatever the result. */
static int scene_set(struct boot *b, struct scene *s, struct install *in, struct fault *f)
{
	const struct agent *a = b->agent;
	const char *names[NODE_COUNT];
	bool whole;
	int r = components_load(&b->fs, MANIFESTS, boot_config(b), b->seed->secrets, &s->all, f);

	if (r == 0)
		r = admin_kube(a, b->seed->self, &s->kube, f);
	if (r < 0)
		return r;
	if (!turn.holder) {
		_free_ char *nonce = crypto_random_hex(4);

		turn.holder = mem_printf("%s/%s", boot_node(b)->name, nonce);
	}
	agent_names(a, names);
	whole = components_voters(names, &a->me, &a->rec.words, s->nodes, &s->not_yet);
	*in = (struct install){ .kube = s->kube,
				.all = &s->all,
				.lease = &turn,
				.node = boot_node(b)->name,
				.nodes = s->nodes,
				.not_yet = whole ? NULL : s->not_yet.p };
	return 0;
}

int step_components_check(struct boot *b, struct fault *f)
{
	_str_ struct str why = { 0 };
	struct scene s = { 0 };
	struct install in;
	int r;

	if (!b->agent)
		return plan_ask_daemon(b, "components",
				       "what runs in the cluster is installed when it is whole");
	r = scene_set(b, &s, &in, f);
	if (r == 0)
		r = components_check(&in, &why, f);
	scene_free(&s);
	tell_long(r, f->text);
	if (r > 0)
		return step_needed(b, "%.390s", str_text(&why));
	if (r == 0 && why.len)
		step_note(b, "%.390s", why.p);
	return r;
}

int step_components_apply(struct boot *b, struct fault *f)
{
	struct scene s = { 0 };
	struct install in;
	int r = scene_set(b, &s, &in, f);

	if (r == 0)
		r = components_apply(&in, f);
	scene_free(&s);
	tell_long(r, f->text);
	return r;
}
