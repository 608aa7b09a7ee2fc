/* See flash_data.h. */
#include "image/flash_data.h"

#include "lib/blkid.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* debugfs reads a file system that is not mounted, and mends nothing on the way. OPTION -R: COMMAND is
 * one; -f: a file of them, with INPUT. */
static int debugfs(const char *disk, const struct partition *data, const char *option,
		   const char *command, const char *input, struct proc_result *res, struct fault *f)
{
	_free_ char *where = mem_printf("%s?offset=%llu", disk, (unsigned long long)data->start);
	const char *const argv[] = { "debugfs", "-c", option, command, where, NULL };
	int r = proc_run(&(struct proc){ .argv = argv,
					 .input = input,
					 .input_len = input ? strlen(input) : 0 },
			 res, f);

	return r == -ENOENT ? fault_set(f, ENOENT,
					"debugfs is needed to read " LAYOUT_DATA
					": install the package e2fsprogs")
			    : r;
}

/* It ends with 0 whatever happened: its words count. Its name and version are no complaint, nor is
 * that a file is not there. */
static int complaint(const struct proc_result *res, struct fault *f)
{
	const char *p = str_text(&res->err);

	while (*p) {
		size_t n = strcspn(p, "\n");
		_free_ char *line = mem_strndup(p, n);

		if (n && !str_starts(line, "debugfs 1.") && !strstr(line, "File not found"))
			return fault_set(f, EIO, "debugfs: %.300s", line);
		p += n + (p[n] == '\n');
	}
	return 0;
}

/* What stands on a file system that was just made; otherwise somebody put it there. */
static bool is_ordinary(const char *name, size_t n)
{
	static const char *const names[] = { ".", "..", "lost+found", "state" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return true;
	return n > 9 && memcmp(name, ".phoenix-", 9) == 0;
}

/* The name in a line of a list, /INODE/MODE/USER/GROUP/NAME/SIZE/, or NULL. */
static const char *listed(const char *line)
{
	for (int i = 0; line && i < 4; i++)
		line = *line == '/' ? strpbrk(line + 1, "/\n") : NULL;
	return line && *line == '/' ? line + 1 : NULL;
}

/* Is it empty, by evidence: a root that lists itself, and nothing else of note? */
static int is_empty(const char *disk, const struct partition *data, struct fault *f)
{
	_proc_ struct proc_result res = { 0 };
	bool seen = false;
	int r = debugfs(disk, data, "-f", "-", "stats -h\nls -p /\nls -p /state\n", &res, f);

	if (r >= 0)
		r = complaint(&res, f);
	if (r < 0)
		return r;
	if (strstr(str_text(&res.out), " needs_recovery"))
		return fault_set(
			f, ENODATA,
			"its journal was not written back, as after a power cut: start the "
			"machine from this disk once, or mount the partition once");
	for (const char *p = str_text(&res.out); *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *name = listed(p);

		if (name && !is_ordinary(name, strcspn(name, "/\n")))
			return fault_set(f, ENODATA,
					 "it has no record of phoenix, and is not empty");
		seen = seen || (name && str_starts(p, "/2/") && str_starts(name, "./"));
	}
	return seen ? 0 : fault_set(f, EIO, "its root folder cannot be read");
}

/* 1: TEXT is the record; 0: there is none. */
static int read_record(const char *disk, const struct partition *data, struct str *text,
		       struct fault *f)
{
	_proc_ struct proc_result res = { 0 };
	int r = debugfs(disk, data, "-R", "cat " DATA_RECORD_FILE, NULL, &res, f);

	if (r >= 0 && !res.out.len)
		r = complaint(&res, f);
	if (r < 0)
		return r;
	str_add_n(text, str_text(&res.out), res.out.len);
	return text->len > 0;
}

/* A file system at DATA. */
static int fits(const char *disk, const struct partition *data, const char *name,
		const struct data_record *own, struct fault *f)
{
	_record_ struct data_record rec = { 0 };
	_str_ struct str text = { 0 };
	struct fault why = { 0 };
	int r = read_record(disk, data, &text, &why);

	if (r == 0)
		r = is_empty(disk, data, &why);
	else if (r > 0)
		r = data_record_parse(text.p, text.len, &rec, &why);
	if (r < 0)
		return fault_set(f, ENODATA, "whose data %s holds cannot be told: %s", name,
				 why.text);
	if (!text.len)
		return 0;
	r = data_record_fits(own, &rec, name, f);
	return r < 0 ? r : 1;
}

int flash_data_fits(const char *disk, const struct partition *data, const struct data_record *own,
		    struct fault *f)
{
	_fd_ int fd = open(disk, O_RDONLY | O_CLOEXEC);
	struct blkid_found found = { 0 };
	int r;

	if (fd < 0)
		return fault_errno(f, "%s", disk);
	r = blkid_probe_range(fd, disk, (off_t)data->start, (off_t)data->size, &found, f);
	if (r < 0 || !found.any)
		return r;
	if (!str_eq(found.type, "ext4"))
		return fault_set(f, ENODATA, "its " LAYOUT_DATA " carries %s, no ext4",
				 *found.type ? found.type : "something unknown");
	return fits(disk, data, "its " LAYOUT_DATA, own, f);
}

/* What has the data's label; false: not here. */
static bool is_data(int fd, const char *disk, const struct partition *p)
{
	struct blkid_found found = { 0 };

	return blkid_probe_range(fd, disk, (off_t)p->start, (off_t)p->size, &found, NULL) >= 0 &&
	       str_eq(found.type, "ext4") && str_eq(found.label, LAYOUT_DATA);
}

int flash_data_disk_fits(const char *disk, const struct data_record *own, struct fault *f)
{
	_fd_ int fd = open(disk, O_RDONLY | O_CLOEXEC);
	struct partition whole = { 0 };
	struct blkid_found found = { 0 };
	_ptable_ struct ptable t = { 0 };
	int r;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &whole.size) < 0)
		return fault_errno(f, "%s", disk);
	r = blkid_probe_range(fd, disk, 0, 0, &found, f);
	if (r < 0 || !found.any)
		return r;
	if (is_data(fd, disk, &whole))
		return fits(disk, &whole, disk, own, f);
	if (*found.pttype && ptable_read(fd, whole.size, disk, &t, NULL) < 0)
		return fault_set(f, EEXIST, "%s has a partition table that is damaged", disk);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].size && t.v[i].start + t.v[i].size <= whole.size &&
		    is_data(fd, disk, &t.v[i]))
			return fits(disk, &t.v[i], disk, own, f);
	return fault_set(f, EEXIST, "%s carries %s, which the node would not format over", disk,
			 *found.type	 ? found.type
			 : *found.pttype ? "a partition table"
					 : "something unknown");
}
