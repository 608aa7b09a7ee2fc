/* Both directions of the node exchange, from a peer with a valid certificate and bad intentions. */
#include "firstboot/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_answer_ struct answer answer = { 0 };
	struct ask ask;

	(void)ask_parse((const char *)data, size, &ask, NULL);
	if (answer_parse((const char *)data, size, &answer, NULL) == 0) {
		_str_ struct str out = { 0 };

		answer_print(&answer, &out);
	}
	return 0;
}
