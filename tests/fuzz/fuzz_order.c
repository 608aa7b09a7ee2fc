/* What an installing machine is told, by whoever has the server's key; and how it picks its disk, by
 * what lsblk says of the hardware. */
#include "image/install.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_order_ struct order o = { 0 };
	_free_ char *disk = NULL;

	(void)install_choose((const char *)data, size, &disk, NULL);
	if (order_parse((const char *)data, size, &o, NULL) == 0) {
		_order_ struct order again = { 0 };
		_str_ struct str out = { 0 };

		order_print(&o, &out);
		if (order_parse(out.p, out.len, &again, NULL) < 0 || !str_eq(again.disk, o.disk) ||
		    !str_eq(again.node, o.node) || !str_eq(again.data, o.data) ||
		    again.wipe != o.wipe || again.seed_size != o.seed_size)
			abort();
	}
	return 0;
}
