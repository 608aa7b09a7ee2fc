/* See source.h. */
#include "image/source.h"

#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_LOOK_MS 500

static int end_of_stream(struct source *s, struct fault *f)
{
	int (*ended)(void *user, struct fault *f) = s->ended;

	s->ended = NULL;
	return ended ? ended(s->user, f) : 0;
}

static ssize_t read_packed(void *user, void *buf, size_t n, struct fault *f)
{
	struct source *s = user;
	ssize_t got;

	/* a pipe may stand still for ever, and the one who waits is not the one who gets the signal */
	do {
		if (s->stop && *s->stop)
			return fault_set(f, EINTR, "stopped by signal %d", (int)*s->stop);
		got = poll(&(struct pollfd){ .fd = s->fd, .events = POLLIN }, 1, STOP_LOOK_MS);
	} while (got == 0 || (got < 0 && errno == EINTR));
	do
		got = read(s->fd, buf, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return fault_errno(f, "%s at byte %llu", s->name, (unsigned long long)s->packed);
	if (got == 0) {
		int r = end_of_stream(s, f);

		return r < 0 ? r : 0;
	}
	crypto_hash_add(s->hash, buf, (size_t)got);
	s->packed += (uint64_t)got;
	return got;
}

/* As sha256sum(1) writes it: the sum, then anything. Absent is no error; a link that leads nowhere
 * is one, as is whatever else could make a sum that somebody put there go unused. */
static int published(const char *path, char sum[65], struct fault *f)
{
	_free_ char *name = mem_printf("%s.sha256", path), *real = realpath(name, NULL);
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str text = { 0 };
	struct stat st;
	int r;

	if (!real && errno == ENOENT && lstat(name, &st) < 0)
		return 0;
	if (!real)
		return fault_errno(f, "%s", name);
	r = fs_open(&fs, "/", f);
	if (r >= 0)
		r = fs_read(&fs, real, 4096, &text, f);
	if (r < 0)
		return fault_wrap(f, "%s", name);
	if (text.p)
		text.p[strcspn(text.p, " \t\r\n")] = '\0';
	if (!crypto_is_sha256(text.p))
		return fault_set(f, EINVAL, "%s does not begin with a SHA-256 sum", name);
	memcpy(sum, text.p, 65);
	return 0;
}

static int expect(struct source *s, const char *path, const char *sha256, struct fault *f)
{
	if (!sha256)
		return str_eq(path, "-") ? 0 : published(path, s->expected, f);
	if (!crypto_is_sha256(sha256))
		return fault_set(f, EINVAL,
				 "--sha256 %s: 64 digits of 0-9 and a-f, as sha256sum writes them",
				 sha256);
	memcpy(s->expected, sha256, sizeof s->expected);
	return 0;
}

static int open_file(struct source *s, const char *path, struct fault *f)
{
	struct stat st;

	s->fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return fault_errno(f, "%s", s->name);
	if (S_ISDIR(st.st_mode))
		return fault_set(f, EISDIR, "%s is a folder: name the image in it", s->name);
	if (S_ISREG(st.st_mode)) {
		s->packed_size = (uint64_t)st.st_size;
		posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return 0;
}

/* The table decides whether this is an image at all, and how long it must be. */
static int read_head(struct source *s, struct fault *f)
{
	ssize_t n;
	int r = unpack_open(&s->raw, s->name, &s->unpack, f);

	if (r < 0)
		return r;
	s->head = mem_alloc(PTABLE_HEAD);
	n = unpack_read(s->unpack, s->head, PTABLE_HEAD, f);
	if (n < 0)
		return (int)n;
	r = n < (ssize_t)PTABLE_HEAD
		    ? 0
		    : ptable_read_head(s->head, PTABLE_HEAD, s->name, &s->table, f);
	if (r == 0)
		return fault_set(f, EINVAL,
				 "%s (%s) is no image of a disk: it does not begin with a "
				 "partition table",
				 s->name, unpack_kind(s->unpack));
	return r < 0 ? r : 0;
}

static struct source *source_new(const char *name)
{
	struct source *s = mem_alloc(sizeof *s);

	s->name = mem_strdup(name);
	s->fd = -1;
	s->hash = crypto_hash_new();
	s->raw = (struct unpack_source){ read_packed, s };
	return s;
}

int source_open_fd(int fd, const char *name, const char *sha256, uint64_t size,
		   int (*ended)(void *user, struct fault *f), void *user, struct source **ret,
		   struct fault *f)
{
	_source_ struct source *s = source_new(name);
	int r;

	s->fd = fd;
	s->packed_size = size;
	s->ended = ended;
	s->user = user;
	memcpy(s->expected, sha256, sizeof s->expected);
	r = read_head(s, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int source_open(const char *path, const char *sha256, struct source **ret, struct fault *f)
{
	_source_ struct source *s = source_new(str_eq(path, "-") ? "standard input" : path);
	int r;

	r = open_file(s, path, f);
	if (r >= 0)
		r = expect(s, path, sha256, f);
	if (r >= 0)
		r = read_head(s, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

ssize_t source_read(struct source *s, void *buf, size_t n, struct fault *f)
{
	return unpack_read(s->unpack, buf, n, f);
}

int source_end(struct source *s, struct fault *f)
{
	_free_ char *buf = mem_alloc(65536);
	ssize_t n;

	do
		n = unpack_read(s->unpack, buf, 65536, f);
	while (n > 0);
	if (n < 0)
		return (int)n;
	crypto_hash_end(TAKE_PTR(s->hash), s->sha256);
	if (*s->expected && !str_eq(s->expected, s->sha256))
		return fault_set(f, EBADMSG,
				 "%s is not what was published: its SHA-256 is %s, expected was %s",
				 s->name, s->sha256, s->expected);
	return 0;
}

void source_freep(struct source **ps)
{
	struct source *s = *ps;
	char sum[65];

	if (!s)
		return;
	unpack_freep(&s->unpack);
	if (s->hash)
		crypto_hash_end(s->hash, sum);
	fd_closep(&s->fd); /* before the other side is waited for: it may be writing */
	end_of_stream(s, NULL);
	ptable_free(&s->table);
	free(s->head);
	free(s->name);
	free(s);
	*ps = NULL;
}
