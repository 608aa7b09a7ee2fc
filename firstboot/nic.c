/* See nic.h. */
#include "firstboot/nic.h"

#include <ctype.h>
#include <errno.h>

#define NET "/sys/class/net/"

/* K3s's and the pods' own interfaces come and go and are none of a description's business. */
static bool is_ours_to_see(const char *name)
{
	static const char *const hidden[] = { "veth", "cni", "flannel", "kube-", "docker", "lo" };

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (str_starts(name, hidden[i]) && (i + 1 < ARRAY_LEN(hidden) || !name[2]))
			return false;
	return true;
}

int nic_list(const struct fs *fs, struct strv *names, struct fault *f)
{
	_strv_ struct strv all = { 0 };
	int r = fs_list(fs, NET, &all, f);

	if (r < 0)
		return r;
	strv_each (name, &all)
		if (is_ours_to_see(name))
			strv_add(names, name);
	return 0;
}

char *nic_mac(const struct fs *fs, const char *name)
{
	_free_ char *path = mem_printf(NET "%s/address", name);
	_str_ struct str text = { 0 };
	char *mac;

	if (fs_read(fs, path, 4096, &text, NULL) < 0 || !text.len)
		return NULL;
	mac = str_trim(text.p);
	for (char *p = mac; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return *mac ? mem_strdup(mac) : NULL;
}

/* Something else stands on this interface: it is a bridge's port or a bond's member. */
static bool has_master(const struct fs *fs, const char *name)
{
	_free_ char *path = mem_printf(NET "%s/master", name);

	return fs_exists(fs, path);
}

char *nic_by_mac(const struct fs *fs, const char *mac)
{
	_strv_ struct strv names = { 0 };
	char *found = NULL;

	if (nic_list(fs, &names, NULL) < 0)
		return NULL;
	strv_each (name, &names) {
		_free_ char *own = nic_mac(fs, name);

		if (!str_eq(own, mac) || (found && has_master(fs, name)))
			continue;
		if (!found || has_master(fs, found)) {
			free(found);
			found = mem_strdup(name);
		}
	}
	return found;
}

char *nic_sentence(const struct fs *fs)
{
	_strv_ struct strv names = { 0 }, shown = { 0 };

	if (nic_list(fs, &names, NULL) < 0 || !names.n)
		return mem_strdup("no network interface");
	strv_each (name, &names) {
		_free_ char *mac = nic_mac(fs, name);

		strv_addf(&shown, "%s %s", name, mac ? mac : "without MAC");
	}
	return strv_sentence(&shown);
}

int nic_refuse_other(const struct fs *fs, const struct cluster_config *c, int self, struct fault *f)
{
	for (int i = 0; i < NODE_COUNT; i++) {
		_free_ char *name = i == self ? NULL : nic_by_mac(fs, c->nodes[i].mac);

		if (name)
			return fault_set(f, EPERM,
					 "this machine has %s's MAC %s (interface %s) but the seed "
					 "of %s: is the seed medium in the wrong machine?",
					 c->nodes[i].name, c->nodes[i].mac, name,
					 c->nodes[self].name);
	}
	return 0;
}
