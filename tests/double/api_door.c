/* The doors: one an address, each open, open and silent, or shut, as the faults want it. */
#include "tests/double/api.h"

#include "lib/fs.h"
#include "lib/tls.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 100 /* how late a fault may begin */

struct fds {
	int *v;
	size_t n;
};
struct door {
	struct faults *x;
	size_t address; /* among the faults' */
	void (*take)(void *user, int fd);
	void *user;
	int listener;
	struct fds held;      /* accepted while down */
	struct fds in;	      /* those taken; by the faults' lock */
	struct fault problem; /* why it cannot listen */
};

static void fds_add(struct fds *f, int fd)
{
	f->v = mem_resize(f->v, (f->n + 1) * sizeof *f->v);
	f->v[f->n++] = fd;
}

static void fds_remove(struct fds *f, int fd)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i] == fd)
			f->v[i--] = f->v[--f->n];
}

bool has_left(int fd)
{
	struct pollfd p = { fd, POLLRDHUP, 0 };

	return poll(&p, 1, 0) > 0;
}

static int door_listen(struct door *d)
{
	_free_ char *address = mem_strdup(d->x->address[d->address].name);
	char *port = strrchr(address, ':');
	long n = 0;

	if (!port || !str_to_long(port + 1, 1, 65535, &n))
		return fault_set(&d->problem, EINVAL, "%s: is no ADDRESS:PORT", address);
	*port = 0;
	return tls_listen(address, (int)n, &d->problem);
}

/* Brings the listener to what is WANTED; the faults' lock is held. False: it cannot be. */
static bool door_follow(struct door *d, enum reach wanted)
{
	if (wanted == REACH_REFUSED && d->listener >= 0) {
		fd_closep(&d->listener);
		d->listener = -1;
		while (d->held.n)
			close(d->held.v[--d->held.n]);
		for (size_t i = 0; i < d->in.n; i++)
			shutdown(d->in.v[i], SHUT_RDWR);
	}
	if (wanted != REACH_REFUSED && d->listener < 0)
		d->listener = door_listen(d);
	d->x->address[d->address].is = wanted;
	pthread_cond_broadcast(&d->x->changed);
	return wanted == REACH_REFUSED || d->listener >= 0;
}

/* Whoever has left meanwhile is forgotten; once the server is UP the others have its attention. */
static void look_after_held(struct door *d, bool up)
{
	struct fds held = d->held;

	d->held = (struct fds){ 0 };
	for (size_t i = 0; i < held.n; i++) {
		if (has_left(held.v[i]))
			close(held.v[i]);
		else if (up)
			d->take(d->user, held.v[i]);
		else
			fds_add(&d->held, held.v[i]);
	}
	free(held.v);
}

/* One turn of a server that listens. */
static void door_accept(struct door *d, bool up)
{
	struct pollfd p = { d->listener, POLLIN, 0 };
	int fd = -1;

	if (poll(&p, 1, TURN_MS) > 0)
		fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0 && up)
		d->take(d->user, fd);
	else if (fd >= 0)
		fds_add(&d->held, fd);
	if (d->held.n)
		look_after_held(d, up);
}

static void *door_run(void *arg)
{
	struct door *d = arg;
	struct faults *x = d->x;

	for (;;) {
		enum reach wanted;

		pthread_mutex_lock(&x->lock);
		while ((wanted = x->address[d->address].wanted) == REACH_REFUSED &&
		       x->address[d->address].is == REACH_REFUSED)
			pthread_cond_wait(&x->changed, &x->lock);
		if (wanted != x->address[d->address].is && !door_follow(d, wanted)) {
			fprintf(stderr, "api: %s\n", d->problem.text);
			exit(1);
		}
		pthread_mutex_unlock(&x->lock);
		if (d->listener >= 0)
			door_accept(d, wanted == REACH_UP);
	}
	return NULL;
}

void door_note(struct door *d, int fd, bool in)
{
	pthread_mutex_lock(&d->x->lock);
	if (in)
		fds_add(&d->in, fd);
	else
		fds_remove(&d->in, fd);
	pthread_mutex_unlock(&d->x->lock);
}

struct door *door_new(struct faults *x, size_t address, void (*take)(void *user, int fd),
		      void *user)
{
	struct door *d = mem_alloc(sizeof *d);

	*d = (struct door){
		.x = x, .address = address, .take = take, .user = user, .listener = -1
	};
	return d;
}

bool door_start(struct door *d)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, door_run, d) == 0;
}
