/* See flash_seed.h. */
#include "image/flash_seed.h"

#include "lib/blkid.h"
#include "lib/proc.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* `phoenix seed` makes images of 1 MiB. */
#define IMAGE_MAX (64U << 20)

/* Only programs can look into a FAT file system and only files can be given to them: one that is in
 * memory and has no name. */
static int scratch(const struct str *bytes, struct fault *f)
{
	_fd_ int fd = memfd_create("seed", MFD_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < bytes->len) {
		ssize_t n = write(fd, bytes->p + done, bytes->len - done);

		if (n < 0)
			return fault_errno(f, "a file in memory");
		done += (size_t)n;
	}
	return fd < 0 ? fault_errno(f, "a file in memory") : fd_take(&fd);
}

static void scratch_erase(int fd, const struct str *bytes)
{
	_free_ char *zero = mem_alloc(bytes->len);

	if (pwrite(fd, zero, bytes->len, 0) < 0)
		return; /* its pages are given back in any case */
}

static int look(const struct flash_seed *s, int fd, struct fault *f)
{
	struct blkid_found found = { 0 };
	int r = blkid_probe_range(fd, s->path, 0, 0, &found, f);

	if (r >= 0 && (!str_eq(found.type, "vfat") ||
		       (!str_eq(found.label, "CIDATA") && !str_eq(found.label, "cidata"))))
		return fault_set(f, EINVAL,
				 "%s is no seed: it is not a FAT file system labelled CIDATA; "
				 "`phoenix seed` writes OUT/NODE.img",
				 s->path);
	return r;
}

static int understand(struct flash_seed *s, int fd, struct fault *f)
{
	_free_ char *image = mem_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	const char *const env[] = { "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", NULL };
	const char *const argv[] = { "mcopy", "-i", image, "::" SEED_FILE, "-", NULL };
	_secret_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	int r = proc_ok(&(struct proc){ .argv = argv, .env = env, .max_output = SEED_MAX + 1 },
			&text, f);

	if (r == -ENOENT)
		return fault_set(f, ENOENT,
				 "mcopy is needed to read the seed: install the package mtools");
	if (r < 0 && strstr(f->text, "not found"))
		return fault_set(f, EINVAL,
				 "%s holds no " SEED_FILE
				 ": it was used already (a node removes it), or it is no seed",
				 s->path);
	if (r < 0)
		return fault_wrap(f, "%s: its " SEED_FILE " cannot be read", s->path);
	if (seed_parse(s->path, str_text(&text), text.len, &s->seed, &d) < 0) {
		diags_print(&d);
		return fault_set(f, EINVAL, "%s: its seed has mistakes", s->path);
	}
	return 0;
}

int flash_seed_of(const char *name, struct str *bytes, struct flash_seed *ret, struct fault *f)
{
	_flash_seed_ struct flash_seed s = { .path = mem_strdup(name), .bytes = *bytes };
	_fd_ int fd = -1;
	int r;

	*bytes = (struct str){ 0 };
	r = fd = scratch(&s.bytes, f);
	if (r >= 0)
		r = look(&s, fd, f);
	if (r >= 0)
		r = understand(&s, fd, f);
	if (fd >= 0)
		scratch_erase(fd, &s.bytes);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct flash_seed){ 0 };
	return 0;
}

int flash_seed_read(const char *path, struct flash_seed *ret, struct fault *f)
{
	size_t n = strlen(path);
	_free_ char *name = NULL, *absolute = NULL;
	_secret_ struct str bytes = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	struct stat st;
	int r;

	while (n > 1 && path[n - 1] == '/')
		n--;
	name = mem_strndup(path, n);
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
		free(name);
		name = mem_printf("%.*s.img", (int)n, path);
	}
	absolute = realpath(name, NULL);
	if (!absolute)
		return fault_errno(f, "%s", name);
	r = fs_open(&fs, "/", f);
	if (r >= 0)
		r = fs_read(&fs, absolute, IMAGE_MAX, &bytes, f);
	if (r == -EFBIG)
		return fault_set(f, EINVAL, "%s is no seed: it is too large for one", name);
	return r < 0 ? r : flash_seed_of(name, &bytes, ret, f);
}

void flash_seed_free(struct flash_seed *s)
{
	free(s->path);
	str_erase(&s->bytes);
	seed_freep(&s->seed);
}
