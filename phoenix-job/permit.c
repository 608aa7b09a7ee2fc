/* See permit.h. */
#include "phoenix-job/permit.h"

#include "lib/fault.h"
#include "lib/fs.h"
#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct permit {
	struct permit_page *page;
};

static struct permit *mapped(int fd, int protection)
{
	struct permit_page *page =
		mmap(NULL, sizeof *page, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
	struct permit *p;

	if (page == MAP_FAILED)
		return NULL;
	p = mem_alloc(sizeof *p);
	p->page = page;
	return p;
}

int permit_create(const char *path, struct permit **ret, struct fault *f)
{
	_free_ char *new = mem_printf("%s.new", path);
	_fd_ int fd = -1;
	_permit_ struct permit *p = NULL;

	if (unlink(new) < 0 && errno != ENOENT)
		return fault_errno(f, "%s", new);
	fd = open(new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* all of its memory now: a page that cannot be had later is a bus error in PostgreSQL */
	if (fd < 0 || fchmod(fd, 0644) < 0 ||
	    (errno = posix_fallocate(fd, 0, sizeof(struct permit_page))) != 0)
		return fault_errno(f, "%s", new);
	p = mapped(fd, PROT_READ | PROT_WRITE);
	if (!p)
		return fault_errno(f, "%s", new);
	p->page->magic = PERMIT_MAGIC;
	if (rename(new, path) < 0)
		return fault_errno(f, "%s", path);
	*ret = TAKE_PTR(p);
	return 0;
}

int permit_open(const char *path, struct permit **ret, struct fault *f)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_permit_ struct permit *p = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(f, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size != sizeof(struct permit_page))
		return fault_set(f, EINVAL, "%s: not a permit", path);
	p = mapped(fd, PROT_READ);
	if (!p)
		return fault_errno(f, "%s", path);
	if (p->page->magic != PERMIT_MAGIC)
		return fault_set(f, EINVAL, "%s: not a permit", path);
	*ret = TAKE_PTR(p);
	return 0;
}

void permit_freep(struct permit **permit)
{
	if (*permit)
		munmap((*permit)->page, sizeof *(*permit)->page);
	free(*permit);
	*permit = NULL;
}

bool permit_may_write(const struct permit *p, int64_t now)
{
	return permit_page_may_write(p->page, now);
}

bool permit_may_read(const struct permit *p, int64_t now)
{
	return permit_page_may_read(p->page, now, now);
}

int64_t permit_write_until(const struct permit *p)
{
	return atomic_load(&p->page->write_until);
}

void permit_write(struct permit *p, int64_t until)
{
	atomic_store(&p->page->write_until, until);
}

/* Never the new end beside the old beginning: see permit_page_may_read. */
void permit_read(struct permit *p, int64_t since, int64_t until)
{
	if (since != atomic_load(&p->page->read_since)) {
		atomic_store(&p->page->read_until, 0);
		atomic_store(&p->page->read_since, since);
	}
	atomic_store(&p->page->read_until, until);
}
