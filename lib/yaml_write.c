/* The few forms of YAML that this program writes; each reads back byte for byte. See yaml.h. */
#include "lib/yaml.h"

void yaml_quote(struct str *out, const char *text)
{
	str_add(out, "\"");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			str_addf(out, "\\%c", *p);
		else if (*p == '\n')
			str_add(out, "\\n");
		else if (*p < 0x20 || *p == 0x7f)
			str_addf(out, "\\x%02x", *p);
		else if (*p == 0xc2 && p[1] >= 0x80 &&
			 p[1] < 0xa0) /* C1 controls, among them a line end */
			str_addf(out, "\\x%02x", *++p);
		else if (*p == 0xe2 && p[1] == 0x80 &&
			 (p[2] == 0xa8 || p[2] == 0xa9)) { /* line ends too */
			str_addf(out, "\\u%s", p[2] == 0xa8 ? "2028" : "2029");
			p += 2;
		} else if (*p == 0xef && p[1] == 0xbb && p[2] == 0xbf) { /* a byte order mark */
			str_add(out, "\\ufeff");
			p += 2;
		} else
			str_add_n(out, p, 1);
	}
	str_add(out, "\"");
}

/* A block keeps lines as they are when they hold nothing that YAML takes for a line end or drops.
 */
static bool fits_block(const char *text)
{
	if (!strchr(text, '\n') || *text == '\n' || strstr(text, "\xe2\x80\xa8") ||
	    strstr(text, "\xe2\x80\xa9") || strstr(text, "\xef\xbb\xbf"))
		return false;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f ||
		    (*p == 0xc2 && p[1] < 0xa0))
			return false;
	return true;
}

void yaml_put(struct str *out, int indent, const char *text)
{
	const char *p = text;

	if (!fits_block(text)) {
		str_add(out, " ");
		yaml_quote(out, text);
		str_add(out, "\n");
		return;
	}
	/* 2: the first line begins with spaces of its own; +: ends in several line ends; -: in none
	 */
	str_addf(out, " |%s%s\n", *text == ' ' ? "2" : "",
		 str_ends(text, "\n\n") ? "+"
		 : str_ends(text, "\n") ? ""
					: "-");
	while (*p) {
		size_t n = strcspn(p, "\n");

		if (n)
			str_addf(out, "%*s", indent + 2, "");
		str_add_n(out, p, n);
		str_add(out, "\n");
		p += n + (p[n] == '\n');
	}
}
