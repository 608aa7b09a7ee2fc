/* See config_values.h. */
#include "cloud-init/config_values.h"

#include "lib/cron.h"
#include "lib/crypto.h"
#include "lib/str.h"
#include "lib/units.h"

#include <arpa/inet.h>
#include <ctype.h>

#define LABEL_MAX 63
#define GIB (1LL << 30)

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";

static bool is_label(const char *p, size_t n)
{
	return n && n <= LABEL_MAX && strspn(p, lower) >= n && *p != '-' && p[n - 1] != '-';
}

const char *value_label(char *text)
{
	if (str_eq(text, "localhost"))
		return "the name of every machine";
	return is_label(text, strlen(text)) && isalpha((unsigned char)*text) ? NULL
									     : "not a DNS label";
}

const char *value_domain(char *text)
{
	int labels = 0;

	for (const char *p = text;; p++, labels++) {
		size_t n = strcspn(p, ".");

		if (!is_label(p, n))
			return "not a domain name";
		p += n;
		if (!*p)
			break;
	}
	/* a last label of digits would make an address of it */
	if (!labels || strlen(text) > 253 || isdigit((unsigned char)strrchr(text, '.')[1]))
		return "not a domain name";
	return NULL;
}

const char *value_email(char *text)
{
	static const char local[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "!#$%&'*+/=?^_`{|}~.-";
	char *at = strrchr(text, '@');
	size_t n = at ? (size_t)(at - text) : 0;

	if (!n || n > 64 || strspn(text, local) != n || *text == '.' || at[-1] == '.' ||
	    strstr(text, ".."))
		return "not an e-mail address";
	for (char *p = at + 1; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return value_domain(at + 1) ? "not an e-mail address" : NULL;
}

bool address_parse(const char *text, uint32_t *address)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*address = ntohl(a.s_addr);
	return true;
}

static bool is_unicast(uint32_t a)
{
	return a >> 24 && a >> 24 != 127 && a >> 28 < 0xe && a >> 16 != 0xa9fe;
}

const char *value_ipv4(char *text)
{
	uint32_t a;

	if (!address_parse(text, &a))
		return "not an IPv4 address";
	return is_unicast(a) ? NULL : "not an address that a machine on a network can have";
}

bool address_split(const char *text, uint32_t *address, int *prefix)
{
	const char *slash = strchr(text, '/');
	_free_ char *head = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;
	long n;

	if (!slash || !address_parse(head, address) || !isdigit((unsigned char)slash[1]) ||
	    (slash[1] == '0' && slash[2]) || !str_to_long(slash + 1, 0, 32, &n))
		return false;
	*prefix = (int)n;
	return true;
}

const char *value_address(char *text)
{
	uint32_t a, host;
	int prefix;

	if (!strchr(text, '/') && address_parse(text, &a))
		return "without the length of its network";
	if (!address_split(text, &a, &prefix))
		return "not an address with the length of its network";
	if (!is_unicast(a))
		return "not an address that a machine on a network can have";
	if (prefix < 8 || prefix > 29)
		return "in a network that is too large or too small for three nodes and a gateway";
	host = a & (0xffffffffu >> prefix);
	if (!host || host == 0xffffffffu >> prefix)
		return "the address of the network itself or of all its machines";
	return NULL;
}

const char *value_network(char *text)
{
	_free_ char *head = mem_strndup(text, strcspn(text, "/"));
	unsigned char bytes[16];
	int family = strchr(head, ':') ? AF_INET6 : AF_INET;
	int bits = family == AF_INET6 ? 128 : 32;
	const char *length = text + strlen(head);
	long prefix;

	if (inet_pton(family, head, bytes) != 1)
		return "not a network";
	if (!*length)
		return "without the length of the network";
	/* nft takes a leading zero for octal: /024 would be /20 */
	if (!isdigit((unsigned char)length[1]) || (length[1] == '0' && length[2]) ||
	    !str_to_long(length + 1, 0, bits, &prefix))
		return "not a network";
	for (int i = (int)prefix; i < bits; i++)
		if (bytes[i / 8] >> (7 - i % 8) & 1)
			return "an address within a network, not the network";
	return NULL;
}

const char *value_server(char *text)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET6, text, bytes) == 1 || !value_ipv4(text))
		return NULL;
	return value_domain(text) ? "neither an address nor a host name" : NULL;
}

const char *value_mac(char *text)
{
	if (strlen(text) != 17)
		return "not a MAC address";
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return "not a MAC address";
		text[i] = (char)tolower((unsigned char)text[i]);
	}
	if (strtol((char[]){ text[0], text[1], 0 }, NULL, 16) & 1 ||
	    str_eq(text, "00:00:00:00:00:00"))
		return "not the address of one machine";
	return NULL;
}

const char *value_device(char *text)
{
	if (!str_starts(text, "/dev/") || !text[5] || strlen(text) > 250 || strstr(text, "/../") ||
	    str_ends(text, "/") || strstr(text, "//"))
		return "not a path of a disk";
	return strspn(text,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.:+@=-") ==
			       strlen(text)
		       ? NULL
		       : "not a path of a disk";
}

/* BODY, up to a space, is base64 of fields that each have their length in front (RFC 4253, 6.6),
 * the first of which is the kind, and nothing behind the last. */
static bool is_whole_key(const char *kind, const char *body)
{
	_str_ struct str blob = { 0 };
	size_t at = 0, fields = 0;

	if (!crypto_base64_decode(body, strcspn(body, " "), &blob))
		return false;
	while (blob.len - at >= 4) {
		const unsigned char *p = (const unsigned char *)blob.p + at;
		size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

		if (n > blob.len - at - 4 ||
		    (!fields && (n != strlen(kind) || memcmp(p + 4, kind, n) != 0)))
			return false;
		at += 4 + n;
		fields++;
	}
	return at == blob.len && fields >= 2;
}

const char *value_ssh_key(char *text)
{
	static const char *const kinds[] = { "ssh-ed25519",
					     "ssh-rsa",
					     "ecdsa-sha2-nistp256",
					     "ecdsa-sha2-nistp384",
					     "ecdsa-sha2-nistp521",
					     "sk-ssh-ed25519@openssh.com",
					     "sk-ecdsa-sha2-nistp256@openssh.com" };
	size_t n = strcspn(text, " ");

	if (strstr(text, "PRIVATE KEY"))
		return "a private key";
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strlen(kinds[i]) != n || strncmp(text, kinds[i], n) != 0)
			continue;
		return text[n] && is_whole_key(kinds[i], text + n + 1) &&
				       !strpbrk(text + n + 1, "\"\\")
			       ? NULL
			       : "not a whole SSH public key";
	}
	return "not an SSH public key";
}

const char *value_cron(char *text)
{
	static _Thread_local char why[300]; /* outlives the call, until the next one */
	struct fault f = { 0 };
	struct cron c;

	if (cron_parse(text, &c, &f) == 0)
		return NULL;
	snprintf(why, sizeof why, "not a schedule (%.280s)", f.text);
	return why;
}

const char *value_duration(char *text)
{
	int64_t s;

	return units_duration(text, &s) ? NULL : "not a duration";
}

const char *value_size(char *text)
{
	int64_t b;

	if (!units_size(text, &b))
		return "not a size";
	return b < GIB ? "less than 1Gi" : NULL;
}

static const char *url(const char *text, const char *scheme)
{
	const char *host = text + strlen(scheme);
	size_t n = str_starts(text, scheme) ? strcspn(host, "/") : 0;
	_free_ char *name = n ? mem_strndup(host, n) : NULL;
	char *port = name ? strchr(name, ':') : NULL;
	long number;

	if (!name || strpbrk(text, " \"'\\<>@#?") || strlen(text) > 500)
		return "not a URL";
	if (port) {
		*port++ = 0;
		if (!str_to_long(port, 1, 65535, &number))
			return "not a URL";
	}
	/* one label alone is a host name too, in a laboratory */
	return value_server(name) && !is_label(name, strlen(name)) ? "not a URL" : NULL;
}

const char *value_url(char *text)
{
	return url(text, "https://");
}

const char *value_endpoint(char *text)
{
	return str_starts(text, "http://") ? url(text, "http://") : url(text, "https://");
}

const char *value_bucket(char *text)
{
	size_t n = strlen(text);

	for (const char *p = text; *p; p++)
		if (!strchr(lower, *p) && *p != '.')
			return "not the name of a bucket";
	return n >= 3 && n <= 63 && isalnum((unsigned char)*text) &&
			       isalnum((unsigned char)text[n - 1])
		       ? NULL
		       : "not the name of a bucket";
}

const char *value_word(char *text)
{
	return strspn(text, word) == strlen(text) && strlen(text) <= 200 && !strstr(text, "..") &&
			       *text != '/'
		       ? NULL
		       : "not a plain word";
}
