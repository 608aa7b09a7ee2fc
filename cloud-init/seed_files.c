/* What cloud-init does with a node (users, keys, host name, network) and what phoenix-seed.yaml
 * tells phoenix. The same input gives the same bytes: no date, no random number. See seed_files.h.
 */
#include "cloud-init/seed_files.h"

#include "lib/crypto.h"
#include "lib/yaml.h"

#include <errno.h>

#define DIGEST_SHOWN 12

static void quoted(struct str *out, const char *before, const char *text, const char *after)
{
	str_add(out, before);
	yaml_quote(out, text);
	str_add(out, after);
}

static void quoted_list(struct str *out, const char *key, const struct strv *list)
{
	str_addf(out, "%s:\n", key);
	strv_each (item, list) {
		str_addf(out, "%*s", (int)strspn(key, " ") + 2, "");
		quoted(out, "- ", item, "\n");
	}
}

static void make_users(const struct cluster_config *c, struct str *out)
{
	str_add(out, "ssh_pwauth: false\n"
		     "disable_root: true\n"
		     "users:\n"
		     "  - name: phoenix\n"
		     "    gecos: administrator of the cluster\n"
		     "    groups: [adm, systemd-journal]\n"
		     "    shell: /bin/bash\n"
		     "    lock_passwd: true\n"
		     "    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n");
	if (c->ssh_keys.n)
		quoted_list(out, "    ssh_authorized_keys", &c->ssh_keys);
}

static void make_user_data(const struct cluster_config *c, const struct node_config *n,
			   struct str *out)
{
	str_add(out, "#cloud-config\n");
	quoted(out, "hostname: ", n->name, "\n");
	str_addf(out, "fqdn: \"%s.%s\"\n", n->name, c->domain);
	str_add(out, "preserve_hostname: false\n"
		     "manage_etc_hosts: true\n");
	make_users(c, out);
	/* the space behind the root file system becomes the partition phoenix-data; nothing may
	 * grow into it */
	str_add(out, "growpart: { mode: \"off\" }\n"
		     "resize_rootfs: false\n"
		     "package_update: false\n"
		     "package_upgrade: false\n");
	if (c->ntp.n) {
		str_add(out, "ntp:\n  enabled: true\n  ntp_client: chrony\n");
		quoted_list(out, "  servers", &c->ntp);
	}
}

static void make_network(const struct cluster_config *c, const struct node_config *n,
			 struct str *out)
{
	str_add(out, "version: 2\nethernets:\n  lan:\n");
	quoted(out, "    match: { macaddress: ", n->mac, " }\n");
	/* no set-name: cloud-init looks up what the interface with this address is called */
	str_addf(out,
		 "    dhcp4: false\n"
		 "    dhcp6: false\n"
		 "    addresses: [ \"%s/%d\" ]\n"
		 "    routes:\n"
		 "      - { to: 0.0.0.0/0, via: %s }\n"
		 "    nameservers:\n",
		 n->address, n->prefix, c->gateway);
	quoted_list(out, "      addresses", &c->dns);
}

/* cloud-init runs once for each instance-id. It follows what cloud-init sees: another description
 * of the database must not make host keys anew, another address must reach the machine. */
static void make_meta_data(const struct cluster_config *c, const struct node_config *n,
			   struct seed_files *out)
{
	_str_ struct str seen = { 0 };
	char digest[65];

	str_addf(&seen, "%s\n%s", out->user_data.p, out->network_config.p);
	crypto_sha256_hex(seen.p, seen.len, digest);
	str_addf(&out->meta_data, "instance-id: \"%s-%s-%.*s\"\nlocal-hostname: \"%s\"\n", c->name,
		 n->name, DIGEST_SHOWN, digest, n->name);
}

static void make_seed(const struct cluster_config *c, const struct str *description,
		      const struct secrets *s, int node, bool wipe, struct str *out)
{
	str_addf(out,
		 "# Seed of one node of ThreePhoenix. It carries secrets: phoenix removes it from "
		 "here once it is imported.\n"
		 "node: \"%s\"\n"
		 "wipe: %s\n"
		 "description:",
		 c->nodes[node].name, wipe ? "true" : "false");
	yaml_put(out, 0, str_text(description));
	str_add(out, "secrets:\n");
	secrets_write_node(s, c, node, 2, out);
}

void seed_files_make(const struct cluster_config *c, const struct str *description,
		     const struct secrets *s, int node, bool wipe, struct seed_files *out)
{
	make_user_data(c, &c->nodes[node], &out->user_data);
	make_network(c, &c->nodes[node], &out->network_config);
	make_meta_data(c, &c->nodes[node], out);
	make_seed(c, description, s, node, wipe, &out->seed);
}

void seed_files_free(struct seed_files *files)
{
	str_free(&files->meta_data);
	str_free(&files->user_data);
	str_free(&files->network_config);
	str_erase(&files->seed);
}
