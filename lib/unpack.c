/* See unpack.h. */
#include "lib/unpack.h"

#include "lib/str.h"
#include "lib/unpack_internal.h"

#include <errno.h>

struct unpack {
	const struct unpack_source *source;
	const struct unpack_format *format; /* NULL: raw */
	void *state;
	char *name;
	bool done, over;
	struct unpack_input in;
};

static const struct unpack_format *const formats[] = { &unpack_zstd, &unpack_xz };

/* Adds to the input until it holds WANTED bytes or the source has ended. */
static int fill(struct unpack *u, size_t wanted, struct fault *f)
{
	struct unpack_input *in = &u->in;

	if (in->at) {
		memmove(in->buf, in->buf + in->at, in->len - in->at);
		in->len -= in->at;
		in->at = 0;
	}
	while (in->len < wanted && !in->ended) {
		ssize_t n = u->source->read(u->source->user, in->buf + in->len,
					    sizeof in->buf - in->len, f);

		if (n < 0)
			return (int)n;
		in->ended = n == 0;
		in->len += (size_t)n;
	}
	return 0;
}

static const struct unpack_format *sniff(const struct unpack_input *in)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (in->len >= formats[i]->magic_len &&
		    memcmp(in->buf, formats[i]->magic, formats[i]->magic_len) == 0)
			return formats[i];
	return NULL;
}

int unpack_open(const struct unpack_source *source, const char *name, struct unpack **ret,
		struct fault *f)
{
	_unpack_ struct unpack *u = mem_alloc(sizeof *u);
	int r;

	u->source = source;
	u->name = mem_strdup(name);
	r = fill(u, 8, f);
	if (r < 0)
		return r;
	if (!u->in.len)
		return fault_set(f, ENODATA, "%s is empty", name);
	u->format = sniff(&u->in);
	r = u->format ? u->format->start(&u->state, f) : 0;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(u);
	return 0;
}

const char *unpack_kind(const struct unpack *u)
{
	return u->format ? u->format->kind : "raw";
}

static ssize_t step_raw(struct unpack_input *in, void *out, size_t size, bool *done)
{
	size_t n = in->len - in->at < size ? in->len - in->at : size;

	memcpy(out, in->buf + in->at, n);
	in->at += n;
	*done = true;
	return (ssize_t)n;
}

/* Decodes once. 0 without `over`: more input is needed. */
static ssize_t step(struct unpack *u, void *out, size_t size, struct fault *f)
{
	struct unpack_input *in = &u->in;
	size_t before = in->at;
	ssize_t made = u->format ? u->format->step(u->state, in, out, size, &u->done, u->name, f)
				 : step_raw(in, out, size, &u->done);

	if (made != 0)
		return made;
	if (in->at < in->len)
		return in->at > before ? 0
				       : fault_set(f, EBADMSG,
						   "%s is spoiled: no way on at its end", u->name);
	u->over = in->ended;
	if (u->over && !u->done)
		return fault_set(f, EBADMSG, "%s was cut off: its end is missing", u->name);
	return 0;
}

ssize_t unpack_read(struct unpack *u, void *buf, size_t n, struct fault *f)
{
	size_t got = 0;

	while (got < n && !u->over) {
		ssize_t made = step(u, (unsigned char *)buf + got, n - got, f);

		if (made == 0 && !u->over)
			made = fill(u, 1, f);
		if (made < 0)
			return made;
		got += (size_t)made;
	}
	return (ssize_t)got;
}

void unpack_freep(struct unpack **pu)
{
	struct unpack *u = *pu;

	if (!u)
		return;
	if (u->state)
		u->format->stop(u->state);
	free(u->name);
	free(u);
	*pu = NULL;
}
