/* See data_mount.h. */
#include "firstboot/data_mount.h"

#include "firstboot/paths.h"
#include "lib/crypto.h"

#include <errno.h>

const struct data_bind data_binds[3] = {
	{ "/rancher", K3S_DATA, 0755 },
	{ "/kubelet", KUBELET_DATA, 0750 },
	{ "/node", NODE_PASSWORD_DIR, 0700 },
};

int data_record_ours(const struct seed *s, struct data_record *ret, struct fault *f)
{
	struct cert_info ca;
	int r = crypto_cert_info(s->secrets->exchange_ca, &ca, f);

	if (r < 0)
		return fault_wrap(f, "exchange CA");
	*ret = (struct data_record){ .cluster = mem_strdup(s->config->name),
				     .node = mem_strdup(s->config->nodes[s->self].name) };
	memcpy(ret->exchange_ca, ca.sha256, sizeof ret->exchange_ca);
	return 0;
}

int data_record_is_ours(const struct seed *s, const struct data_record *r, const char *device,
			struct fault *f)
{
	_record_ struct data_record own = { 0 };
	struct fault whose = { 0 };
	int ret = data_record_ours(s, &own, f);

	if (ret < 0)
		return ret;
	ret = data_record_fits(&own, r, device, &whose);
	return ret < 0 ? fault_set(f, -ret,
				   "%s: put the right disk in, or erase this one with wipe: true "
				   "in the seed",
				   whose.text)
		       : 0;
}

int data_mount_look(struct mount *m, struct fault *f)
{
	_mount_ struct mount found = { 0 };
	int r = mount_at(DATA_MOUNT, &found, f);

	if (r <= 0)
		return r;
	if (!str_eq(found.type, "ext4") || !str_eq(found.root, "/"))
		return fault_set(f, EBUSY,
				 "%s (%s) is mounted at " DATA_MOUNT ": that is no data partition",
				 found.source, found.type);
	if (found.read_only)
		return fault_set(f, EROFS,
				 "%s at " DATA_MOUNT
				 " is read-only: its disk or file system failed; see the kernel's "
				 "messages, then e2fsck or another disk",
				 found.source);
	*m = found;
	found = (struct mount){ 0 };
	return 1;
}

int data_bind_look(const struct mount *m, size_t i, struct fault *f)
{
	const struct data_bind *bind = &data_binds[i];
	_mount_ struct mount found = { 0 };
	int r = mount_at(bind->point, &found, f);

	if (r <= 0)
		return r;
	if (found.device != m->device || !str_eq(found.root, bind->folder))
		return fault_set(f, EBUSY, "%s is mounted at %s, and not " DATA_MOUNT "%s",
				 found.source, bind->point, bind->folder);
	if (found.read_only)
		return fault_set(f, EROFS, "%s is read-only", bind->point);
	return 1;
}

static int evidence(struct boot *b, struct fault *f)
{
	_mount_ struct mount m = { 0 };
	_record_ struct data_record rec = { 0 };
	int r = data_mount_look(&m, f);

	if (r == 0)
		return fault_set(f, ENODEV, "nothing is mounted at " DATA_MOUNT);
	if (r > 0)
		r = data_record_read(&b->fs, DATA_MOUNT, &rec, f);
	if (r == 0)
		return fault_set(f, ENODATA, "%s has no record of this node", m.source);
	if (r > 0)
		r = data_record_is_ours(b->seed, &rec, m.source, f);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(data_binds); i++) {
		r = data_bind_look(&m, i, f);
		if (r == 0)
			return fault_set(f, ENODEV, "nothing is mounted at %s",
					 data_binds[i].point);
	}
	return r < 0 ? r : 0;
}

int data_state(struct boot *b, bool *ours, struct fault *f)
{
	*ours = false;
	if (!b->live)
		return fault_set(f, ENOTSUP, "not the running machine");
	if (!b->seed)
		return fault_set(f, ENOENT, "no seed yet");
	*ours = evidence(b, f) == 0;
	return 0;
}
