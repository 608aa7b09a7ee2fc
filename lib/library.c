/* See library.h. */
#include "lib/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void load(struct library *l)
{
	void *so = dlopen(l->so, RTLD_LAZY);

	for (size_t i = 0; i < l->n; i++) {
		void *call = so ? dlsym(so, l->calls[i].name) : NULL;

		if (!call) {
			const char *why = dlerror();

			snprintf(l->problem, sizeof l->problem, "%s", why ? why : l->so);
			return;
		}
		memcpy(l->calls[i].to, &call, sizeof call);
	}
}

int library_load(struct library *l, struct fault *f)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (!l->tried)
		load(l);
	l->tried = true;
	pthread_mutex_unlock(&lock);
	return *l->problem ? fault_set(f, EIO, "%s", l->problem) : 0;
}
