/* Who gets what at network boot: a token for one boot, a seed once, nothing for strangers. */
#include "tests/unit/test.h"

#include "image/pxe_nodes.h"

#include <errno.h>
#include <stdio.h>

static struct node_config config[NODE_COUNT] = {
	{ .name = (char *)"phoenix-a",
	  .address = (char *)"192.0.2.11",
	  .mac = (char *)"52:54:00:00:00:0a" },
	{ .name = (char *)"phoenix-b",
	  .address = (char *)"192.0.2.12",
	  .mac = (char *)"52:54:00:00:00:0b",
	  .disk = (char *)"/dev/sdb" },
	{ .name = (char *)"phoenix-c",
	  .address = (char *)"192.0.2.13",
	  .mac = (char *)"52:54:00:00:00:0c" },
};
static struct pxe_nodes p;

static int setup(void **state)
{
	(void)state;
	pxe_nodes_init(&p);
	for (int i = 0; i < NODE_COUNT; i++) {
		p.v[i].config = &config[i];
		p.v[i].wanted = i != 2;
		str_addf(&p.v[i].seed, "seed of %s", config[i].name);
		memset(p.v[i].seed_sha256, 'a' + i, 64);
	}
	p.image_size = 5;
	memset(p.image_sha256, 'f', 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pxe_nodes_free(&p);
	return 0;
}

static int tell(const char *token, const char *peer, const char *text)
{
	return pxe_tell(&p, token, peer, text, strlen(text));
}

static bool reported(const char *text)
{
	strv_each (line, &p.reports)
		if (strstr(line, text))
			return true;
	return false;
}

static void test_whole_way(void **state)
{
	_order_ struct order o = { 0 };
	_str_ struct str seed = { 0 };
	char token[65], again[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, "52-54-00-00-00-0B", "192.0.2.9", token), 1);
	assert_int_equal(pxe_order(&p, token, "192.0.2.12", &o), 0);
	assert_string_equal(o.node, "phoenix-b");
	assert_string_equal(o.disk, "/dev/sdb");
	assert_int_equal(o.seed_sha256[0], 'b');
	assert_int_equal(pxe_image(&p, token, "192.0.2.12"), 0);
	assert_int_equal(pxe_seed(&p, token, "192.0.2.12", &seed), 0);
	assert_string_equal(seed.p, "seed of phoenix-b");
	assert_int_equal(tell(token, "192.0.2.12", "{\"step\":\"writing\",\"percent\":40}"), 0);
	assert_int_equal(p.v[1].percent, 40);
	assert_false(pxe_all_done(&p));
	assert_int_equal(tell(token, "192.0.2.12", "{\"step\":\"done\",\"percent\":100}"), 0);
	assert_int_equal(p.v[1].state, PXE_DONE);
	/* from its disk now, and the token is used up */
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0b", "192.0.2.9", again), 0);
	assert_int_equal(pxe_image(&p, token, "192.0.2.12"), -EPERM);
	p.v[0].state = PXE_DONE;
	assert_true(pxe_all_done(&p));
}

static void test_strangers(void **state)
{
	_order_ struct order o = { 0 };
	_str_ struct str seed = { 0 };
	char token[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0d", "192.0.2.9", token), -ENOENT);
	assert_true(reported("52:54:00:00:00:0d"));
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00", "192.0.2.9", token), -ENOENT);
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a:00", "192.0.2.9", token), -ENOENT);
	assert_int_equal(pxe_boot(&p, "", "192.0.2.9", token), -ENOENT);
	/* of the description, and not to be installed now */
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0c", "192.0.2.9", token), 0);
	assert_int_equal(pxe_order(&p, "", "192.0.2.66", &o), -EPERM);
	assert_int_equal(pxe_order(&p, NULL, "192.0.2.66", &o), -EPERM);
	assert_int_equal(pxe_seed(&p, "0123", "192.0.2.66", &seed), -EPERM);
	assert_int_equal(seed.len, 0);
	assert_true(reported("192.0.2.66 asks without a token"));
}

static void test_seed_once(void **state)
{
	_order_ struct order o = { 0 };
	_str_ struct str seed = { 0 }, second = { 0 };
	char token[65], next[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", token), 1);
	assert_int_equal(pxe_order(&p, token, "192.0.2.11", &o), 0);
	/* who listened to the boot has the token, but not the address */
	assert_int_equal(pxe_seed(&p, token, "192.0.2.66", &second), -EPERM);
	assert_true(reported("192.0.2.66 asks with the token of phoenix-a"));
	assert_int_equal(pxe_seed(&p, token, "192.0.2.11", &seed), 0);
	assert_int_equal(pxe_seed(&p, token, "192.0.2.11", &second), -EEXIST);
	assert_int_equal(second.len, 0);
	/* it is being written: whoever boots now under that MAC is another machine */
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", next), -EBUSY);
	assert_true(reported("two machines"));
	/* until it failed, or was not heard of for long */
	assert_int_equal(tell(token, "192.0.2.11", "{\"error\":\"the disk is full of holes\"}"), 0);
	assert_true(reported("phoenix-a: the disk is full of holes"));
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", next), 1);
	assert_string_not_equal(next, token);
	assert_int_equal(pxe_image(&p, token, "192.0.2.11"), -EPERM);
	assert_int_equal(pxe_seed(&p, next, "192.0.2.11", &second), 0);
	p.v[0].heard -= PXE_SILENCE_MS;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", next), 1);
	assert_true(reported("booted again"));
}

/* Where our own DHCP gave the addresses, a MAC alone is not believed. */
static void test_fixed_addresses(void **state)
{
	_order_ struct order o = { 0 };
	char token[65];

	(void)state;
	p.fixed = true;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.66", token), -EPERM);
	assert_true(reported("192.0.2.66 asks in the name of phoenix-a"));
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.11", token), 1);
	assert_int_equal(pxe_order(&p, token, "192.0.2.66", &o), -EPERM);
	assert_int_equal(pxe_order(&p, token, "192.0.2.11", &o), 0);
}

static void test_bounded_reports(void **state)
{
	char token[65], mac[18];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(mac, sizeof mac, "52:54:00:00:%02x:%02x", i >> 8, (i & 0xff) | 0x80);
		pxe_boot(&p, mac, "192.0.2.66", token);
		snprintf(mac, sizeof mac, "nonsense %d", i);
		pxe_boot(&p, mac, "192.0.2.66", token);
	}
	assert_in_range(p.reports.n, 100, 1000);
	assert_false(reported("nonsense"));
}

static void test_nonsense(void **state)
{
	char token[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", token), 1);
	assert_int_equal(tell(token, "192.0.2.11", "{"), -EPROTO);
	assert_int_equal(tell(token, "192.0.2.11", "{\"step\":7,\"percent\":-3}"), 0);
	assert_int_equal(p.v[0].percent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seed_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fixed_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
