/* Any bytes as YAML: a whole tree or a mistake with a place, never a crash. */
#include "lib/yaml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;
	int r = yaml_parse("fuzz", (const char *)data, size, &y, &d);

	if ((r == 0 && !y) || (r == 0) != (d.lines.n == 0))
		abort();
	return 0;
}
