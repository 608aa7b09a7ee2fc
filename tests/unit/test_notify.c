/* The datagram to systemd; and nothing at all where nobody listens. */
#include "tests/unit/test.h"

#include "lib/fs.h"
#include "lib/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *name, size_t len)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, name, len);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void assert_got(int fd, const char *text)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof buf, 0);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, (size_t)n);
}

static void tells_a_path(void **state)
{
	char dir[] = "/tmp/phoenix-notify-XXXXXX";
	_free_ char *path = NULL;
	_fd_ int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_printf("%s/sock", dir);
	fd = listen_at(path, strlen(path));
	setenv("NOTIFY_SOCKET", path, 1);
	notify_send("READY=1");
	assert_got(fd, "READY=1");
	notify_status("step %d of %d", 3, 17);
	assert_got(fd, "STATUS=step 3 of 17");
	unlink(path);
	notify_send("READY=1"); /* nobody there */
	rmdir(dir);
}

static void tells_an_abstract_name(void **state)
{
	_free_ char *name = mem_printf("@phoenix-test-%d", getpid()), *raw = mem_strdup(name);
	_fd_ int fd = -1;

	(void)state;
	raw[0] = 0;
	fd = listen_at(raw, strlen(name));
	setenv("NOTIFY_SOCKET", name, 1);
	notify_send("STOPPING=1");
	assert_got(fd, "STOPPING=1");
}

static void bears_nonsense(void **state)
{
	char big[200];

	(void)state;
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	setenv("NOTIFY_SOCKET", big, 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	notify_send("READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_a_path),
		cmocka_unit_test(tells_an_abstract_name),
		cmocka_unit_test(bears_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
