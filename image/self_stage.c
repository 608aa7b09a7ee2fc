/* See self_stage.h. */
#include "image/self_stage.h"

#include "cloud-init/seed_write.h"
#include "image/layout.h"
#include "lib/meter.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE (1U << 20)
#define SEEDS SELF_FOLDER "/seeds"

static int stopped(const volatile sig_atomic_t *stop, struct fault *f)
{
	return *stop ? fault_set(f, EINTR, "stopped by signal %d; nothing was changed", (int)*stop)
		     : 0;
}

int self_stage_size(const char *path, uint64_t *ret, struct fault *f)
{
	struct stat st;

	*ret = 0;
	if (str_eq(path, "-"))
		return 0;
	if (stat(path, &st) < 0)
		return fault_errno(f, "%s", path);
	if (S_ISREG(st.st_mode))
		*ret = (uint64_t)st.st_size;
	return 0;
}

static int write_all(int fd, const char *data, size_t n, struct fault *f)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == ENOSPC)
			return fault_set(
				f, ENOMEM,
				"the image does not fit into the memory that this machine "
				"can spare: `phoenix pxe --reinstall` from another machine "
				"needs none");
		if (done < 0)
			return fault_errno(f, SELF_ROOT SELF_IMAGE);
		data += done;
		n -= (size_t)done;
	}
	return 0;
}

static int copy(struct self_tree *t, const char *path, uint64_t size,
		const volatile sig_atomic_t *stop, struct fault *f)
{
	_fd_ int in = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_fd_ int out = fs_openat(&t->fs, SELF_IMAGE, O_WRONLY | O_CREAT | O_TRUNC, 0600, f);
	_free_ char *buf = mem_alloc(PIECE);
	struct meter meter = { 0 };
	uint64_t done = 0;
	ssize_t n = 0;
	int r = out < 0 ? out : 0;

	if (in < 0)
		return fault_errno(f, "%s", path);
	if (size)
		meter_begin(&meter, "into memory");
	while (r >= 0 && ((n = read(in, buf, PIECE)) > 0 || (n < 0 && errno == EINTR))) {
		r = stopped(stop, f);
		if (r >= 0 && n > 0)
			r = write_all(out, buf, (size_t)n, f);
		done += n > 0 ? (uint64_t)n : 0;
		if (size)
			meter_show(&meter, done, size);
	}
	if (size)
		meter_end(&meter);
	return r < 0 ? r : n < 0 ? fault_errno(f, "%s", path) : 0;
}

/* As flash_write will read it. What is found here is found before the disk has lost anything. */
static int read_through(struct source *s, struct fault *f)
{
	uint64_t end = ptable_end(&s->table), at = PTABLE_HEAD;
	_free_ char *buf = mem_alloc(PIECE);
	struct meter meter = { 0 };
	int r = 0;

	meter_begin(&meter, "checking");
	while (r >= 0 && at < end) {
		ssize_t n = source_read(s, buf, PIECE, f);

		if (n < 0)
			r = (int)n;
		else if (n == 0)
			r = fault_set(f, ENODATA,
				      "%s ends after %llu bytes, its partitions reach to %llu",
				      s->name, (unsigned long long)at, (unsigned long long)end);
		else
			at += (uint64_t)n;
		meter_show(&meter, at < end ? at : end, end);
	}
	meter_end(&meter);
	return r < 0 ? r : source_end(s, f);
}

static void call(struct source *s, const char *path)
{
	free(s->name);
	s->name = mem_strdup(str_eq(path, "-") ? "standard input" : path);
}

/* Is it an image of ours, and what was published of it? Known before it is copied, but of a pipe. */
static int look(const char *path, const char *sha256, char expected[65], struct fault *f)
{
	_source_ struct source *s = NULL;
	int r;

	if (str_eq(path, "-")) {
		snprintf(expected, 65, "%s", sha256 ? sha256 : "");
		return 0;
	}
	r = source_open(path, sha256, &s, f);
	if (r >= 0)
		r = layout_image(&s->table, s->name, f);
	if (r >= 0)
		memcpy(expected, s->expected, 65);
	return r;
}

int self_stage_image(struct self_tree *t, const char *path, const char *sha256,
		     const volatile sig_atomic_t *stop, struct source **ret, struct fault *f)
{
	_source_ struct source *s = NULL, *again = NULL;
	char expected[65] = "";
	uint64_t size = 0;
	int r = look(path, sha256, expected, f);

	if (r >= 0)
		r = self_stage_size(path, &size, f);
	if (r >= 0)
		r = copy(t, path, size, stop, f);
	if (r >= 0)
		r = source_open(SELF_ROOT SELF_IMAGE, *expected ? expected : NULL, &s, f);
	if (r < 0)
		return r;
	call(s, path);
	s->stop = stop;
	r = layout_image(&s->table, s->name, f);
	if (r >= 0)
		r = read_through(s, f);
	if (r >= 0)
		r = source_open(SELF_ROOT SELF_IMAGE, s->sha256, &again, f);
	if (r < 0)
		return r;
	call(again, path);
	memcpy(again->expected, expected, sizeof again->expected);
	memcpy(again->sha256, s->sha256, sizeof again->sha256);
	*ret = TAKE_PTR(again);
	return 0;
}

/* A node lives on the copy that it imported, and has taken the secrets away from where that lay: so
 * the seed is written anew, by the code that wrote it first. */
static int own_seed(const struct seed *own, struct flash_seed *ret, struct fault *f)
{
	const char *node = own->config->nodes[own->self].name;
	_free_ char *path = mem_printf(SELF_ROOT SEEDS "/%s", node);
	struct cluster_folder c = { .config = own->config, .secrets = own->secrets };
	_strv_ struct strv only = { 0 };
	int r;

	str_add(&c.description, own->description);
	strv_add(&only, node);
	r = seed_write_all(&c, SELF_ROOT SEEDS, &only, &(struct strv){ 0 }, f);
	if (r >= 0)
		r = flash_seed_read(path, ret, f);
	proc_do(NULL, "rm", "-rf", SELF_ROOT SEEDS, NULL);
	str_free(&c.description);
	return r < 0 ? fault_wrap(f, "this node's own seed") : 0;
}

static int is_ours(const struct seed *s, const struct seed *own, const char *path, struct fault *f)
{
	const char *node = own->config->nodes[own->self].name;

	if (!str_eq(s->config->name, own->config->name) ||
	    !str_eq(s->secrets->exchange_ca, own->secrets->exchange_ca))
		return fault_set(f, EPERM, "%s is a seed of another cluster (%s)", path,
				 s->config->name);
	if (!str_eq(s->config->nodes[s->self].name, node))
		return fault_set(f, EPERM, "%s is the seed of %s, and this node is %s", path,
				 s->config->nodes[s->self].name, node);
	return 0;
}

int self_stage_seed(struct self_tree *t, const char *path, const struct seed *own,
		    struct flash_seed *ret, struct fault *f)
{
	int r = path ? flash_seed_read(path, ret, f) : own_seed(own, ret, f);

	if (r >= 0 && path)
		r = is_ours(ret->seed, own, path, f);
	if (r >= 0)
		r = fs_write(&t->fs, SELF_SEED, 0600, ret->bytes.p, ret->bytes.len, f);
	return r < 0 ? r : 0;
}
