/* Any bytes as a seed, as a kernel command line and as secrets: a whole seed or mistakes, never
 * both. */
#include "cloud-init/seed.h"
#include "cloud-init/seed_places.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	_free_ char *url = NULL, *sha256 = NULL;
	_secrets_ struct secrets *secrets = NULL;
	_diags_ struct diags d = { 0 }, e = { 0 };
	_seed_ struct seed *seed = NULL;
	int r = seed_parse("fuzz", text, size, &seed, &d);

	if ((r == 0) != (seed != NULL) || (r == 0) != (d.lines.n == 0))
		abort();
	if (seed &&
	    (seed->self < 0 || !seed->secrets->nodes[seed->self].key || seed->secrets->root_ca_key))
		abort();
	r = secrets_parse("fuzz", text, size, NULL, SECRETS_CLUSTER, &secrets, &e);
	if ((r == 0) != (secrets != NULL) || (r == 0) != (e.lines.n == 0))
		abort();
	seed_cmdline(text, size, &url, &sha256);
	return 0;
}
