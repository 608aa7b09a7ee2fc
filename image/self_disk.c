/* See self_disk.h. */
#include "image/self_disk.h"

#include "firstboot/mounts.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The kernel's own tree: /sys/devices/…/sda/sda2, where only a partition has a file `partition'. */
static int name_of(dev_t number, char **ret, struct fault *f)
{
	_free_ char *link = mem_printf("/sys/dev/block/%u:%u", major(number), minor(number)),
		    *mark = mem_printf("%s/partition", link);
	char real[PATH_MAX], *slash;
	struct stat st;

	if (!realpath(link, real))
		return fault_set(f, ENOTBLK, "it is on no disk");
	if (stat(mark, &st) == 0)
		*strrchr(real, '/') = '\0';
	slash = strrchr(real, '/');
	*ret = mem_printf("/dev/%s", slash + 1);
	for (char *p = *ret + strlen("/dev/"); *p; p++)
		if (*p == '!')
			*p = '/'; /* cciss!c0d0 */
	return 0;
}

int self_disk_of(const char *path, char **ret, struct fault *f)
{
	_mount_ struct mount m = { 0 };
	int r = mount_at(path, &m, f);

	*ret = NULL;
	if (r <= 0)
		return r;
	r = name_of(m.device, ret, f);
	return r < 0 ? fault_wrap(f, "%s (%s)", path, m.type) : 0;
}

bool self_disk_has(const char *disk, const char *device)
{
	_free_ char *of = NULL;
	struct stat st;

	return stat(device, &st) == 0 && S_ISBLK(st.st_mode) &&
	       name_of(st.st_rdev, &of, NULL) == 0 && str_eq(of, disk);
}
