/* Who gets what at network boot: a token for one boot, a seed once, nothing for strangers. */
#include "tests/unit/test.h"

#include "image/pxe_cluster.h"
#include "lib/timer.h"

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
	p.cluster = "railiance";
	memset(p.exchange_ca, 'e', 64);
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
	assert_int_equal(o.seed_size, strlen("seed of phoenix-b"));
	assert_string_equal(o.cluster, "railiance");
	assert_int_equal(o.exchange_ca[0], 'e');
	assert_int_equal(pxe_image(&p, token, "192.0.2.12"), 0);
	assert_int_equal(pxe_seed(&p, token, "192.0.2.12", &seed), 0);
	assert_string_equal(seed.p, "seed of phoenix-b");
	assert_int_equal(tell(token, "192.0.2.12", "{\"step\":\"writing\",\"percent\":40}"), 0);
	assert_int_equal(p.v[1].percent, 40);
	assert_false(pxe_all_done(&p));
	assert_int_equal(tell(token, "192.0.2.12", "{\"step\":\"done\",\"percent\":100}"), 0);
	assert_int_equal(p.v[1].state, PXE_DONE);
	/* said again by one that did not hear the answer */
	assert_int_equal(tell(token, "192.0.2.12", "{\"step\":\"done\",\"percent\":100}"), 0);
	assert_int_equal(p.v[1].state, PXE_DONE);
	/* from its disk now, and the token is good for nothing else */
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0b", "192.0.2.9", again), 0);
	assert_int_equal(pxe_image(&p, token, "192.0.2.12"), -EPERM);
	assert_int_equal(pxe_seed(&p, token, "192.0.2.12", &seed), -EPERM);
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
	_str_ struct str seed = { 0 };
	char token[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, "52:54:00:00:00:0a", "192.0.2.9", token), 1);
	assert_int_equal(tell(token, "192.0.2.11", "{"), -EPROTO);
	/* nothing was given to it that it could have written */
	assert_int_equal(tell(token, "192.0.2.11", "{\"step\":\"done\"}"), -EPROTO);
	assert_int_equal(p.v[0].state, PXE_BOOTED);
	assert_int_equal(pxe_seed(&p, token, "192.0.2.11", &seed), 0);
	assert_int_equal(tell(token, "192.0.2.11", "{\"step\":7,\"percent\":-3}"), 0);
	assert_int_equal(p.v[0].percent, 0);
}

#define A "52:54:00:00:00:0a"
#define B "52:54:00:00:00:0b"
#define AT_A "192.0.2.11"
#define AT_B "192.0.2.12"

/* What was refused or broke off can be tried again: with the same token, and by another boot. */
static void test_retry(void **state)
{
	_order_ struct order first = { 0 }, second = { 0 }, third = { 0 };
	_str_ struct str seed = { 0 }, again = { 0 };
	char token[65], next[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1);
	assert_int_equal(pxe_order(&p, token, AT_A, &first), 0);
	assert_int_equal(tell(token, AT_A, "{\"error\":\"the disk is too small\"}"), 0);
	assert_int_equal(p.v[0].state, PXE_FAILED);
	assert_int_equal(pxe_order(&p, token, AT_A, &second), 0);
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), 0);
	/* the order of a machine that is being written is nobody's any more */
	assert_int_equal(pxe_order(&p, token, AT_A, &third), -EEXIST);
	assert_int_equal(p.v[0].state, PXE_WRITING);
	assert_int_equal(tell(token, AT_A, "{\"error\":\"the disk fails\"}"), 0);
	assert_int_equal(pxe_seed(&p, token, AT_A, &again), 0);
	assert_int_equal(tell(token, AT_A, "{\"error\":\"the disk fails again\"}"), 0);
	assert_int_equal(pxe_boot(&p, A, AT_A, next), 1);
	assert_int_equal(pxe_order(&p, token, AT_A, &third), -EPERM);
}

/* Whose disk has data that nobody said may be touched is not kept from it. */
static void test_left_alone(void **state)
{
	_order_ struct order o = { 0 };
	char token[65];

	(void)state;
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1);
	assert_int_equal(pxe_order(&p, token, AT_A, &o), 0);
	assert_int_equal(tell(token, AT_A, "{\"error\":\"it has data\",\"leave\":true}"), 0);
	assert_true(reported("phoenix-a is left as it is"));
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 0);
	assert_false(pxe_all_done(&p));
}

/* What erases is offered once: whether the first time came to its end nobody knows. */
static void test_wiped_once(void **state)
{
	_str_ struct str seed = { 0 };
	char token[65];

	(void)state;
	p.v[0].wipe = true;
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1);
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1); /* it had not begun */
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), 0);
	p.v[0].heard -= PXE_SILENCE_MS;
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 0);
	assert_true(reported("not erased a second time"));
}

static void test_wiped_again_after_an_error(void **state)
{
	_str_ struct str seed = { 0 };
	char token[65];

	(void)state;
	p.v[0].wipe = true;
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1);
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), 0);
	assert_int_equal(tell(token, AT_A, "{\"error\":\"a cable\"}"), 0);
	assert_int_equal(pxe_boot(&p, A, AT_A, token), 1);
}

/* Boots a node that is renewed: asks, has the cluster answer, asks again. */
static int renew(int i, const char *mac, const char *peer, const char *why, char token[65])
{
	int r = pxe_boot(&p, mac, peer, token);

	if (r != -EAGAIN)
		return r;
	assert_int_equal(pxe_asked(&p), i);
	pxe_judge(&p, i, why);
	assert_int_equal(pxe_asked(&p), -1);
	return pxe_boot(&p, mac, peer, token);
}

/* Of a running cluster one node at a time, and none without its word, each time. */
static void test_one_at_a_time(void **state)
{
	_order_ struct order o = { 0 };
	_str_ struct str seed = { 0 };
	char token[65], other[65];

	(void)state;
	p.v[0].renew = p.v[0].reinstall = p.v[1].renew = p.v[1].wipe = true;
	assert_int_equal(renew(0, A, AT_A, "phoenix-c is not well", token), 0);
	assert_true(reported("phoenix-a starts from its disk: phoenix-c is not well"));
	assert_int_equal(renew(0, A, AT_A, NULL, token), 1);
	/* a word that was given before, and a turn that is taken */
	pxe_judge(&p, 1, NULL);
	assert_int_equal(pxe_boot(&p, B, AT_B, other), 0);
	assert_true(reported("phoenix-b starts from its disk: phoenix-a is being renewed"));
	assert_int_equal(pxe_order(&p, token, AT_A, &o), 0);
	assert_int_equal(pxe_boot(&p, B, AT_B, other), 0);
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), 0);
	assert_int_equal(pxe_boot(&p, B, AT_B, other), 0);
	assert_int_equal(tell(token, AT_A, "{\"step\":\"done\"}"), 0);
	/* ...and then the cluster is asked again: the first one must be back */
	p.v[1].judged -= PXE_VERDICT_MS;
	assert_int_equal(renew(1, B, AT_B, "phoenix-a is not well", other), 0);
	assert_int_equal(renew(1, B, AT_B, NULL, other), 1);
}

/* Who takes too long has lost its turn, also between boot and seed, also when it tries again. */
static void test_turns_end(void **state)
{
	_order_ struct order o = { 0 }, late = { 0 };
	_str_ struct str seed = { 0 };
	char token[65], other[65];

	(void)state;
	p.v[0].renew = p.v[0].wipe = p.v[1].renew = p.v[1].wipe = true;
	assert_int_equal(renew(0, A, AT_A, NULL, token), 1);
	assert_int_equal(pxe_order(&p, token, AT_A, &o), 0);
	p.v[0].began -= PXE_TURN_MS;
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), -EAGAIN);
	assert_int_equal(renew(1, B, AT_B, NULL, other), 1);
	p.v[0].began = timer_now();
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), -EAGAIN);
	assert_int_equal(seed.len, 0);
	assert_int_equal(tell(other, AT_B, "{\"error\":\"no disk\"}"), 0);
	assert_int_equal(pxe_seed(&p, token, AT_A, &seed), 0);
	assert_int_equal(pxe_order(&p, other, AT_B, &late), -EAGAIN);
	assert_int_equal(renew(1, B, AT_B, NULL, other), 0);
}

/* "NAME STATE VOTERS", a node each: what `phoenix status` tells. */
static struct json *status(const char *const rows[NODE_COUNT][3])
{
	_str_ struct str s = { 0 };
	struct json *j = NULL;

	for (int i = 0; i < NODE_COUNT; i++)
		str_addf(&s,
			 "%s{\"name\":\"%s\",\"state\":\"%s\",\"progress\":{\"state\":\"ready\"},"
			 "\"voters\":[%s]}",
			 i ? "," : "{\"nodes\":[", rows[i][0], rows[i][1], rows[i][2]);
	str_add(&s, "]}");
	assert_int_equal(json_parse(s.p, s.len, &j, NULL), 0);
	return j;
}

#define ALL "\"phoenix-a\",\"phoenix-b\",\"phoenix-c\""
#define NOT_B "\"phoenix-a\",\"phoenix-c\""

static void test_can_spare(void **state)
{
	/* which of a, b and c can be done without */
	static const struct {
		const char *rows[NODE_COUNT][3];
		bool can[NODE_COUNT];
	} cases[] = {
		{ { { "phoenix-a", "member", ALL },
		    { "phoenix-b", "member", ALL },
		    { "phoenix-c", "member", ALL } },
		  { true, true, true } },
		/* one is down: that one, and no other */
		{ { { "phoenix-a", "member", ALL },
		    { "phoenix-b", "", "" },
		    { "phoenix-c", "member", ALL } },
		  { false, true, false } },
		/* ...and the cluster has forgotten it */
		{ { { "phoenix-a", "member", NOT_B },
		    { "phoenix-b", "blank", "" },
		    { "phoenix-c", "member", NOT_B } },
		  { false, true, false } },
		/* it joins */
		{ { { "phoenix-a", "member", NOT_B },
		    { "phoenix-b", "joining", NOT_B },
		    { "phoenix-c", "member", NOT_B } },
		  { false, true, false } },
		/* two of them do not know each other */
		{ { { "phoenix-a", "member", "\"phoenix-a\"" },
		    { "phoenix-b", "member", ALL },
		    { "phoenix-c", "member", ALL } },
		  { true, false, false } },
		{ { { "phoenix-a", "member", ALL },
		    { "phoenix-a", "member", ALL },
		    { "phoenix-a", "member", ALL } },
		  { false, false, false } },
	};
	struct cluster_config c = { 0 };

	(void)state;
	for (int i = 0; i < NODE_COUNT; i++)
		c.nodes[i] = config[i];
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		_json_ struct json *j = status(cases[k].rows);

		for (int i = 0; i < NODE_COUNT; i++) {
			struct fault f = { 0 };

			assert_int_equal(pxe_cluster_can_spare(j, &c, i, "dir", &f) == 0,
					 cases[k].can[i]);
			assert_true(cases[k].can[i] || strstr(f.text, "is not well"));
		}
		assert_int_equal(pxe_cluster_can_spare(NULL, &c, 0, "dir", NULL), -EPERM);
	}
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
		cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wiped_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wiped_again_after_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turns_end, setup, teardown),
		cmocka_unit_test(test_can_spare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
