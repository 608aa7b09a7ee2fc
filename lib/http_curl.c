/* See http_curl.h. */
#include "lib/http_curl.h"

#include "lib/str.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define NO_GNUTLS "GNUTLS_NO_IMPLICIT_INIT"

static struct curl_calls calls;
static char problem[256]; /* why it could not be loaded */

static void load(void)
{
	static const struct {
		const char *name;
		void *to;
	} names[] = {
		{ "curl_global_init", &calls.global_init },
		{ "curl_easy_init", &calls.easy_init },
		{ "curl_easy_cleanup", &calls.easy_cleanup },
		{ "curl_easy_reset", &calls.easy_reset },
		{ "curl_easy_setopt", &calls.easy_setopt },
		{ "curl_easy_perform", &calls.easy_perform },
		{ "curl_easy_getinfo", &calls.easy_getinfo },
		{ "curl_easy_header", &calls.easy_header },
		{ "curl_easy_strerror", &calls.easy_strerror },
		{ "curl_slist_append", &calls.slist_append },
		{ "curl_slist_free_all", &calls.slist_free_all },
	};
	/* One of the protocols that we never speak brings GnuTLS, which starts up when it is loaded
	 * and keeps 0.7 MB (measured). */
	bool set = setenv(NO_GNUTLS, "1", 0) == 0;
	void *so = dlopen("libcurl.so.4", RTLD_LAZY);

	if (set)
		unsetenv(NO_GNUTLS);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		void *call = so ? dlsym(so, names[i].name) : NULL;

		if (!call) {
			const char *why = dlerror();

			snprintf(problem, sizeof problem, "%s", why ? why : "libcurl");
			return;
		}
		memcpy(names[i].to, &call, sizeof call);
	}
	if (calls.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		snprintf(problem, sizeof problem, "libcurl does not start");
}

int curl_load(const struct curl_calls **ret, struct fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (*problem)
		return fault_set(f, EIO, "libcurl: %s", problem);
	*ret = &calls;
	return 0;
}
