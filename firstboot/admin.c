/* The node's way into the Kubernetes API: it holds the client CA (every server does), so it mints
 * itself a certificate that is good for a day instead of keeping a credential on disk. */
#include "firstboot/cluster.h"
#include "firstboot/paths.h"
#include "lib/crypto.h"

int admin_kube(const struct agent *a, int first, struct kube **ret, struct fault *f)
{
	const struct secrets *s = a->seed->secrets;
	const struct cert_request rq = { .common_name = "phoenix",
					 .organization = "system:masters",
					 .days = 1,
					 .client = true };
	struct kube_config c = { .ca_pem = s->server_ca, .timeout_ms = 2000 };
	_secret_ struct str key = { 0 };
	_str_ struct str cert = { 0 };
	int r = crypto_key_new(KEY_PKCS8, &key, f);

	if (r == 0)
		r = crypto_cert_new(&rq, key.p, s->client_ca, s->client_ca_key, &cert, f);
	if (r < 0)
		return fault_wrap(f, "a client certificate for the API");
	for (int n = 0; n < NODE_COUNT; n++)
		strv_addf(&c.servers, "https://%s:%d",
			  agent_node(a, (first + n) % NODE_COUNT)->address, API_PORT);
	c.cert_pem = cert.p;
	c.key_pem = key.p;
	r = kube_new(&c, ret, f);
	strv_free(&c.servers);
	return r;
}
