/* See library.h. */
#include "lib/library.h"

#include "lib/str.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
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

int library_path(const char *so, char **ret, struct fault *f)
{
	void *handle = dlopen(so, RTLD_LAZY);
	struct link_map *map = NULL;
	const char *why;

	if (handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && *map->l_name == '/') {
		*ret = mem_strdup(map->l_name);
		return 0;
	}
	why = dlerror();
	return fault_set(f, EIO, "%s", why ? why : so);
}
