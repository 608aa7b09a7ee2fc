/* See teller.h. */
#include "image/teller.h"

#include "lib/http.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* The server waits twelve times as long (PXE_SILENCE_MS). */
#define EVERY_S 10

struct teller {
	const struct depot *depot;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const char *step; /* NULL: nothing to tell yet */
	unsigned percent;
	bool fresh; /* another step: told at once */
	bool stop;
};

/* Until there is something to tell; false: the end. */
static bool wait_for_word(struct teller *t, const char **step, unsigned *percent)
{
	struct timespec until;
	bool go;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += EVERY_S;
	pthread_mutex_lock(&t->lock);
	while (!t->stop && !t->fresh && !(r == ETIMEDOUT && t->step))
		r = t->step ? pthread_cond_timedwait(&t->changed, &t->lock, &until)
			    : pthread_cond_wait(&t->changed, &t->lock);
	*step = t->step;
	*percent = t->percent;
	t->fresh = false;
	go = !t->stop;
	pthread_mutex_unlock(&t->lock);
	return go;
}

/* One connection for all of it. That nobody listens is no error: the next time tells the same. */
static void *run(void *arg)
{
	_cleanup_(http_client_freep) struct http_client *client = http_client_new();
	struct teller *t = arg;
	const char *step;
	unsigned percent;

	while (wait_for_word(t, &step, &percent))
		depot_tell(t->depot, client, step, percent);
	return NULL;
}

struct teller *teller_new(const struct depot *d)
{
	struct teller *t = mem_alloc(sizeof *t);
	pthread_condattr_t clock;

	t->depot = d;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &clock);
	pthread_condattr_destroy(&clock);
	t->started = pthread_create(&t->thread, NULL, run, t) == 0;
	return t;
}

void teller_step(struct teller *t, const char *step, unsigned percent)
{
	pthread_mutex_lock(&t->lock);
	if (t->step != step) {
		t->fresh = true;
		pthread_cond_signal(&t->changed);
	}
	t->step = step;
	t->percent = percent;
	pthread_mutex_unlock(&t->lock);
}

void teller_freep(struct teller **pt)
{
	struct teller *t = *pt;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (t->started)
		pthread_join(t->thread, NULL);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->changed);
	free(t);
	*pt = NULL;
}
