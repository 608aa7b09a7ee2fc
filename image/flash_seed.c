/* See flash_seed.h. */
#include "image/flash_seed.h"

#include "firstboot/data_mount.h"
#include "lib/blkid.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>

/* `phoenix seed` makes images of 1 MiB. */
#define IMAGE_MAX (64U << 20)

static int read_bytes(struct flash_seed *s, struct fault *f)
{
	_fs_ struct fs fs = { .fd = -1 };
	_free_ char *absolute = realpath(s->path, NULL);
	struct blkid_found found = { 0 };
	int r;

	if (!absolute)
		return fault_errno(f, "%s", s->path);
	r = blkid_probe_device(absolute, &found, f);
	if (r >= 0 && (!str_eq(found.type, "vfat") ||
		       (!str_eq(found.label, "CIDATA") && !str_eq(found.label, "cidata"))))
		return fault_set(f, EINVAL,
				 "%s is no seed: it is not a FAT file system labelled CIDATA; "
				 "`phoenix seed` writes OUT/NODE.img",
				 s->path);
	if (r >= 0)
		r = fs_open(&fs, "/", f);
	return r < 0 ? r : fs_read(&fs, absolute, IMAGE_MAX, &s->bytes, f);
}

static int understand(struct flash_seed *s, struct fault *f)
{
	const char *const env[] = { "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", NULL };
	const char *const argv[] = { "mcopy", "-i", s->path, "::" SEED_FILE, "-", NULL };
	_secret_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	int r = proc_ok(&(struct proc){ .argv = argv, .env = env, .max_output = SEED_MAX + 1 },
			&text, f);

	if (r == -ENOENT)
		return fault_set(f, ENOENT,
				 "mcopy is needed to read the seed: install the package mtools");
	if (r < 0)
		return fault_set(f, EINVAL,
				 "%s holds no " SEED_FILE
				 ": it was used already (a node removes it), or it is no seed",
				 s->path);
	if (seed_parse(s->path, str_text(&text), text.len, &s->seed, &d) < 0) {
		diags_print(&d);
		return fault_set(f, EINVAL, "%s: its seed has mistakes", s->path);
	}
	return 0;
}

int flash_seed_read(const char *path, struct flash_seed *ret, struct fault *f)
{
	_flash_seed_ struct flash_seed s = { .path = mem_strdup(path) };
	size_t n = strlen(s.path);
	struct stat st;
	int r;

	while (n > 1 && s.path[n - 1] == '/')
		s.path[--n] = '\0';
	if (stat(s.path, &st) == 0 && S_ISDIR(st.st_mode)) {
		free(s.path);
		s.path = mem_printf("%.*s.img", (int)n, path);
	}
	r = read_bytes(&s, f);
	if (r >= 0)
		r = understand(&s, f);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct flash_seed){ 0 };
	return 0;
}

void flash_seed_free(struct flash_seed *s)
{
	free(s->path);
	str_erase(&s->bytes);
	seed_freep(&s->seed);
}

/* debugfs reads a file of a file system that is not mounted, and mends nothing on the way. */
static int read_record(const char *disk, const struct partition *data, struct str *text,
		       struct fault *f)
{
	_free_ char *where = mem_printf("%s?offset=%llu", disk, (unsigned long long)data->start);
	const char *const argv[] = { "debugfs", "-c", "-R", "cat " DATA_RECORD_FILE, where, NULL };
	_proc_ struct proc_result res = { 0 };
	int r = proc_run(&(struct proc){ .argv = argv }, &res, f);

	if (r < 0)
		return r;
	str_add_n(text, res.out.p ? res.out.p : "", res.out.len);
	/* it ends with 0 whatever happened: only this one message says that nothing is there */
	if (!text->len && !strstr(str_text(&res.err), "File not found"))
		return fault_set(f, EIO, "debugfs: %.300s",
				 res.err.len ? str_trim(res.err.p) : "no word");
	return 0;
}

int flash_data_fits(const char *disk, const struct partition *data, const struct seed *seed,
		    struct fault *f)
{
	_fd_ int fd = open(disk, O_RDONLY | O_CLOEXEC);
	_record_ struct data_record rec = { 0 };
	_str_ struct str text = { 0 };
	struct blkid_found found = { 0 };
	struct fault why = { 0 };
	int r;

	if (fd < 0)
		return fault_errno(f, "%s", disk);
	r = blkid_probe_range(fd, disk, (off_t)data->start, (off_t)data->size, &found, f);
	if (r < 0 || !found.any)
		return r;
	if (!str_eq(found.type, "ext4"))
		return fault_set(f, ENODATA, "its " LAYOUT_DATA " carries %s, no ext4",
				 *found.type ? found.type : "something unknown");
	r = read_record(disk, data, &text, &why);
	if (r >= 0 && !text.len)
		return 0;
	if (r >= 0)
		r = data_record_parse(text.p, text.len, &rec, &why);
	if (r < 0)
		return fault_set(f, ENODATA,
				 "whose data its " LAYOUT_DATA " holds cannot be told: %s",
				 why.text);
	r = data_record_is_ours(seed, &rec, "its " LAYOUT_DATA, f);
	return r < 0 ? r : 1;
}
