/* See fault.h. */
#include "lib/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A fault is one line: whatever a peer or a program wrote into it is flattened. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

/* By way of a second buffer: an argument may be the text that F holds already. */
static void format(struct fault *f, const char *fmt, va_list ap)
{
	char text[sizeof f->text];

	vsnprintf(text, sizeof text, fmt, ap);
	flatten(text);
	memcpy(f->text, text, sizeof text);
}

int fault_set(struct fault *f, int code, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return -code;
	va_start(ap, fmt);
	format(f, fmt, ap);
	va_end(ap);
	f->code = code;
	return -code;
}

int fault_errno(struct fault *f, const char *fmt, ...)
{
	/* EBADMSG is our own word for what was read and not understood. Some file systems say it of
	 * a checksum of theirs: of what could not be read. */
	int code = errno && errno != EBADMSG ? errno : EIO;
	va_list ap;
	size_t len;

	if (!f)
		return -code;
	va_start(ap, fmt);
	format(f, fmt, ap);
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof f->text - len, ": %s", strerror(code));
	f->code = code;
	return -code;
}

int fault_wrap(struct fault *f, const char *fmt, ...)
{
	char old[sizeof f->text];
	va_list ap;
	size_t len;

	if (!f)
		return -EIO;
	memcpy(old, f->text, sizeof old);
	va_start(ap, fmt);
	format(f, fmt, ap);
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof f->text - len, ": %s", old);
	return -f->code;
}

void fault_clear(struct fault *f)
{
	f->code = 0;
	f->text[0] = 0;
}
