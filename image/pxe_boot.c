/* See pxe_nodes.h: the first question of a machine, what it is to boot. */
#include "image/pxe_nodes_internal.h"

#include "lib/crypto.h"
#include "lib/timer.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

/* iPXE writes aa-bb-…, the description aa:bb:…. */
static struct pxe_node *by_mac(struct pxe_nodes *p, const char *mac)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const char *have = p->v[i].config->mac;
		size_t k = 0;

		for (; have[k] && mac[k]; k++)
			if (strncasecmp(&have[k], &mac[k], 1) != 0 &&
			    !(have[k] == ':' && mac[k] == '-'))
				break;
		if (!have[k] && !mac[k])
			return &p->v[i];
	}
	return NULL;
}

static bool is_written(const struct pxe_node *n)
{
	return n->state == PXE_WRITING && timer_now() - n->heard < PXE_SILENCE_MS;
}

bool pxe_is_late(const struct pxe_node *n)
{
	return n->renew && timer_now() - n->began >= PXE_TURN_MS;
}

const struct pxe_node *pxe_other_turn(const struct pxe_nodes *p, const struct pxe_node *n)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		const struct pxe_node *o = &p->v[i];
		bool under_way = o->state == PXE_BOOTED || o->state == PXE_ORDERED;

		if (o != n && o->renew && ((under_way && !pxe_is_late(o)) || is_written(o)))
			return o;
	}
	return NULL;
}

/* Of a node that is renewed: as pxe_boot. */
static int take_turn(struct pxe_nodes *p, struct pxe_node *n)
{
	const struct pxe_node *other = pxe_other_turn(p, n);

	if (other) {
		pxe_report(p,
			   "%s starts from its disk: %s is being renewed. Boot it from the network "
			   "again when that one is well (phoenix status)",
			   n->config->name, other->config->name);
		return 0;
	}
	if (!n->judged || timer_now() - n->judged >= PXE_VERDICT_MS) {
		n->judged = 0;
		n->asked = true;
		return -EAGAIN;
	}
	n->judged = 0;
	return n->can_spare;
}

static void begin(struct pxe_nodes *p, struct pxe_node *n, char token[65])
{
	_free_ char *word = crypto_random_hex(32);

	if (n->boots++)
		pxe_report(p, "%s was booted again%s%s", n->config->name,
			   *n->error ? "; it had said: " : "", n->error);
	memcpy(n->token, word, sizeof n->token);
	memcpy(token, word, sizeof n->token);
	n->seed_given = n->asked = false;
	n->peer[0] = n->step[0] = n->error[0] = '\0';
	n->percent = 0;
	n->state = PXE_BOOTED;
	n->began = n->heard = timer_now();
}

/* Anybody can ask, with anything. */
static bool is_mac(const char *s)
{
	size_t i = 0;

	for (; s[i]; i++)
		if (i >= 17 ||
		    (i % 3 == 2 ? s[i] != '-' && s[i] != ':' : !isxdigit((unsigned char)s[i])))
			return false;
	return i == 17;
}

static void stranger(struct pxe_nodes *p, const char *mac)
{
	if (is_mac(mac))
		pxe_report(p,
			   "a machine with the MAC %s asks to be booted: it is none of the "
			   "description, and gets nothing",
			   mac);
	else
		pxe_report(p,
			   "something asks to be booted without a MAC address, and gets nothing");
}

void pxe_stranger(struct pxe_nodes *p, const char *mac)
{
	pthread_mutex_lock(&p->lock);
	stranger(p, mac);
	pthread_mutex_unlock(&p->lock);
}

/* A machine of the description: as pxe_boot, without the token. */
static int judge_boot(struct pxe_nodes *p, struct pxe_node *n)
{
	if (!n->wanted || n->state == PXE_DONE || n->leave)
		return 0;
	if (is_written(n)) {
		pxe_report(
			p,
			"%s is being written and asks to be booted: two machines with the MAC %s?",
			n->config->name, n->config->mac);
		return -EBUSY;
	}
	if (n->wipe && n->seed_given) {
		pxe_report(
			p,
			"%s has had its seed and did not tell how that ended; what it has by now "
			"is not erased a second time: it starts from its disk. If it does not: "
			"end this, and give the same command again",
			n->config->name);
		return 0;
	}
	return n->renew ? take_turn(p, n) : 1;
}

int pxe_boot(struct pxe_nodes *p, const char *mac, const char *peer, char token[65])
{
	struct pxe_node *n;
	int r;

	pthread_mutex_lock(&p->lock);
	n = by_mac(p, mac);
	if (!n)
		stranger(p, mac);
	if (!n)
		r = -ENOENT;
	else
		r = pxe_from_elsewhere(p, n, peer) ? -EPERM : judge_boot(p, n);
	if (r > 0)
		begin(p, n, token);
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pxe_asked(struct pxe_nodes *p)
{
	int found = -1;

	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < NODE_COUNT; i++)
		if (p->v[i].asked)
			found = i;
	pthread_mutex_unlock(&p->lock);
	return found;
}

void pxe_judge(struct pxe_nodes *p, int i, const char *why)
{
	struct pxe_node *n = &p->v[i];

	pthread_mutex_lock(&p->lock);
	n->asked = false;
	n->can_spare = !why;
	n->judged = timer_now();
	if (why)
		pxe_report(p, "%s starts from its disk: %s", n->config->name, why);
	pthread_mutex_unlock(&p->lock);
}
