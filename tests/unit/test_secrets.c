/* Secrets: what is issued reads back and checks clean, a node's part holds no more than it needs,
 * and YAML that is written reads back byte for byte. */
#include "tests/unit/test.h"

#include "cloud-init/init_template.h"
#include "cloud-init/secrets.h"
#include "lib/crypto.h"

#include <errno.h>

static struct cluster_config *config;
static struct secrets *issued;

static int setup(void **state)
{
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };

	(void)state;
	init_template("railiance", &text);
	if (config_parse("f", text.p, text.len, &config, &d) < 0)
		return -1;
	issued = mem_alloc(sizeof *issued);
	return secrets_issue(issued, config, &f) > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	secrets_freep(&issued);
	config_freep(&config);
	return 0;
}

static void test_round_trip(void **state)
{
	_str_ struct str text = { 0 }, again = { 0 };
	_secrets_ struct secrets *s = NULL;
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };

	(void)state;
	secrets_write(issued, config, 0, &text);
	assert_int_equal(secrets_parse("s", text.p, text.len, config, SECRETS_CLUSTER, &s, &d), 0);
	secrets_write(s, config, 0, &again);
	assert_string_equal(text.p, again.p);
	assert_string_equal(s->token_password, issued->token_password);
	/* nothing is missing: nothing is made */
	assert_int_equal(secrets_issue(s, config, &f), 0);
}

static void test_node_part(void **state)
{
	_str_ struct str text = { 0 };
	_secrets_ struct secrets *s = NULL;
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;

	(void)state;
	str_add(&text, "secrets:\n");
	secrets_write_node(issued, config, 1, 2, &text);
	assert_int_equal(yaml_parse("s", text.p, text.len, &y, &d), 0);
	assert_int_equal(secrets_read("s", y, "secrets", config, SECRETS_NODE, 1, &s, &d), 0);
	assert_null(s->exchange_ca_key);
	assert_null(s->root_ca_key);
	assert_null(s->database_ca_key);
	assert_string_equal(s->database_peer_key[2], issued->database_peer_key[2]);
	assert_null(s->nodes[0].cert);
	assert_null(s->nodes[2].key);
	assert_string_equal(s->nodes[1].key, issued->nodes[1].key);
	assert_string_equal(s->etcd_peer_ca_key, issued->etcd_peer_ca_key);
	/* another node cannot use it */
	secrets_freep(&s);
	assert_int_equal(secrets_read("s", y, "secrets", config, SECRETS_NODE, 0, &s, &d), -EINVAL);
	assert_null(s);
	assert_int_equal(d.lines.n, 2);
}

static void test_whole_file_is_no_seed(void **state)
{
	_str_ struct str text = { 0 };
	_secrets_ struct secrets *s = NULL;
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;

	(void)state;
	secrets_write(issued, config, 0, &text);
	assert_int_equal(yaml_parse("s", text.p, text.len, &y, &d), 0);
	assert_int_equal(secrets_read("s", y, "", config, SECRETS_NODE, 0, &s, &d), -EINVAL);
	assert_int_equal(d.lines.n, 5); /* three CA keys, two other nodes */
}

/* The form of K3s's CAs: each below one root by an intermediate; the token names that root. */
static void test_k3s_form(void **state)
{
	struct cert_info root, leaf;

	(void)state;
	assert_int_equal(crypto_cert_info(issued->root_ca, &root, NULL), 0);
	assert_int_equal(crypto_cert_info(issued->server_ca, &leaf, NULL), 0);
	assert_true(root.is_ca && leaf.is_ca);
	assert_true(leaf.not_after - leaf.not_before > 19LL * 365 * 86400);
	assert_int_equal(crypto_cert_verify(issued->etcd_server_ca, issued->root_ca, -1, NULL), 0);
	assert_int_equal(crypto_cert_verify(issued->etcd_server_ca, issued->exchange_ca, -1, NULL),
			 -EACCES);
	assert_true(crypto_key_is_sec1(issued->service_key));
	assert_true(str_starts(issued->token, "K10"));
	assert_memory_equal(issued->token + 3, root.sha256, 64);
	assert_true(str_ends(issued->token, issued->token_password));
}

static void test_reissue(void **state)
{
	_free_ char *kept = mem_strdup(issued->nodes[0].key), *old = issued->nodes[2].key;
	struct fault f = { 0 };

	(void)state;
	free(issued->nodes[2].cert);
	issued->nodes[2].cert = issued->nodes[2].key = NULL;
	assert_int_equal(secrets_issue(issued, config, &f), 1);
	assert_string_equal(issued->nodes[0].key, kept);
	assert_string_not_equal(issued->nodes[2].key, old);
}

/* The pods know each other by their names in certificates of a CA that signs nothing else. */
static void test_database(void **state)
{
	static const char *const names[] = { "postgres-0", "postgres-1", "postgres-2" };
	struct cert_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(crypto_cert_info(issued->database_peer[i], &info, NULL), 0);
		assert_string_equal(info.common_name, names[i]);
		assert_int_equal(
			crypto_cert_verify(issued->database_peer[i], issued->database_ca, -1, NULL),
			0);
		assert_int_equal(crypto_key_matches(issued->database_peer[i],
						    issued->database_peer_key[i], NULL),
				 0);
	}
	assert_int_equal(crypto_cert_verify(issued->database_server, issued->database_ca, -1, NULL),
			 0);
	assert_int_equal(crypto_cert_verify(issued->database_server, issued->exchange_ca, -1, NULL),
			 -EACCES);
}

/* Mistakes that the text TEXT has for SCOPE. */
static size_t mistakes(const struct str *text, enum secrets_scope scope, int self)
{
	_secrets_ struct secrets *s = NULL;
	_diags_ struct diags d = { 0 };
	_yaml_ struct yaml *y = NULL;

	assert_int_equal(yaml_parse("s", text->p, text->len, &y, &d), 0);
	if (secrets_read("s", y, "", config, scope, self, &s, &d) == 0)
		assert_int_equal(d.lines.n, 0);
	return d.lines.n;
}

/* A file of a program that knew no database: `init --secrets` completes it, `check` and `seed` say
 * what is missing; a node goes on with its seed. */
static void test_file_of_an_older_program(void **state)
{
	struct secrets old = *issued;
	_str_ struct str whole = { 0 }, seed = { 0 }, foreign = { 0 };
	struct fault f = { 0 };
	char *ca;

	(void)state;
	old.database_ca = old.database_ca_key = old.database_server = old.database_server_key =
		NULL;
	old.pgbauth_password = old.pgpool_password = old.route_password = NULL;
	for (int i = 0; i < DATABASE_PODS; i++)
		old.database_peer[i] = old.database_peer_key[i] = NULL;
	secrets_write(&old, config, 0, &whole);
	assert_int_equal(mistakes(&whole, SECRETS_PARTIAL, -1), 0);
	assert_int_equal(mistakes(&whole, SECRETS_CLUSTER, -1), 8);
	secrets_write_node(&old, config, 0, 0, &seed);
	assert_int_equal(mistakes(&seed, SECRETS_NODE, 0), 0);
	assert_int_equal(secrets_issue(&old, config, &f), 8);
	/* the server's certificate of another CA */
	ca = old.database_server;
	old.database_server = issued->database_server;
	secrets_write(&old, config, 0, &foreign);
	assert_int_equal(mistakes(&foreign, SECRETS_CLUSTER, -1), 2);
	free(ca);
	free(old.database_ca);
	free(old.database_ca_key);
	free(old.database_server_key);
	free(old.pgbauth_password);
	free(old.pgpool_password);
	free(old.route_password);
	for (int i = 0; i < DATABASE_PODS; i++) {
		free(old.database_peer[i]);
		free(old.database_peer_key[i]);
	}
}

static void test_no_description(void **state)
{
	_str_ struct str text = { 0 };
	_secrets_ struct secrets *s = NULL;
	_diags_ struct diags d = { 0 };

	(void)state;
	secrets_write(issued, config, 0, &text);
	assert_int_equal(secrets_parse("s", text.p, text.len, NULL, SECRETS_CLUSTER, &s, &d), 0);
}

static void test_yaml_written(void **state)
{
	static const char *const texts[] = {
		"x",
		"",
		"a\nb",
		"a\nb\n",
		"a\n\n\n",
		"\n",
		"\na\n",
		"  a\nb\n",
		"a\n  b\n\n  c\n",
		"a \n\tb\n",
		"a\r\nb\r\n",
		"\"\\\x01\x7f\n",
		"caf\xc3\xa9\n\xc2\x85x\n",
		"a\n\xe2\x80\xa8\n",
		"\xef\xbb\xbf"
		"a\n",
		"- a: [\n",
		"# a\n#b\n",
		"a\n ",
		"a\n \n",
		"...\n---\nx\n",
		"key: |\n  x\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (int indent = 0; indent < 5; indent += 2) {
			_str_ struct str s = { 0 };
			_diags_ struct diags d = { 0 };
			_yaml_ struct yaml *y = NULL;
			const struct yaml *at;

			for (int j = 0; j < indent; j += 2)
				str_addf(&s, "%*sm:\n", j, "");
			str_addf(&s, "%*sk:", indent, "");
			yaml_put(&s, indent, texts[i]);
			str_addf(&s, "%*safter: x\n", indent, "");
			assert_int_equal(yaml_parse("f", s.p, s.len, &y, &d), 0);
			at = y;
			for (int j = 0; j < indent; j += 2)
				at = yaml_get(at, "m");
			assert_string_equal(yaml_get(at, "k")->text, texts[i]);
			assert_string_equal(yaml_get(at, "after")->text, "x");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_node_part),
		cmocka_unit_test(test_whole_file_is_no_seed),
		cmocka_unit_test(test_k3s_form),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_file_of_an_older_program),
		cmocka_unit_test(test_no_description),
		cmocka_unit_test(test_reissue),
		cmocka_unit_test(test_yaml_written),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
