/* The steps on a tree of files: what each leaves behind, that the second run finds nothing to do,
 * and what each refuses. */
#include "tests/unit/boot_tree.h"

#include "firstboot/firewall.h"
#include "firstboot/hosts.h"
#include "firstboot/k3s_config.h"
#include "firstboot/nic.h"
#include "firstboot/paths.h"
#include "firstboot/vip.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#define SYS_NET "/sys/class/net/"

static void a_seed_is_imported_then_scrubbed(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	tree_put(t, "/etc/phoenix/" SEED_FILE, t->boot.seed->text);
	seed_freep(&t->boot.seed);
	tree_step_twice(t, "seed");
	assert_string_equal(boot_node(&t->boot)->name, "phoenix-a");
	tree_step_twice(t, "scrub");
	assert_false(fs_exists(&t->boot.fs, "/etc/phoenix/" SEED_FILE));
	/* the next boot lives on the copy */
	seed_freep(&t->boot.seed);
	assert_int_equal(tree_step(t, "seed", &r), 0);
	assert_int_equal(r.state, STATE_DONE);
	tree_free(t);
}

static void without_a_seed_the_places_are_named(void **state)
{
	struct tree *t = tree_new(-1);
	struct step_result r;

	(void)state;
	assert_true(tree_step(t, "seed", &r) < 0);
	assert_non_null(strstr(r.text, "/etc/phoenix"));
	assert_null(t->boot.seed);
	tree_free(t);
}

static void the_name_follows_the_seed(void **state)
{
	struct tree *t = tree_new(1);
	_free_ char *text = NULL;

	(void)state;
	tree_put(t, "/etc/hostname", "blank\n");
	tree_step_twice(t, "identity");
	text = tree_text(t, "/etc/hostname");
	assert_string_equal(text, "phoenix-b\n");
	assert_false(fs_exists(&t->boot.fs, "/etc/machine-id"));
	tree_free(t);
}

/* Kept, it would refuse the right one as another node's. */
static void a_seed_in_the_wrong_machine_is_not_kept(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	tree_put(t, SYS_NET "eth0/address", "52:54:00:00:00:0B\n");
	assert_int_equal(tree_step(t, "seed", &r), -EPERM);
	assert_non_null(strstr(r.text, "wrong machine"));
	assert_false(fs_exists(&t->boot.fs, SEED_IMPORTED));
	tree_free(t);
}

static void anothers_mac_is_refused(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	tree_put(t, SYS_NET "eth0/address", "52:54:00:00:00:0B\n");
	tree_put(t, SYS_NET "lo/address", "00:00:00:00:00:00\n");
	assert_int_equal(tree_step(t, "identity", &r), -EPERM);
	assert_non_null(strstr(r.text, "phoenix-b's MAC 52:54:00:00:00:0b (interface eth0)"));
	assert_false(fs_exists(&t->boot.fs, "/etc/hostname"));
	tree_free(t);
}

static void an_unknown_machine_waits_and_names_its_cards(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	tree_put(t, SYS_NET "eth0/address", "52:54:00:00:00:77\n");
	tree_put(t, SYS_NET "veth12/address", "52:54:00:00:00:0a\n");
	assert_int_equal(tree_step(t, "identity", &r), -EAGAIN);
	assert_non_null(strstr(r.text, "this machine has eth0 52:54:00:00:00:77"));
	tree_free(t);
}

static void of_a_bridge_and_its_port_the_bridge_is_meant(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *name = NULL;

	(void)state;
	tree_put(t, SYS_NET "eth0/address", "52:54:00:00:00:0a\n");
	tree_put(t, SYS_NET "eth0/master/address", "52:54:00:00:00:0a\n");
	tree_put(t, SYS_NET "zbr/address", "52:54:00:00:00:0a\n");
	name = nic_by_mac(&t->boot.fs, "52:54:00:00:00:0a");
	assert_string_equal(name, "zbr");
	assert_null(nic_by_mac(&t->boot.fs, "52:54:00:00:00:0b"));
	tree_free(t);
}

static void kernel_files_are_written_once(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *modules = NULL, *sysctl = NULL;

	(void)state;
	tree_step_twice(t, "kernel");
	modules = tree_text(t, "/etc/modules-load.d/phoenix.conf");
	sysctl = tree_text(t, "/etc/sysctl.d/90-phoenix.conf");
	assert_non_null(strstr(modules, "\nbr_netfilter\n"));
	assert_non_null(strstr(sysctl, "\nnet.ipv4.ip_forward = 1\n"));
	tree_free(t);
}

static void the_nodes_names_stand_between_markers(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *text = NULL;

	(void)state;
	tree_put(t, "/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 mine");
	tree_step_twice(t, "network");
	text = tree_text(t, "/etc/hosts");
	assert_string_equal(text,
			    "127.0.0.1 localhost\n10.0.0.1 mine\n"
			    "# phoenix: the three nodes\n"
			    "192.0.2.11 phoenix-a\n192.0.2.12 phoenix-b\n192.0.2.13 phoenix-c\n"
			    "# phoenix: end\n");
	tree_free(t);
}

static void a_block_of_hosts_is_replaced_in_its_place(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "", "# phoenix: the three nodes\nX\n# phoenix: end\n" },
		{ "a\n# phoenix: the three nodes\nold\n# phoenix: end\nb\n",
		  "a\n# phoenix: the three nodes\nX\n# phoenix: end\nb\n" },
		{ "a\n# phoenix: the three nodes\nb\n",
		  "a\n# phoenix: the three nodes\nX\n# phoenix: end\nb\n" },
		{ "a # phoenix: the three nodes\n",
		  "a # phoenix: the three nodes\n# phoenix: the three nodes\nX\n# phoenix: end\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_str_ struct str out = { 0 }, again = { 0 };

		hosts_merge(cases[i].before, "X\n", &out);
		assert_string_equal(out.p, cases[i].after);
		hosts_merge(out.p, "X\n", &again);
		assert_string_equal(again.p, cases[i].after);
	}
}

static void firewall_and_storage_write_their_files(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *rules = NULL, *name = NULL;

	(void)state;
	tree_step_twice(t, "firewall");
	rules = tree_text(t, FIREWALL_FILE);
	assert_non_null(strstr(rules, "elements = { 192.0.2.11, 192.0.2.12, 192.0.2.13 }"));
	assert_non_null(strstr(rules, "meta l4proto 112 accept"));
	assert_null(strstr(rules, "flush ruleset"));
	tree_put(t, "/etc/iscsi/initiatorname.iscsi", "GenerateName=yes\n");
	tree_step_twice(t, "storage");
	name = tree_text(t, "/etc/iscsi/initiatorname.iscsi");
	assert_non_null(strstr(name, "\nInitiatorName=iqn."));
	assert_true(fs_exists(&t->boot.fs, "/etc/multipath/conf.d/phoenix.conf"));
	tree_free(t);
}

static void an_operators_initiator_name_stays(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *name = NULL;

	(void)state;
	tree_put(t, "/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.2001-04.com.example:x\n");
	tree_step_twice(t, "storage");
	name = tree_text(t, "/etc/iscsi/initiatorname.iscsi");
	assert_string_equal(name, "InitiatorName=iqn.2001-04.com.example:x\n");
	tree_free(t);
}

static void the_rules_text_is_marked_with_its_digest(void **state)
{
	struct tree *t = tree_new(0);
	_str_ struct str with = { 0 }, without = { 0 };
	struct cluster_config *c = t->boot.seed->config;
	_free_ char *vip = NULL;

	(void)state;
	firewall_render(c, &with);
	vip = TAKE_PTR(c->vip);
	firewall_render(c, &without);
	assert_null(strstr(without.p, "112"));
	assert_string_not_equal(strstr(with.p, FIREWALL_MARK), strstr(without.p, FIREWALL_MARK));
	tree_free(t);
}

static void k3s_gets_settings_token_and_cas(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *key = NULL, *token = NULL;
	struct stat st;

	(void)state;
	tree_step_twice(t, "k3s-config");
	assert_int_equal(tree_mode(t, K3S_CONFIG), 0600);
	assert_int_equal(tree_mode(t, K3S_TOKEN), 0600);
	assert_int_equal(tree_mode(t, K3S_TLS), 0700);
	assert_int_equal(tree_mode(t, K3S_SERVER), 0700);
	assert_int_equal(tree_mode(t, K3S_TLS "/server-ca.crt"), 0644);
	assert_int_equal(tree_mode(t, K3S_TLS "/etcd/peer-ca.key"), 0600);
	assert_int_equal(fs_stat(&t->boot.fs, K3S_CONFIG_DIR, &st, NULL), 0);
	key = tree_text(t, K3S_TLS "/service.key");
	assert_true(crypto_key_is_sec1(key));
	token = tree_text(t, K3S_TOKEN);
	assert_true(str_starts(token, "K10"));
	tree_free(t);
}

static void cas_of_a_node_with_data_are_never_touched(void **state)
{
	struct tree *t = tree_new(0);
	_free_ char *text = NULL;

	(void)state;
	tree_put(t, K3S_ETCD "/member/wal/0000000000000000-0000000000000000.wal", "x");
	tree_put(t, K3S_TLS "/server-ca.crt", "K3s's own\n");
	tree_step_twice(t, "k3s-config");
	text = tree_text(t, K3S_TLS "/server-ca.crt");
	assert_string_equal(text, "K3s's own\n");
	assert_false(fs_exists(&t->boot.fs, K3S_TLS "/service.key"));
	tree_free(t);
}

static void what_cannot_be_looked_at_counts_as_data(void **state)
{
	struct tree *t = tree_new(0);

	(void)state;
	tree_put(t, K3S_ETCD "/member/wal", "a file where a folder belongs");
	tree_step_twice(t, "k3s-config");
	assert_false(fs_exists(&t->boot.fs, K3S_TLS "/service.key"));
	tree_free(t);
}

static void a_pkcs8_service_key_is_refused(void **state)
{
	struct tree *t = tree_new(0);
	_secret_ struct str key = { 0 };
	struct step_result r;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(crypto_key_new(KEY_PKCS8, &key, &f), 0);
	mem_erase_str(t->boot.seed->secrets->service_key);
	t->boot.seed->secrets->service_key = str_take(&key);
	assert_int_equal(tree_step(t, "k3s-config", &r), -EINVAL);
	assert_non_null(strstr(r.text, "SEC1"));
	assert_false(fs_exists(&t->boot.fs, K3S_TLS "/service.key"));
	tree_free(t);
}

static void the_three_nodes_settings_differ_in_two_lines_only(void **state)
{
	struct tree *t = tree_new(0);
	const struct cluster_config *c = t->boot.seed->config;
	_str_ struct str a = { 0 };

	(void)state;
	k3s_config_render(c, 0, &a);
	assert_null(strstr(a.p, "server:"));
	assert_null(strstr(a.p, "cluster-init"));
	for (int i = 1; i < NODE_COUNT; i++) {
		_str_ struct str other = { 0 };
		char *p = a.p, *q, *save = NULL;
		int differ = 0;

		k3s_config_render(c, i, &other);
		for (q = strtok_r(other.p, "\n", &save); q; q = strtok_r(NULL, "\n", &save)) {
			size_t n = strcspn(p, "\n");

			differ += strlen(q) != n || strncmp(p, q, n) != 0;
			p += n + (p[n] == '\n');
		}
		assert_int_equal(differ, 2);
		assert_int_equal(*p, 0);
	}
	tree_free(t);
}

static void assert_leads(struct tree *t, const char *name, const char *target)
{
	_free_ char *path = mem_printf(K3S_IMAGES "/%s", name), *now = NULL;
	struct fault f = { 0 };

	if (fs_readlink(&t->boot.fs, path, &now, &f) < 0)
		fail_msg("%s", f.text);
	assert_string_equal(now, target);
}

static void images_of_the_system_are_linked(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	/* a system without any */
	assert_int_equal(tree_step(t, "images", &r), 0);
	assert_int_equal(r.state, STATE_DONE);
	assert_false(fs_exists(&t->boot.fs, K3S_IMAGES));
	tree_put(t, IMAGES "/a-1.tar", "a");
	tree_put(t, IMAGES "/b-1.tar", "b");
	tree_step_twice(t, "images");
	assert_leads(t, "a-1.tar", IMAGES "/a-1.tar");
	assert_leads(t, "b-1.tar", IMAGES "/b-1.tar");
	assert_int_equal(tree_mode(t, K3S_IMAGES), 0755);
	tree_free(t);
}

static void links_of_an_earlier_system_go_and_nothing_else(void **state)
{
	static const char *const others[][2] = {
		{ "mine.tar", "/srv/mine.tar" }, /* leads nowhere, and is not ours */
		{ "near.tar", IMAGES "-of-mine/near.tar" },
	};
	struct tree *t = tree_new(0);
	_free_ char *own = NULL, *cache = NULL;

	(void)state;
	tree_put(t, IMAGES "/a-1.tar", "a");
	tree_put(t, K3S_IMAGES "/own.tar", "the operator's");
	tree_put(t, K3S_IMAGES "/.cache.json", "{}");
	tree_put(t, K3S_DATA "/k3s/agent/containerd/store", "");
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		_free_ char *path = mem_printf(K3S_IMAGES "/%s", others[i][0]);

		assert_int_equal(fs_symlink(&t->boot.fs, path, others[i][1], NULL), 1);
	}
	tree_step_twice(t, "images");
	/* a new system disk */
	assert_int_equal(fs_remove(&t->boot.fs, IMAGES "/a-1.tar", NULL), 1);
	tree_put(t, IMAGES "/a-2.tar", "a");
	tree_step_twice(t, "images");
	assert_false(fs_exists(&t->boot.fs, K3S_IMAGES "/a-1.tar"));
	assert_leads(t, "a-2.tar", IMAGES "/a-2.tar");
	/* one without any */
	assert_int_equal(fs_remove(&t->boot.fs, IMAGES "/a-2.tar", NULL), 1);
	tree_step_twice(t, "images");
	assert_false(fs_exists(&t->boot.fs, K3S_IMAGES "/a-2.tar"));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_leads(t, others[i][0], others[i][1]);
	own = tree_text(t, K3S_IMAGES "/own.tar");
	assert_string_equal(own, "the operator's");
	cache = tree_text(t, K3S_IMAGES "/.cache.json");
	assert_string_equal(cache, "{}");
	tree_free(t);
}

static void what_k3s_notes_of_images_ends_with_them(void **state)
{
	static const char cache[] = K3S_IMAGES "/.cache.json",
			  store[] = K3S_DATA "/k3s/agent/containerd";
	struct tree *t = tree_new(0);
	struct step_result r;
	_free_ char *kept = NULL, *gone = NULL, *empty = NULL;

	(void)state;
	tree_put(t, IMAGES "/a-1.tar", "a");
	tree_step_twice(t, "images");
	empty = tree_text(t, cache);
	assert_string_equal(empty, "");
	tree_put(t, cache, "{}");
	assert_true(fs_mkdirs(&t->boot.fs, store, 0700, NULL) >= 0);
	assert_int_equal(tree_step(t, "images", &r), 0);
	assert_int_equal(r.state, STATE_DONE);
	kept = tree_text(t, cache);
	assert_string_equal(kept, "{}");
	/* somebody removed containerd's folder, to begin afresh */
	assert_int_equal(fs_rename(&t->boot.fs, store, "/away", NULL), 0);
	tree_step_twice(t, "images");
	gone = tree_text(t, cache);
	assert_string_equal(gone, "");
	tree_free(t);
}

static void an_operators_image_of_that_name_stays(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;
	_free_ char *own = NULL;

	(void)state;
	tree_put(t, IMAGES "/a-1.tar", "a");
	tree_put(t, IMAGES "/b-1.tar", "b");
	tree_put(t, K3S_IMAGES "/a-1.tar", "the operator's");
	assert_int_equal(tree_step(t, "images", &r), 0);
	assert_int_equal(r.state, STATE_CHANGED);
	assert_int_equal(tree_step(t, "images", &r), 0);
	assert_int_equal(r.state, STATE_DONE);
	assert_non_null(strstr(r.text, "a-1.tar is not ours"));
	assert_leads(t, "b-1.tar", IMAGES "/b-1.tar");
	own = tree_text(t, K3S_IMAGES "/a-1.tar");
	assert_string_equal(own, "the operator's");
	tree_free(t);
}

static void images_that_cannot_be_looked_at_are_told(void **state)
{
	struct tree *t = tree_new(0);
	struct step_result r;

	(void)state;
	tree_put(t, K3S_IMAGES, "a file where a folder belongs");
	tree_put(t, IMAGES "/a-1.tar", "a");
	assert_int_equal(tree_step(t, "images", &r), -ENOTDIR);
	assert_non_null(strstr(r.text, K3S_IMAGES));
	tree_free(t);
}

static void the_vip_is_offered_by_unicast_only(void **state)
{
	struct tree *t = tree_new(1);
	_str_ struct str out = { 0 };

	(void)state;
	vip_render(t->boot.seed->config, 1, "eth0", &out);
	assert_non_null(strstr(out.p, "\tunicast_peer {\n\t\t192.0.2.11\n\t\t192.0.2.13\n\t}\n"));
	assert_non_null(strstr(out.p, "192.0.2.10/24 dev eth0"));
	assert_non_null(strstr(out.p, "virtual_router_id 10\n"));
	tree_free(t);
}

/* The check's exit status on a machine whose curl reaches only those of ANSWERING. */
static int edge_check(const struct tree *t, const char *script, const char *answering)
{
	static const char curl[] = "#!/bin/sh\n"
				   "for last; do :; done\n"
				   "case \" $ANSWERING \" in *\" $last \"*) exit 0 ;; esac\n"
				   "exit 7\n";
	_free_ char *path = mem_printf("PATH=%s/fake:/usr/bin:/bin", t->boot.fs.path),
		    *env = mem_printf("ANSWERING=%s", answering),
		    *file = mem_printf("%s/fake/check", t->boot.fs.path);
	const char *const argv[] = { "sh", file, NULL }, *const vars[] = { path, env, NULL };
	_proc_ struct proc_result res = { 0 };

	assert_true(fs_write_text(&t->boot.fs, "/fake/curl", 0755, curl, NULL) >= 0);
	assert_true(fs_write_text(&t->boot.fs, "/fake/check", 0755, script, NULL) >= 0);
	assert_int_equal(proc_run(&(struct proc){ .argv = argv, .env = vars }, &res, NULL), 0);
	return res.status;
}

static void the_vip_goes_where_an_edge_answers_or_nobody_has_one(void **state)
{
	struct tree *t = tree_new(1);
	_str_ struct str script = { 0 };

	(void)state;
	vip_render_check(t->boot.seed->config, 1, &script);
	assert_int_equal(edge_check(t, script.p, "http://192.0.2.12/"), 0);
	assert_int_equal(edge_check(t, script.p, "http://192.0.2.11/ http://192.0.2.12/"), 0);
	assert_int_equal(edge_check(t, script.p, "http://192.0.2.11/"), 1);
	assert_int_equal(edge_check(t, script.p, "http://192.0.2.13/"), 1);
	assert_int_equal(edge_check(t, script.p, ""), 0);
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_is_imported_then_scrubbed),
		cmocka_unit_test(without_a_seed_the_places_are_named),
		cmocka_unit_test(the_name_follows_the_seed),
		cmocka_unit_test(a_seed_in_the_wrong_machine_is_not_kept),
		cmocka_unit_test(anothers_mac_is_refused),
		cmocka_unit_test(an_unknown_machine_waits_and_names_its_cards),
		cmocka_unit_test(of_a_bridge_and_its_port_the_bridge_is_meant),
		cmocka_unit_test(kernel_files_are_written_once),
		cmocka_unit_test(the_nodes_names_stand_between_markers),
		cmocka_unit_test(a_block_of_hosts_is_replaced_in_its_place),
		cmocka_unit_test(firewall_and_storage_write_their_files),
		cmocka_unit_test(an_operators_initiator_name_stays),
		cmocka_unit_test(the_rules_text_is_marked_with_its_digest),
		cmocka_unit_test(k3s_gets_settings_token_and_cas),
		cmocka_unit_test(cas_of_a_node_with_data_are_never_touched),
		cmocka_unit_test(what_cannot_be_looked_at_counts_as_data),
		cmocka_unit_test(a_pkcs8_service_key_is_refused),
		cmocka_unit_test(the_three_nodes_settings_differ_in_two_lines_only),
		cmocka_unit_test(images_of_the_system_are_linked),
		cmocka_unit_test(links_of_an_earlier_system_go_and_nothing_else),
		cmocka_unit_test(what_k3s_notes_of_images_ends_with_them),
		cmocka_unit_test(an_operators_image_of_that_name_stays),
		cmocka_unit_test(images_that_cannot_be_looked_at_are_told),
		cmocka_unit_test(the_vip_is_offered_by_unicast_only),
		cmocka_unit_test(the_vip_goes_where_an_edge_answers_or_nobody_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
