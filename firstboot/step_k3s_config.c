/* K3s fixes much at its first start, so all of it is in place before: settings, the token and,
 * while this node is blank, the CAs. A full token without the CAs it names is accepted by K3s,
 * which then makes CAs of its own; and a service.key in PKCS#8 kills every API server of the
 * cluster, the other nodes' as well. The CA files of a node that has etcd data belong to K3s and
 * are never touched. */
#include "firstboot/k3s_config.h"
#include "firstboot/paths.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"

#include <errno.h>
#include <stddef.h>

#define KUBELET_FILE K3S_KUBELET_DIR "/90-phoenix.conf"

static const struct ca_file {
	const char *path;
	mode_t mode;
	size_t offset; /* in struct secrets */
} ca_files[] = {
#define PAIR(name, field)                                                            \
	{ K3S_TLS "/" name ".crt", 0644, offsetof(struct secrets, field) },          \
	{                                                                            \
		K3S_TLS "/" name ".key", 0600, offsetof(struct secrets, field##_key) \
	}
	PAIR("server-ca", server_ca),
	PAIR("client-ca", client_ca),
	PAIR("request-header-ca", request_header_ca),
	PAIR("etcd/server-ca", etcd_server_ca),
	PAIR("etcd/peer-ca", etcd_peer_ca),
	{ K3S_TLS "/service.key", 0600, offsetof(struct secrets, service_key) },
};

static const char *ca_text(const struct boot *b, const struct ca_file *file)
{
	return *(char *const *)((const char *)b->seed->secrets + file->offset);
}

/* Any write-ahead log, or a folder that cannot be looked into, counts as data: then the CAs stay.
 * */
static bool has_etcd_data(const struct boot *b)
{
	_strv_ struct strv names = { 0 };
	int r = fs_list(&b->fs, K3S_ETCD "/member/wal", &names, NULL);

	strv_each (name, &names)
		if (str_ends(name, ".wal"))
			return true;
	return r < 0 && r != -ENOENT;
}

static int check_service_key(const struct boot *b, struct fault *f)
{
	if (crypto_key_is_sec1(b->seed->secrets->service_key))
		return 0;
	return fault_set(f, EINVAL,
			 "the seed's service_key is not in SEC1 form ('BEGIN EC PRIVATE KEY'): K3s "
			 "would start with it and no API server would ever run");
}

static int check_cas(struct boot *b, struct fault *f)
{
	if (has_etcd_data(b))
		return STEP_DONE;
	for (size_t i = 0; i < ARRAY_LEN(ca_files); i++)
		if (!step_file_is(b, ca_files[i].path, ca_files[i].mode, ca_text(b, &ca_files[i])))
			return step_needed(b, "%s is to be written", ca_files[i].path);
	return check_service_key(b, f);
}

int step_k3s_config_check(struct boot *b, struct fault *f)
{
	_str_ struct str config = { 0 };
	_secret_ struct str token = { 0 };

	k3s_config_render(boot_config(b), b->seed->self, &config);
	str_addf(&token, "%s\n", b->seed->secrets->token);
	if (!step_file_is(b, K3S_CONFIG, 0600, config.p))
		return step_needed(b, K3S_CONFIG " is to be written");
	if (!step_file_is(b, K3S_TOKEN, 0600, token.p))
		return step_needed(b, K3S_TOKEN " is to be written");
	if (!step_file_is(b, KUBELET_FILE, 0600, k3s_kubelet_text))
		return step_needed(b, KUBELET_FILE " is to be written");
	return check_cas(b, f);
}

static int write_cas(struct boot *b, struct fault *f)
{
	int r = check_service_key(b, f);

	if (r >= 0)
		r = fs_mkdirs(&b->fs, K3S_SERVER, 0700, f);
	if (r >= 0)
		r = fs_mkdirs(&b->fs, K3S_TLS, 0700, f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(ca_files); i++)
		r = fs_write_text(&b->fs, ca_files[i].path, ca_files[i].mode,
				  ca_text(b, &ca_files[i]), f);
	return r;
}

int step_k3s_config_apply(struct boot *b, struct fault *f)
{
	_str_ struct str config = { 0 };
	_secret_ struct str token = { 0 };
	int r;

	k3s_config_render(boot_config(b), b->seed->self, &config);
	str_addf(&token, "%s\n", b->seed->secrets->token);
	r = fs_write(&b->fs, K3S_CONFIG, 0600, config.p, config.len, f);
	if (r >= 0)
		r = fs_write(&b->fs, K3S_TOKEN, 0600, token.p, token.len, f);
	if (r >= 0)
		r = fs_mkdirs(&b->fs, K3S_CONFIG_DIR, 0755, f);
	if (r >= 0)
		r = fs_write_text(&b->fs, KUBELET_FILE, 0600, k3s_kubelet_text, f);
	if (r >= 0 && !has_etcd_data(b))
		r = write_cas(b, f);
	return r < 0 ? r : 0;
}
