/* Any bytes as JSON: what is accepted prints to a text that is accepted again and prints the same.
 */
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_json_ struct json *first = NULL, *second = NULL;
	_str_ struct str a = { 0 }, b = { 0 };
	struct fault f = { 0 };

	if (json_parse((const char *)data, size, &first, &f) < 0)
		return 0;
	json_print(first, 0, &a);
	if (json_parse(str_text(&a), a.len, &second, &f) < 0)
		abort();
	json_print(second, 0, &b);
	if (!str_eq(str_text(&a), str_text(&b)))
		abort();
	return 0;
}
