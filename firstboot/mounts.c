/* See mounts.h. */
#include "firstboot/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

const char *mount_table;

/* Space, tab, newline and backslash come as \040 and so on. In place. */
static char *unescape(char *s)
{
	char *out = s;

	for (char *p = s; *p; out++) {
		if (*p == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*out = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else {
			*out = *p++;
		}
	}
	*out = 0;
	return s;
}

static bool has_option(const char *options, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = options; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

struct line {
	unsigned major, minor;
	char *root, *point, *options, *type, *source, *super;
};

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse(char *text, struct line *l)
{
	char *word[6], *rest = text, *tail;

	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		word[i] = strsep(&rest, " ");
		if (!word[i] || !rest)
			return false;
	}
	if (sscanf(word[2], "%u:%u", &l->major, &l->minor) != 2)
		return false;
	/* optional fields, none or several, end with a lone dash */
	tail = str_starts(rest, "- ") ? rest : strstr(rest, " - ");
	if (!tail)
		return false;
	tail += *tail == ' ' ? 3 : 2;
	l->type = strsep(&tail, " ");
	l->source = strsep(&tail, " ");
	l->super = strsep(&tail, "\n");
	if (!l->super)
		return false;
	l->root = unescape(word[3]);
	l->point = unescape(word[4]);
	l->options = word[5];
	return true;
}

/* Calls SEE with each line in order; stops when it returns true. */
static int each_line(bool (*see)(void *user, const struct line *l), void *user, struct fault *f)
{
	const char *path = mount_table ? mount_table : "/proc/self/mountinfo";
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return fault_errno(f, "%s", path);
	while (getline(&text, &size, file) > 0) {
		struct line l;

		if (parse(text, &l) && see(user, &l))
			break;
	}
	free(text);
	fclose(file);
	return 0;
}

struct wanted {
	const char *path;
	struct mount *found;
	bool any;
};

/* A later line covers an earlier one. */
static bool see_point(void *user, const struct line *l)
{
	struct wanted *w = user;

	if (!str_eq(l->point, w->path))
		return false;
	mount_free(w->found);
	*w->found = (struct mount){ .device = makedev(l->major, l->minor),
				    .root = mem_strdup(l->root),
				    .source = mem_strdup(unescape(l->source)),
				    .read_only = has_option(l->options, "ro") ||
						 has_option(l->super, "ro") };
	snprintf(w->found->type, sizeof w->found->type, "%s", l->type);
	w->any = true;
	return false;
}

int mount_at(const char *path, struct mount *ret, struct fault *f)
{
	struct mount m = { 0 };
	struct wanted w = { .path = path, .found = &m };
	int r = each_line(see_point, &w, f);

	if (r < 0 || !w.any)
		return r;
	*ret = m;
	return 1;
}

struct device_wanted {
	dev_t device;
	char *point;
};

static bool see_device(void *user, const struct line *l)
{
	struct device_wanted *w = user;

	if (makedev(l->major, l->minor) == w->device)
		w->point = mem_strdup(l->point);
	return w->point;
}

char *mount_of(dev_t device)
{
	struct device_wanted w = { .device = device };

	each_line(see_device, &w, NULL);
	return w.point;
}

struct below {
	const char *path;
	struct strv *points;
};

static bool see_below(void *user, const struct line *l)
{
	const struct below *b = user;
	size_t n = strlen(b->path);

	if (str_starts(l->point, b->path) && (!l->point[n] || l->point[n] == '/'))
		strv_add(b->points, l->point);
	return false;
}

int mount_below(const char *path, struct strv *points, struct fault *f)
{
	return each_line(see_below, &(struct below){ path, points }, f);
}

void mount_free(struct mount *m)
{
	free(m->root);
	free(m->source);
	*m = (struct mount){ 0 };
}
