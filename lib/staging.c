/* See staging.h. */
#include "lib/staging.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <unistd.h>

#define OPEN_FOLDERS 16
#define PREFIX ".phoenix-"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static bool remove_tree(const char *path)
{
	return nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0;
}

/* A folder that this program made and was killed over: ours alone, and nobody holds its lock. */
static bool is_left_over(const char *path)
{
	_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       (st.st_mode & 07777) == 0700 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* They hold secrets, and nobody would look for them. */
static void remove_left_over(const char *parent)
{
	_fs_ struct fs fs = { .fd = -1 };
	_strv_ struct strv names = { 0 };

	if (fs_open(&fs, parent, NULL) < 0 || fs_list(&fs, "/", &names, NULL) < 0)
		return;
	strv_each (name, &names) {
		_free_ char *path = mem_printf("%s%s", parent, name);

		if (str_starts(name, PREFIX) && strlen(name) == strlen(PREFIX "XXXXXX") &&
		    is_left_over(path))
			remove_tree(path);
	}
}

/* Is TARGET the folder that the caller's shell stands in? After the rename it would stand in a
 * folder without a name. */
static bool is_working_directory(const char *target)
{
	struct stat a, b;

	return stat(".", &a) == 0 && stat(target, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int staging_begin(struct staging *s, const char *target, struct fault *f)
{
	_free_ char *clean = mem_strdup(target), *parent = NULL, *temporary = NULL;
	size_t n = strlen(clean);
	char *slash;
	int r;

	while (n > 1 && clean[n - 1] == '/')
		clean[--n] = 0;
	if (is_working_directory(clean))
		return fault_set(f, EINVAL, "%s is the current folder; call from its parent",
				 target);
	slash = strrchr(clean, '/');
	parent = slash ? mem_strndup(clean, (size_t)(slash - clean) + 1) : mem_strdup("./");
	remove_left_over(parent);
	temporary = mem_printf("%s" PREFIX "XXXXXX", parent);
	if (!mkdtemp(temporary))
		return fault_errno(f, "%s", parent);
	r = fs_open(&s->fs, temporary, f);
	if (r == 0)
		r = s->lock = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r >= 0 && flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		r = -1;
	if (r < 0) {
		r = f && f->code ? -f->code : fault_errno(f, "%s", temporary);
		rmdir(temporary);
		staging_abort(s);
		return r;
	}
	s->temporary = TAKE_PTR(temporary);
	s->target = TAKE_PTR(clean);
	free(s->fs.path); /* messages name what the caller asked for */
	s->fs.path = mem_strdup(s->target);
	return 0;
}

/* Names are durable only when their directory is. */
static int sync_parent(const char *path, struct fault *f)
{
	const char *slash = strrchr(path, '/');
	_free_ char *parent =
		slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
	_fd_ int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? fault_errno(f, "%s", parent) : 0;
}

int staging_commit(struct staging *s, bool replace, struct fault *f)
{
	int r = rename(s->temporary, s->target);

	if (r < 0 && replace && (errno == ENOTEMPTY || errno == EEXIST)) {
		/* exchanged in one step: there is no moment without the folder */
		r = renameat2(AT_FDCWD, s->temporary, AT_FDCWD, s->target, RENAME_EXCHANGE);
		if (r == 0 && !remove_tree(s->temporary))
			log_warn("%s: what was there before could not be removed; it carries "
				 "secrets",
				 s->temporary);
	}
	if (r < 0)
		return fault_errno(f, "%s", s->target);
	r = sync_parent(s->target, f);
	free(s->temporary);
	s->temporary = NULL;
	return r;
}

void staging_abort(struct staging *s)
{
	if (s->temporary)
		remove_tree(s->temporary);
	free(s->temporary);
	free(s->target);
	if (s->fs.path) {
		fs_close(&s->fs);
		if (s->lock >= 0)
			close(s->lock);
	}
	*s = (struct staging){ 0 };
}
