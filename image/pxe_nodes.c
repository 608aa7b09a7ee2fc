/* See pxe_nodes.h. */
#include "image/pxe_nodes.h"

#include "lib/crypto.h"
#include "lib/json.h"
#include "lib/timer.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

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

static void report(struct pxe_nodes *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void report(struct pxe_nodes *p, const char *fmt, ...)
{
	_str_ struct str s = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	if (p->reports.n < REPORTS_MAX && !strv_has(&p->reports, s.p))
		strv_add(&p->reports, s.p);
	p->changed = true;
}

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

static void begin(struct pxe_nodes *p, struct pxe_node *n, char token[65])
{
	_free_ char *word = crypto_random_hex(32);

	if (n->boots++)
		report(p, "%s was booted again%s%s", n->config->name,
		       *n->error ? "; it had said: " : "", n->error);
	memcpy(n->token, word, sizeof n->token);
	memcpy(token, word, sizeof n->token);
	n->seed_given = false;
	n->peer[0] = n->step[0] = n->error[0] = '\0';
	n->percent = 0;
	n->state = PXE_BOOTED;
	n->heard = timer_now();
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
		report(p,
		       "a machine with the MAC %s asks to be booted: it is none of the "
		       "description, and gets nothing",
		       mac);
	else
		report(p, "something asks to be booted without a MAC address, and gets nothing");
}

static bool from_elsewhere(struct pxe_nodes *p, const struct pxe_node *n, const char *peer)
{
	if (!p->fixed || str_eq(peer, n->config->address))
		return false;
	report(p, "%s asks in the name of %s, which has the address %s: refused", peer,
	       n->config->name, n->config->address);
	return true;
}

void pxe_stranger(struct pxe_nodes *p, const char *mac)
{
	pthread_mutex_lock(&p->lock);
	stranger(p, mac);
	pthread_mutex_unlock(&p->lock);
}

int pxe_boot(struct pxe_nodes *p, const char *mac, const char *peer, char token[65])
{
	struct pxe_node *n;
	int r = 1;

	pthread_mutex_lock(&p->lock);
	n = by_mac(p, mac);
	if (!n) {
		stranger(p, mac);
		r = -ENOENT;
	} else if (from_elsewhere(p, n, peer)) {
		r = -EPERM;
	} else if (!n->wanted || n->state == PXE_DONE) {
		r = 0;
	} else if (is_written(n)) {
		report(p,
		       "%s is being written and asks to be booted: two machines with the MAC "
		       "%s?",
		       n->config->name, n->config->mac);
		r = -EBUSY;
	} else {
		begin(p, n, token);
	}
	p->changed = true;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* Under the lock. The first one to use a token is whom it belongs to. */
static struct pxe_node *by_token(struct pxe_nodes *p, const char *token, const char *peer)
{
	struct pxe_node *n = NULL;

	for (int i = 0; token && i < NODE_COUNT; i++)
		if (*p->v[i].token && crypto_equal(token, p->v[i].token))
			n = &p->v[i];
	if (n && from_elsewhere(p, n, peer))
		return NULL;
	if (n && *n->peer && !str_eq(n->peer, peer)) {
		report(p, "%s asks with the token of %s, which is at %s: refused", peer,
		       n->config->name, n->peer);
		return NULL;
	}
	if (!n)
		report(p, "%s asks without a token that holds: refused", peer);
	else
		snprintf(n->peer, sizeof n->peer, "%s", peer);
	if (n)
		n->heard = timer_now();
	return n;
}

int pxe_order(struct pxe_nodes *p, const char *token, const char *peer, struct order *ret)
{
	struct pxe_node *n;

	pthread_mutex_lock(&p->lock);
	n = by_token(p, token, peer);
	if (n) {
		*ret = (struct order){ .node = mem_strdup(n->config->name),
				       .disk = mem_strdup(n->config->disk),
				       .image_size = p->image_size,
				       .reinstall = n->reinstall,
				       .wipe = n->wipe };
		memcpy(ret->image_sha256, p->image_sha256, sizeof ret->image_sha256);
		memcpy(ret->seed_sha256, n->seed_sha256, sizeof ret->seed_sha256);
		n->state = PXE_ORDERED;
		p->changed = true;
	}
	pthread_mutex_unlock(&p->lock);
	return n ? 0 : -EPERM;
}

int pxe_seed(struct pxe_nodes *p, const char *token, const char *peer, struct str *ret)
{
	struct pxe_node *n;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	n = by_token(p, token, peer);
	if (!n) {
		r = -EPERM;
	} else if (n->seed_given) {
		report(p, "the seed of %s is asked for twice: refused", n->config->name);
		r = -EEXIST;
	} else {
		str_add_n(ret, n->seed.p, n->seed.len);
		n->seed_given = true;
		n->state = PXE_WRITING;
		p->changed = true;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pxe_image(struct pxe_nodes *p, const char *token, const char *peer)
{
	bool known;

	pthread_mutex_lock(&p->lock);
	known = by_token(p, token, peer) != NULL;
	pthread_mutex_unlock(&p->lock);
	return known ? 0 : -EPERM;
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
	if (error) {
		snprintf(n->error, sizeof n->error, "%s", error);
		n->state = PXE_FAILED;
		n->token[0] = '\0';
		report(p, "%s: %s", n->config->name, n->error);
	} else if (str_eq(step, "done")) {
		n->state = PXE_DONE;
		n->token[0] = '\0';
	} else {
		n->state = PXE_WRITING;
	}
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
	p->changed = true;
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
