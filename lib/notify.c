/* See notify.h. */
#include "lib/notify.h"

#include "lib/fs.h"

#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	_fd_ int fd = -1;

	if (!len || len >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
			      (struct sockaddr *)&to,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

void notify_status(const char *fmt, ...)
{
	_str_ struct str s = { 0 };
	va_list ap;

	str_add(&s, "STATUS=");
	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	notify_send(s.p);
}
