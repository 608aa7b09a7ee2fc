/* See status_table.h. */
#include "firstboot/status_table.h"

#include "cloud-init/config.h"
#include "lib/log.h"
#include "lib/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define CLEAR "\033[H\033[J"

struct status_look status_look(int fd, bool watch)
{
	struct winsize w;
	bool sized = isatty(fd) && ioctl(fd, TIOCGWINSZ, &w) == 0;

	return (struct status_look){ .width = sized ? w.ws_col : 0,
				     .colors = log_colors(fd),
				     .redraw = watch && log_terminal(fd) };
}

static char *names(const struct json *list)
{
	_strv_ struct strv v = { 0 };

	for (size_t i = 0; i < json_len(list); i++) {
		const char *name = json_string(json_at(list, i));

		strv_add(&v, name ? name : "?");
	}
	return strv_sentence(&v);
}

static char *elapsed(const struct json *progress)
{
	int64_t s = json_int(progress, "elapsed_ms", -1) / 1000;

	if (s < 0)
		return mem_strdup("-");
	return s < 120 ? mem_printf("%llds", (long long)s)
		       : mem_printf("%lldm%02llds", (long long)s / 60, (long long)s % 60);
}

static const char *or_dash(const char *s)
{
	return s && *s ? s : "-";
}

bool status_node_is_well(const struct json *n)
{
	return str_eq(json_str(n, "state"), "member") &&
	       str_eq(json_string(json_get(n, "progress", "state", NULL)), "ready") &&
	       json_len(json_get(n, "voters", NULL)) == NODE_COUNT;
}

/* All green is what exit status 0 means. A silent node is red, not dim: nothing on this table wants
 * a person as much. */
static const char *color_of(const struct json *n)
{
	if (!json_bool(n, "answered", false) ||
	    str_eq(json_string(json_get(n, "progress", "state", NULL)), "failed"))
		return RED;
	return status_node_is_well(n) ? GREEN : YELLOW;
}

/* What it says itself, and why it could not be asked from here. */
static char *what_of(const struct json *n)
{
	const char *ssh = json_str(n, "ssh"),
		   *said = json_bool(n, "answered", false)
				   ? json_string(json_get(n, "progress", "text", NULL))
				   : json_str(n, "trouble");

	if (!ssh)
		return mem_strdup(or_dash(said));
	return mem_printf("%s%sover SSH: %s", said ? said : "", said && *said ? "; " : "", ssh);
}

static void node_row(struct table *t, const struct json *n)
{
	const struct json *p = json_get(n, "progress", NULL),
			  *learners = json_get(n, "learners", NULL);
	_free_ char *voters = names(json_get(n, "voters", NULL)), *learning = names(learners),
		    *since = elapsed(p), *what = what_of(n);
	_free_ char *members = json_len(learners)
				       ? mem_printf("%s; learner %s", or_dash(voters), learning)
				       : mem_strdup(or_dash(voters));

	if (json_bool(n, "answered", false))
		table_row(t, or_dash(json_str(n, "name")), or_dash(json_str(n, "state")),
			  or_dash(json_str(p, "step")), since, members, what, NULL);
	else
		table_row(t, or_dash(json_str(n, "name")), "no answer", "-", "-", "-", what, NULL);
}

void status_render(const struct json *j, struct status_look look, struct str *out)
{
	_table_ struct table t = { .columns = 6 };
	const struct json *nodes = json_get(j, "nodes", NULL);

	table_row(&t, "NODE", "STATE", "STEP", "SINCE", "VOTERS", "WHAT", NULL);
	for (size_t i = 0; i < json_len(nodes); i++) {
		node_row(&t, json_at(nodes, i));
		if (look.colors)
			table_color(&t, 1, color_of(json_at(nodes, i)));
	}
	if (look.redraw)
		str_add(out, CLEAR);
	table_print(&t, look.width, out);
}
