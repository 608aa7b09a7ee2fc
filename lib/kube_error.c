/* What a refusal of the Kubernetes API means, as an errno and a sentence. See kube.h. */
#include "lib/kube_internal.h"

#include <errno.h>

#define SHOWN_MAX 400 /* of an answer that is no Status object */

static int code_of(int status, const char *reason)
{
	switch (status) {
	case 400:
	case 422:
		return EINVAL;
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 409:
		return str_eq(reason, "AlreadyExists") ? EEXIST : ESTALE;
	case 410:
	case 412:
		return ESTALE;
	case 413:
		return EFBIG;
	case 429:
	case 503:
		return EAGAIN;
	case 504:
		return ETIMEDOUT;
	default:
		return status >= 500 ? EIO : EPROTO;
	}
}

int kube_refused(int status, const char *body, size_t len, const char *context, struct fault *f)
{
	_json_ struct json *j = NULL;
	const char *message, *reason;

	/* A proxy in between, or K3s before its API server runs, answers plain text. */
	if (json_parse(body, len, &j, NULL) < 0)
		j = NULL;
	reason = json_str(j, "reason");
	message = json_str(j, "message");
	if (message)
		return fault_set(f, code_of(status, reason), "%s: %s (HTTP %d)", context, message,
				 status);
	if (len > SHOWN_MAX)
		len = SHOWN_MAX;
	return fault_set(f, code_of(status, reason), "%s: HTTP %d: %.*s", context, status, (int)len,
			 body ? body : "");
}
