/* The durable record as a damaged disk may present it. */
#include "firstboot/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct records r;

	if (records_parse((const char *)data, size, &r, NULL) == 0) {
		_str_ struct str out = { 0 };

		records_print(&r, &out);
	}
	return 0;
}
