/* See hosts.h. */
#include "firstboot/hosts.h"

#define BEGIN "# phoenix: the three nodes\n"
#define END "# phoenix: end\n"

/* The first occurrence of LINE that begins a line. */
static const char *find_line(const char *text, const char *line)
{
	for (const char *p = text; (p = strstr(p, line)); p++)
		if (p == text || p[-1] == '\n')
			return p;
	return NULL;
}

void hosts_merge(const char *text, const char *block, struct str *out)
{
	const char *begin = find_line(text, BEGIN), *rest = text;

	if (begin) {
		const char *after = begin + strlen(BEGIN), *end = find_line(after, END);

		str_add_n(out, text, (size_t)(begin - text));
		rest = end ? end + strlen(END) : after;
		str_addf(out, BEGIN "%s" END, block);
	}
	str_add(out, rest);
	if (begin)
		return;
	if (out->len && out->p[out->len - 1] != '\n')
		str_add(out, "\n");
	str_addf(out, BEGIN "%s" END, block);
}
