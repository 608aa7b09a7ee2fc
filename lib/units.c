/* See units.h. */
#include "lib/units.h"

#include "lib/str.h"

#define TEN_YEARS (3650LL * 86400)
#define MAX_SIZE (1LL << 50)

/* At most ten digits, so that no product overflows. Returns the unit, or NULL. */
static const char *number(const char *text, int64_t *ret)
{
	size_t n = strspn(text, "0123456789");

	if (!n || n > 10)
		return NULL;
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (text[i] - '0');
	return *ret ? text + n : NULL;
}

bool units_duration(const char *text, int64_t *seconds)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 604800 } };
	int64_t n;
	const char *unit = number(text, &n);

	for (size_t i = 0; unit && i < ARRAY_LEN(units); i++)
		if (str_eq(units[i].name, unit) && n * units[i].seconds <= TEN_YEARS) {
			*seconds = n * units[i].seconds;
			return true;
		}
	return false;
}

bool units_size(const char *text, int64_t *bytes)
{
	static const char *const units[] = { "Ki", "Mi", "Gi", "Ti" };
	int64_t n;
	const char *unit = number(text, &n);

	for (size_t i = 0; unit && i < ARRAY_LEN(units); i++)
		if (str_eq(units[i], unit) && n <= MAX_SIZE >> (10 * (i + 1))) {
			*bytes = n << (10 * (i + 1));
			return true;
		}
	return false;
}

void units_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;
	double n = (double)bytes / 1024;

	if (bytes < 1024) {
		snprintf(out, size, "%u B", (unsigned)bytes);
		return;
	}
	for (; n >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1024;
	/* one digit where it says something */
	snprintf(out, size, n < 100 && n * 10 != (int)n * 10.0 ? "%.1f %s" : "%.0f %s", n,
		 units[i]);
}
