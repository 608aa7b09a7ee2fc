/* Any bytes as a description: a checked struct or mistakes, never both, and its digest does not
 * depend on comments. */
#include "cloud-init/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_config_ struct cluster_config *c = NULL, *again = NULL;
	_diags_ struct diags d = { 0 };
	_str_ struct str text = { 0 };
	int r = config_parse("fuzz", (const char *)data, size, &c, &d);

	if ((r == 0) != (c != NULL) || (r == 0) != (d.lines.n == 0))
		abort();
	if (!c)
		return 0;
	str_add(&text, "# comment\n");
	str_add_n(&text, data, size);
	if (size >= 3 && data[0] == 0xef) /* a byte order mark stands first or nowhere */
		return 0;
	if (config_parse("fuzz", text.p, text.len, &again, &d) == 0 &&
	    !str_eq(c->digest, again->digest))
		abort();
	return 0;
}
