/* See console.h. */
#include "lib/console.h"

#include "lib/fs.h"
#include "lib/str.h"
#include "lib/utf8.h"

#include <fcntl.h>
#include <unistd.h>

const char *console_path = "/dev/console";

bool console_say(const char *line)
{
	_fd_ int fd = open(console_path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	size_t fit = utf8_fit(line, CONSOLE_LINE_MAX);
	_str_ struct str text = { 0 };

	if (fd < 0)
		return false;
	str_add(&text, "phoenix: ");
	/* what came from outside must not move the cursor */
	for (size_t i = 0; i < fit; i++)
		str_add_n(&text, (unsigned char)line[i] < 0x20 || line[i] == 0x7f ? " " : line + i,
			  1);
	str_add(&text, line[fit] ? "…\r\n" : "\r\n");
	return write(fd, text.p, text.len) == (ssize_t)text.len;
}
