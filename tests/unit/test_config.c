/* The description: defaults, the canonical digest, and single values. Bad descriptions are golden
 * cases. */
#include "tests/unit/test.h"

#include "cloud-init/config.h"
#include "cloud-init/config_values.h"
#include "cloud-init/init_template.h"

#include <errno.h>

#define NODES                                                                   \
	"  nodes:\n"                                                            \
	"  - { name: a, address: 192.0.2.11/24, mac: \"52:54:00:00:00:0A\" }\n" \
	"  - { name: b, address: 192.0.2.12/24, mac: \"52:54:00:00:00:0b\" }\n" \
	"  - { name: c, address: 192.0.2.13/24, mac: \"52:54:00:00:00:0c\", data: /dev/vdb }\n"
#define MINIMAL                                                             \
	"cluster:\n  name: x\n" NODES "  network: { gateway: 192.0.2.1 }\n" \
	"domain: example.org\nacme: { email: ops@example.org }\n"

static struct cluster_config *parse(const char *text)
{
	_diags_ struct diags d = { 0 };
	struct cluster_config *c = NULL;
	int r = config_parse("f", text, strlen(text), &c, &d);

	diags_print(&d);
	assert_int_equal(r, 0);
	return c;
}

static void test_defaults(void **state)
{
	_config_ struct cluster_config *c = parse(MINIMAL);

	(void)state;
	assert_string_equal(c->nodes[0].address, "192.0.2.11");
	assert_int_equal(c->nodes[0].prefix, 24);
	assert_string_equal(c->nodes[0].mac, "52:54:00:00:00:0a");
	assert_null(c->nodes[0].data);
	assert_string_equal(c->nodes[2].data, "/dev/vdb");
	assert_int_equal(c->dns.n, 1);
	assert_string_equal(c->dns.v[0], "192.0.2.1");
	assert_string_equal(c->gitea_host, "git.example.org");
	assert_string_equal(c->acme_server, "production");
	assert_string_equal(c->storage_provider, "longhorn");
	assert_int_equal(c->storage_replicas, 3);
	assert_string_equal(c->database_replication, "async");
	assert_string_equal(c->rotation_schedule, "0 3 * * 0");
	assert_true(c->monitoring);
	assert_null(c->vip);
	assert_null(c->s3_bucket);
	assert_int_equal(config_node(c, "c"), 2);
	assert_int_equal(config_node(c, "d"), -1);
}

static bool same(const char *a, const char *b)
{
	_config_ struct cluster_config *x = parse(a), *y = parse(b);

	return str_eq(x->digest, y->digest);
}

static void test_digest(void **state)
{
	(void)state;
	assert_true(same(MINIMAL, "# comment\n" MINIMAL));
	assert_true(same(MINIMAL, MINIMAL "storage:\nmonitoring: {}\n"));
	assert_true(same(MINIMAL "storage: { replicas: 2 }\n",
			 "storage: { replicas: \"02\" }\n" MINIMAL));
	/* what the file says, never a default: a newer program may have others */
	assert_false(same(MINIMAL, MINIMAL "monitoring: { enabled: true }\n"));
	assert_false(
		same(MINIMAL "storage: { replicas: 2 }\n", MINIMAL "storage: { replicas: 3 }\n"));
}

/* It is written into the nodes' record of the cluster: the same description has this digest for
 * ever. */
static void test_digest_fixed(void **state)
{
	_config_ struct cluster_config *c = parse(MINIMAL);

	(void)state;
	assert_string_equal(c->digest,
			    "dc207a139d7c67572eeb6e64c7059b30411543fdec1411279e95a7cf9cefc599");
}

static void test_untouched(void **state)
{
	struct cluster_config *c = (struct cluster_config *)(uintptr_t)1;
	_diags_ struct diags d = { 0 };

	(void)state;
	assert_int_equal(config_parse("f", "a: b\n", 5, &c, &d), -EINVAL);
	assert_ptr_equal(c, (void *)1);
	assert_true(d.lines.n > 0);
}

static void test_template(void **state)
{
	_str_ struct str text = { 0 };
	_config_ struct cluster_config *c = NULL;

	(void)state;
	init_template("railiance", &text);
	c = parse(text.p);
	assert_string_equal(c->name, "railiance");
}

struct value {
	const char *(*check)(char *);
	const char *good, *bad; /* separated by '|' */
};

static void try(const struct value *v, const char *list, bool good)
{
	_free_ char *copy = mem_strdup(list);
	char *p = copy, *one;

	while ((one = strsep(&p, "|"))) {
		if ((v->check(one) == NULL) != good)
			fail_msg("'%s' should be %s", one, good ? "accepted" : "refused");
	}
}

static void test_values(void **state)
{
	static const char key[] =
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Yw7kq6vWFPzY0f5q8jU1l0JZyq0m3nOa5mC3m0abc";
	static const struct value values[] = {
		{ value_label, "a|a1|phoenix-a", "|A|1a|-a|a-|a.b|a_b|localhost|\xc3\xa9" },
		{ value_domain, "a.b|git.example.org|a-b.c1",
		  "|a|a.|.a|a..b|a.b.|A.b|a.1|192.0.2.1|-a.b" },
		{ value_email, "a@b.c|first.last+tag@Example.org",
		  "|a|@b.c|a@|a@b|a b@c.d|.a@b.c|a.@b.c|a..b@c.d|a@b@c d.e" },
		{ value_ipv4, "192.0.2.1|10.0.0.1",
		  "|0.0.0.0|127.0.0.1|224.0.0.1|255.255.255.255|169.254.1.1|1.2.3|1.2.3.4/5|::1" },
		{ value_address, "192.0.2.1/24|10.1.2.3/8",
		  "192.0.2.1|192.0.2.0/24|192.0.2.255/24|192.0.2.1/30|192.0.2.1/7|192.0.2.1/"
		  "|192.0.2.1/024|192.0.2.1/-1|/24" },
		{ value_network, "0.0.0.0/0|198.51.100.0/24|198.51.100.7/32|2001:db8::/32|::/0",
		  "|198.51.100.7/24|198.51.100.0|198.51.100.0/33|198.51.100.0/024|2001:db8::/"
		  "032|10.0.0.0/08|2001:db8::1/32|2001:db8::/129|x/8|/8" },
		{ value_server, "192.0.2.1|2001:db8::1|ntp.example.org", "|ntp|127.0.0.1|a b.c" },
		{ value_mac, "52:54:00:00:00:0a|AA:BB:CC:DD:EE:FF",
		  "|52:54:00:00:00|53:54:00:00:00:0a|00:00:00:00:00:00|52-54-00-00-00-0a|g2:54:00:"
		  "00:00:0a" },
		{ value_device, "/dev/vda|/dev/disk/by-id/nvme-a_b:1",
		  "|vda|/dev/|/dev/../x|/dev/a b|/dev//a|/dev/a/|/etc/x|/dev/$(x)" },
		{ value_duration, "21d", "x" },
		{ value_size, "1Gi|1024Mi", "1023Mi|1G" },
		{ value_url, "https://acme.example.org/directory|https://192.0.2.1:14000/dir",
		  "|http://a.b|https://|https://a "
		  "b.c|https://a.b@c.d|https://a.b:0|https://a.b:x|ftp://a.b" },
		{ value_endpoint, "http://minio:9000|https://s3.example.org",
		  "s3.example.org|http://|http://A B" },
		{ value_bucket, "abc|a.b-c", "|ab|-ab|ab-|Abc|a_bc" },
		{ value_word, "eu-central-1|a/b", "/a|a b|../a|a'b" },
	};
	static const char nistp256[] =
		"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBB"
		"Eo2pRlWBuPRMZpHWmRj2nGdDEvLxM2IVgGf6lJmqPpmIZ2ZsHuGmyrYdsOOUDrRMtFE6o6T5Prd"
		"0Y0c5Zs5rlw= b";
	_free_ char *rsa = mem_printf("ssh-rsa %s", strrchr(key, ' ') + 1),
		    *ecdsa = mem_strdup(nistp256), *cut = mem_strndup(key, strlen(key) - 4),
		    *marks = mem_printf(
			    "ssh-ed25519 AAAA%.64s",
			    "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
		    *named = mem_printf("%s me@host and more", key);
	_free_ char *quote = mem_printf("%s a\"b", key), *option = mem_printf("no-pty %s", key);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		try(&values[i], values[i].good, true);
		try(&values[i], values[i].bad, false);
	}
	assert_non_null(value_ssh_key(rsa));
	assert_null(value_ssh_key(ecdsa));
	assert_non_null(value_ssh_key(cut));
	assert_non_null(value_ssh_key(marks));
	assert_null(value_ssh_key(named));
	assert_non_null(value_ssh_key(quote));
	assert_non_null(value_ssh_key(option));
	assert_non_null(value_ssh_key((char[]){ "ssh-ed25519" }));
	assert_non_null(value_ssh_key((char[]){ "ssh-ed25519 AAAA" }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_digest),
		cmocka_unit_test(test_digest_fixed), cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_template),     cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
