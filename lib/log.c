/* See log.h. */
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int max_level = -1;

void log_set_level(enum log_level level)
{
	max_level = (int)level;
}

bool log_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

bool log_colors(int fd)
{
	const char *no = getenv("NO_COLOR");

	return log_terminal(fd) && !(no && *no);
}

/* systemd names the journal's socket in JOURNAL_STREAM as device:inode of the stream. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%lu:%lu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const color[] = { [LOG_LEVEL_ERROR] = "\033[31m",
					     [LOG_LEVEL_WARN] = "\033[33m",
					     [LOG_LEVEL_DEBUG] = "\033[2m" };
	char line[4096];
	va_list ap;

	if (max_level < 0) {
		const char *debug = getenv("PHOENIX_DEBUG");

		max_level = debug && *debug == '1' ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	}
	if ((int)level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	/* One line is one record: what came from outside cannot forge a second one. */
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	if (to_journal())
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	else if (color[level] && log_colors(STDERR_FILENO))
		fprintf(stderr, "%s%s\033[0m\n", color[level], line);
	else
		fprintf(stderr, "%s\n", line);
}
