/* libcurl's calls, loaded at the first request; only http.c includes this. libcurl brings some
 * thirty libraries along (LDAP, Kerberos, SSH, …): linked, they would cost every start of phoenix 6
 * ms and 4 MB, also `phoenix --version` and the probes that never speak HTTP. */
#pragma once

#include "lib/fault.h"

#include <curl/curl.h>

/* curl_easy_setopt and curl_easy_getinfo are macros with a type check as well: these are the
 * functions. */
struct curl_calls {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_reset) *easy_reset;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_header) *easy_header;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
};

/* Safe from several threads; -EIO when there is no usable libcurl. */
int curl_load(const struct curl_calls **ret, struct fault *f);
