#include "tests/unit/test.h"

#include "phoenix-job/permit.h"

#include "lib/fault.h"
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static char folder[] = "/tmp/permit.XXXXXX";

static void what_is_said_is_seen(void **state)
{
	_permit_ struct permit *keeper = NULL, *looks = NULL;

	(void)state;
	assert_int_equal(permit_create("permit", &keeper, NULL), 0);
	assert_int_equal(permit_open("permit", &looks, NULL), 0);
	assert_false(permit_may_write(looks, 0));
	assert_false(permit_may_read(looks, 0));
	permit_write(keeper, 100);
	assert_true(permit_may_write(looks, 99));
	assert_false(permit_may_write(looks, 100));
	assert_int_equal(permit_write_until(looks), 100);
	permit_read(keeper, 50, 60);
	assert_false(permit_may_read(looks, 49));
	assert_true(permit_may_read(looks, 50));
	assert_false(permit_may_read(looks, 60));
	permit_read(keeper, 50, 70);
	assert_true(permit_may_read(looks, 69));
	permit_write(keeper, 0);
	permit_read(keeper, 0, 0);
	assert_false(permit_may_write(looks, 1));
	assert_false(permit_may_read(looks, 1));
}

/* Who still looks at the old one sees what its keeper said last. */
static void a_new_page_permits_nothing(void **state)
{
	_permit_ struct permit *old = NULL, *new = NULL, *looks = NULL;

	(void)state;
	assert_int_equal(permit_create("permit", &old, NULL), 0);
	permit_write(old, 100);
	assert_int_equal(permit_create("permit", &new, NULL), 0);
	assert_int_equal(permit_open("permit", &looks, NULL), 0);
	assert_false(permit_may_write(looks, 1));
	assert_true(permit_may_write(old, 1));
}

static void not_a_permit(void **state)
{
	static const char zeros[sizeof(struct permit_page)];
	_permit_ struct permit *p = NULL;
	struct fault f = { 0 };
	int fd = open("zeros", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(permit_open("nothing", &p, &f), -ENOENT);
	assert_int_equal(write(fd, zeros, 8), 8);
	assert_int_equal(permit_open("zeros", &p, &f), -EINVAL);
	assert_int_equal(write(fd, zeros, sizeof zeros - 8), sizeof zeros - 8);
	assert_int_equal(permit_open("zeros", &p, &f), -EINVAL);
	assert_non_null(strstr(f.text, "not a permit"));
	assert_int_equal(permit_open(".", &p, &f), -EINVAL);
	close(fd);
	assert_null(p);
}

static int in_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int folder_away(void **state)
{
	(void)state;
	unlink("permit");
	unlink("zeros");
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_seen),
		cmocka_unit_test(a_new_page_permits_nothing),
		cmocka_unit_test(not_a_permit),
	};

	return cmocka_run_group_tests(tests, in_folder, folder_away);
}
