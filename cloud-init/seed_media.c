/* See seed_media.h. */
#include "cloud-init/seed_media.h"

#include "lib/blkid.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/phoenix"

int seed_media_list(const struct fs *root, struct strv *devices, struct fault *f)
{
	static const char *const labels[] = { "CIDATA", "cidata", NULL };
	int r;

	if (!str_eq(root->path, "/"))
		return 0;
	r = blkid_find_label(labels, devices, f);
	return r == -ENOENT ? 0 : r;
}

/* By mount(8) where the kernel lacks the file system: a helper such as mount.vfat may have it. Not
 * first: as a process it costs more than all else here. */
static int mount_at(const char *device, const char *type, const char *folder, bool writable,
		    struct fault *f)
{
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(device, folder, type, writable ? flags : flags | MS_RDONLY, NULL) == 0)
		return 0;
	return proc_do(f, "mount", "-t", type, "-o",
		       writable ? "rw,nosuid,nodev,noexec" : "ro,nosuid,nodev,noexec", device,
		       folder, NULL);
}

int seed_medium_open(const char *device, bool writable, struct seed_medium *m, struct fault *f)
{
	_free_ char *folder = mem_strdup(FOLDER "/seed-XXXXXX");
	struct blkid_found found;
	int r = blkid_probe_device(device, &found, f);

	if (r < 0)
		return r;
	if (!str_eq(found.type, "vfat") && !str_eq(found.type, "iso9660"))
		return fault_set(f, EINVAL,
				 "%s: file system '%s'; a seed medium has vfat or iso9660", device,
				 found.type);
	if ((mkdir(FOLDER, 0755) < 0 && errno != EEXIST) || !mkdtemp(folder))
		return fault_errno(f, "%s", folder);
	r = mount_at(device, found.type, folder, writable, f);
	if (r < 0) {
		rmdir(folder);
		return r;
	}
	m->folder = TAKE_PTR(folder);
	r = fs_open(&m->fs, m->folder, f);
	if (r < 0)
		seed_medium_close(m);
	return r;
}

bool seed_medium_writable(const char *device)
{
	_fd_ int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct blkid_found found;
	int read_only = 0;

	if (fd < 0 || blkid_probe_device(device, &found, NULL) < 0 || str_eq(found.type, "iso9660"))
		return false;
	return ioctl(fd, BLKROGET, &read_only) < 0 || !read_only;
}

void seed_medium_close(struct seed_medium *m)
{
	if (!m->folder)
		return;
	fs_close(&m->fs);
	/* unmounting also writes back what was overwritten; lazily rather than leaving it in the
	 * way */
	if (umount2(m->folder, 0) < 0)
		umount2(m->folder, MNT_DETACH);
	rmdir(m->folder);
	free(m->folder);
	m->folder = NULL;
}
