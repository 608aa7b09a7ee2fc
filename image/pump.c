/* See pump.h. */
#include "image/pump.h"

#include "lib/str.h"

#include <errno.h>
#include <pthread.h>

#define PIECES 3
#define ALIGNMENT 4096

struct piece {
	void *buf;
	ssize_t len; /* 0: the end; negative: an error */
};

struct pump {
	ssize_t (*produce)(void *user, void *buf, size_t n, struct fault *f);
	void *user;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece pieces[PIECES];
	size_t made, used; /* counters; pieces[made % PIECES] is filled next */
	bool holding;	   /* the reader still looks at the piece before `used` */
	bool stop;
	struct fault fault;
};

static bool wait_for_room(struct pump *p)
{
	bool go;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->made - p->used >= PIECES - (p->holding ? 1 : 0))
		pthread_cond_wait(&p->changed, &p->lock);
	go = !p->stop;
	pthread_mutex_unlock(&p->lock);
	return go;
}

static void *run(void *arg)
{
	struct pump *p = arg;

	while (wait_for_room(p)) {
		struct piece *piece = &p->pieces[p->made % PIECES];
		ssize_t len = p->produce(p->user, piece->buf, PUMP_PIECE, &p->fault);

		pthread_mutex_lock(&p->lock);
		piece->len = len;
		p->made++;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
		if (len <= 0)
			break;
	}
	return NULL;
}

struct pump *pump_new(ssize_t (*produce)(void *user, void *buf, size_t n, struct fault *f),
		      void *user)
{
	struct pump *p = mem_alloc(sizeof *p);

	p->produce = produce;
	p->user = user;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	for (size_t i = 0; i < PIECES; i++)
		if (posix_memalign(&p->pieces[i].buf, ALIGNMENT, PUMP_PIECE) != 0)
			abort(); /* out of memory, as mem_alloc has it */
	p->started = pthread_create(&p->thread, NULL, run, p) == 0;
	return p;
}

ssize_t pump_next(struct pump *p, void **ret, struct fault *f)
{
	struct piece *piece;

	if (!p->started)
		return fault_set(f, EAGAIN, "no thread for reading the image");
	pthread_mutex_lock(&p->lock);
	p->holding = false;
	pthread_cond_broadcast(&p->changed);
	while (p->made == p->used)
		pthread_cond_wait(&p->changed, &p->lock);
	piece = &p->pieces[p->used % PIECES];
	if (piece->len > 0) {
		p->used++;
		p->holding = true;
	}
	pthread_mutex_unlock(&p->lock);
	if (piece->len < 0)
		return fault_set(f, (int)-piece->len, "%s", p->fault.text);
	*ret = piece->buf;
	return piece->len;
}

void pump_freep(struct pump **pp)
{
	struct pump *p = *pp;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->started)
		pthread_join(p->thread, NULL);
	for (size_t i = 0; i < PIECES; i++)
		free(p->pieces[i].buf);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
	*pp = NULL;
}
