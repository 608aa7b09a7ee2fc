/* What goes wrong: servers that hang or are gone, clients that are cut off, answers that are lost
 * or late. */
#include "tests/double/api.h"

#include "lib/timer.h"

void faults_start(struct faults *x, const struct strv *addresses)
{
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->changed, NULL);
	strv_each (a, addresses) {
		x->address[x->n].name = mem_strdup(a);
		x->address[x->n++].is = REACH_REFUSED;
	}
}

bool faults_wait(struct faults *x, size_t address)
{
	bool up;

	pthread_mutex_lock(&x->lock);
	while (x->address[address].wanted == REACH_DOWN)
		pthread_cond_wait(&x->changed, &x->lock);
	up = x->address[address].wanted == REACH_UP;
	pthread_mutex_unlock(&x->lock);
	return up;
}

bool faults_cut(struct faults *x, const char *name)
{
	bool cut;

	pthread_mutex_lock(&x->lock);
	cut = strv_has(&x->cut, name);
	pthread_mutex_unlock(&x->lock);
	return cut;
}

bool faults_lose(struct faults *x)
{
	bool lose;

	pthread_mutex_lock(&x->lock);
	lose = x->lose > 0;
	x->lose -= lose;
	pthread_mutex_unlock(&x->lock);
	return lose;
}

void faults_delay(struct faults *x)
{
	int ms;

	pthread_mutex_lock(&x->lock);
	ms = x->delay_ms;
	pthread_mutex_unlock(&x->lock);
	if (ms > 0)
		timer_sleep(ms);
}
