/* See http_curl.h. */
#include "lib/http_curl.h"

#include "lib/library.h"
#include "lib/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define NO_GNUTLS "GNUTLS_NO_IMPLICIT_INIT"

static struct curl_calls calls;
static const struct library_call names[] = {
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
static struct library curl = { .so = "libcurl.so.4", .calls = names, .n = ARRAY_LEN(names) };
static struct fault problem;

static void load(void)
{
	/* One of the protocols that we never speak brings GnuTLS, which starts up when it is loaded
	 * and keeps 0.7 MB (measured). */
	bool set = setenv(NO_GNUTLS, "1", 0) == 0;
	int r = library_load(&curl, &problem);

	if (set)
		unsetenv(NO_GNUTLS);
	if (r >= 0 && calls.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fault_set(&problem, EIO, "libcurl does not start");
}

int curl_load(const struct curl_calls **ret, struct fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (problem.code)
		return fault_set(f, problem.code, "%s", problem.text);
	*ret = &calls;
	return 0;
}
