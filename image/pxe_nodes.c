/* See pxe_nodes.h. */
#include "image/pxe_nodes_internal.h"

#include "lib/crypto.h"
#include "lib/json.h"
#include "lib/timer.h"

#include <errno.h>

#define REPORTS_MAX 500

const char *pxe_state_name(enum pxe_state s)
{
	static const char *const names[] = {
		[PXE_WAITED_FOR] = "waited for",
		[PXE_BOOTED] = "booted",
		[PXE_ORDERED] = "looks at its disk",
		[PXE_WRITING] = "writes",
		[PXE_DONE] = "done",
		[PXE_FAILED] = "failed",
	};

	return names[s];
}

void pxe_nodes_init(struct pxe_nodes *p)
{
	*p = (struct pxe_nodes){ 0 };
	pthread_mutex_init(&p->lock, NULL);
}

void pxe_nodes_free(struct pxe_nodes *p)
{
	for (int i = 0; i < NODE_COUNT; i++)
		str_erase(&p->v[i].seed);
	strv_free(&p->reports);
	pthread_mutex_destroy(&p->lock);
}

void pxe_report(struct pxe_nodes *p, const char *fmt, ...)
{
	_str_ struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	if (p->reports.n < REPORTS_MAX && !strv_has(&p->reports, s.p))
		strv_add(&p->reports, s.p);
}

bool pxe_from_elsewhere(struct pxe_nodes *p, const struct pxe_node *n, const char *peer)
{
	if (!p->fixed || str_eq(peer, n->config->address))
		return false;
	pxe_report(p, "%s asks in the name of %s, which has the address %s: refused", peer,
		   n->config->name, n->config->address);
	return true;
}

/* Under the lock. The first one to use a token is whom it belongs to. */
static struct pxe_node *by_token(struct pxe_nodes *p, const char *token, const char *peer)
{
	struct pxe_node *n = NULL;

	for (int i = 0; token && i < NODE_COUNT; i++)
		if (*p->v[i].token && crypto_equal(token, p->v[i].token))
			n = &p->v[i];
	if (n && pxe_from_elsewhere(p, n, peer))
		return NULL;
	if (n && *n->peer && !str_eq(n->peer, peer)) {
		pxe_report(p, "%s asks with the token of %s, which is at %s: refused", peer,
			   n->config->name, n->peer);
		return NULL;
	}
	if (!n)
		pxe_report(p, "%s asks without a token that holds: refused", peer);
	else
		snprintf(n->peer, sizeof n->peer, "%s", peer);
	if (n)
		n->heard = timer_now();
	return n;
}

/* Under the lock: who may have what an installation needs. */
static int by_right(struct pxe_nodes *p, const char *token, const char *peer, struct pxe_node **ret)
{
	struct pxe_node *n = by_token(p, token, peer);

	if (!n || n->state == PXE_DONE)
		return -EPERM;
	*ret = n;
	return 0;
}

/* ...and before the seed: a machine that takes its time, or tries again, may have lost its turn. */
static int by_turn(struct pxe_nodes *p, const char *token, const char *peer, struct pxe_node **ret)
{
	int r = by_right(p, token, peer, ret);

	if (r < 0)
		return r;
	if ((*ret)->seed_given) {
		pxe_report(p, "%s asks again for what it was given: refused", (*ret)->config->name);
		return -EEXIST;
	}
	return (*ret)->renew && (pxe_is_late(*ret) || pxe_other_turn(p, *ret)) ? -EAGAIN : 0;
}

int pxe_order(struct pxe_nodes *p, const char *token, const char *peer, struct order *ret)
{
	struct pxe_node *n = NULL;
	int r;

	pthread_mutex_lock(&p->lock);
	r = by_turn(p, token, peer, &n);
	if (r >= 0) {
		*ret = (struct order){ .node = mem_strdup(n->config->name),
				       .cluster = mem_strdup(p->cluster),
				       .disk = mem_strdup(n->config->disk),
				       .data = mem_strdup(n->config->data),
				       .image_size = p->image_size,
				       .seed_size = n->seed.len,
				       .reinstall = n->reinstall,
				       .wipe = n->wipe };
		memcpy(ret->exchange_ca, p->exchange_ca, sizeof ret->exchange_ca);
		memcpy(ret->image_sha256, p->image_sha256, sizeof ret->image_sha256);
		memcpy(ret->seed_sha256, n->seed_sha256, sizeof ret->seed_sha256);
		n->state = PXE_ORDERED;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pxe_seed(struct pxe_nodes *p, const char *token, const char *peer, struct str *ret)
{
	struct pxe_node *n = NULL;
	int r;

	pthread_mutex_lock(&p->lock);
	r = by_turn(p, token, peer, &n);
	if (r >= 0) {
		str_add_n(ret, n->seed.p, n->seed.len);
		n->seed_given = true;
		n->state = PXE_WRITING;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pxe_image(struct pxe_nodes *p, const char *token, const char *peer)
{
	struct pxe_node *n = NULL;
	int r;

	pthread_mutex_lock(&p->lock);
	r = by_right(p, token, peer, &n);
	pthread_mutex_unlock(&p->lock);
	return r;
}

static void failed(struct pxe_nodes *p, struct pxe_node *n, const char *error, bool leave)
{
	snprintf(n->error, sizeof n->error, "%s", error);
	pxe_report(p, "%s: %s", n->config->name, n->error);
	if (leave)
		pxe_report(p, "%s is left as it is and starts from its disk", n->config->name);
	n->state = PXE_FAILED;
	n->leave = leave;
	/* the machine may try again: it said itself that it did not come to an end */
	n->seed_given = false;
	n->step[0] = '\0';
	n->percent = 0;
}

/* What a machine says of itself is shown, never believed for more than that. */
static int understand(struct pxe_nodes *p, struct pxe_node *n, const char *text, size_t len)
{
	_json_ struct json *j = NULL;
	const char *step, *error;
	int64_t percent;

	if (json_parse(text, len, &j, NULL) < 0)
		return -EPROTO;
	step = json_str(j, "step");
	error = json_str(j, "error");
	percent = json_int(j, "percent", 0);
	if (n->state == PXE_DONE)
		return 0; /* it did not hear that it was heard */
	if (error) {
		failed(p, n, error, json_bool(j, "leave", false));
		return 0;
	}
	if (!n->seed_given)
		return -EPROTO;
	n->state = str_eq(step, "done") ? PXE_DONE : PXE_WRITING;
	snprintf(n->step, sizeof n->step, "%s", step ? step : "");
	n->percent = percent < 0 || percent > 100 ? 0 : (unsigned)percent;
	return 0;
}

int pxe_tell(struct pxe_nodes *p, const char *token, const char *peer, const char *text, size_t len)
{
	struct pxe_node *n;
	int r = -EPERM;

	pthread_mutex_lock(&p->lock);
	n = by_token(p, token, peer);
	if (n)
		r = understand(p, n, text, len);
	pthread_mutex_unlock(&p->lock);
	return r;
}

bool pxe_all_done(struct pxe_nodes *p)
{
	bool all = true;

	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < NODE_COUNT; i++)
		all = all && (!p->v[i].wanted || p->v[i].state == PXE_DONE);
	pthread_mutex_unlock(&p->lock);
	return all;
}
