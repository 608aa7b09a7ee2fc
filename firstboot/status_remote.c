/* See status_remote.h. The nodes make their host keys themselves at their first boot, so at first
 * contact there is nothing to compare with: the key is taken and kept in the cluster's folder,
 * where it is everybody's who has the folder. Another key later is a node that was re-flashed, or
 * another machine: only a person knows which, so it is never taken by itself. */
#include "firstboot/status_remote.h"

#include "cloud-init/config.h"
#include "lib/fs.h"
#include "lib/proc.h"

#include <errno.h>
#include <limits.h>

#define DESCRIPTION_MAX (1 << 20)
#define ANSWER_MS 15000

static int read_description(const char *dir, struct cluster_config **ret, struct fault *f)
{
	_diags_ struct diags d = { 0 };
	_fs_ struct fs fs = { .fd = -1 };
	_str_ struct str text = { 0 };
	_free_ char *file = mem_printf("%s/phoenix.yaml", dir);
	int r = fs_open(&fs, dir, f);

	if (r == 0)
		r = fs_read(&fs, "/phoenix.yaml", DESCRIPTION_MAX, &text, f);
	if (r == -ENOENT || r == -ENOTDIR)
		return fault_set(f, EINVAL, "%s is no folder of a cluster: it has no phoenix.yaml",
				 dir);
	if (r < 0)
		return r;
	if (config_parse(file, str_text(&text), text.len, ret, &d) == 0)
		return 0;
	diags_print(&d);
	return fault_set(f, EINVAL, "%s has mistakes; see `phoenix check %s`", file, dir);
}

/* The option that names the file, as ssh reads it: several names may stand there, and % means
 * something. */
static char *known_hosts_option(const char *dir)
{
	_free_ char *whole = realpath(dir, NULL);
	struct str s = { 0 };

	str_add(&s, "UserKnownHostsFile=\"");
	for (const char *p = whole ? whole : dir; *p; p++) {
		if (*p == '"' || *p == '\\')
			str_add(&s, "\\");
		str_add_n(&s, p, 1);
		if (*p == '%')
			str_add(&s, "%");
	}
	str_add(&s, "/" KNOWN_HOSTS_FILE "\"");
	return str_take(&s);
}

/* TEXT as one word of a shell's line. */
static char *shell_word(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/+:@-";
	struct str s = { 0 };

	if (!text[strspn(text, plain)])
		return mem_strdup(text);
	str_add(&s, "'");
	for (; *text; text++)
		if (*text == '\'')
			str_add(&s, "'\\''");
		else
			str_add_n(&s, text, 1);
	str_add(&s, "'");
	return str_take(&s);
}

/* What ssh said, in one line: the last one, before which stand notes such as that a key was kept.
 * It draws a frame around a changed key and gives a command without the question that comes before
 * it. */
static int refusal(const char *dir, const char *address, struct str *said, struct fault *f)
{
	_free_ char *file = mem_printf("%s%s" KNOWN_HOSTS_FILE, dir, str_ends(dir, "/") ? "" : "/");
	_free_ char *word = shell_word(file);

	if (!strstr(str_text(said), "HOST IDENTIFICATION HAS CHANGED"))
		return fault_set(f, EHOSTUNREACH, "%s", proc_last_line(said, "no answer"));
	return fault_set(f, EHOSTUNREACH,
			 "its host key is not the one in %s: another machine, or the node was "
			 "re-flashed. Only if you know that it was: `ssh-keygen -f %s -R %s`",
			 file, word, address);
}

static int ask_node(const char *dir, const char *address, struct json **ret, struct fault *f)
{
	_free_ char *to = mem_printf("phoenix@%s", address), *hosts = known_hosts_option(dir);
	const char *const argv[] = { "ssh",
				     "-oBatchMode=yes",
				     "-oConnectTimeout=3",
				     "-oStrictHostKeyChecking=accept-new",
				     "-o",
				     hosts,
				     "-oHashKnownHosts=no",
				     to,
				     "sudo",
				     "-n",
				     "phoenix",
				     "status",
				     "--json",
				     NULL };
	_proc_ struct proc_result out = { 0 };
	_json_ struct json *answer = NULL;
	int r = proc_run(&(struct proc){ .argv = argv, .timeout_ms = ANSWER_MS }, &out, f);

	if (r == -ENOENT)
		return fault_set(f, ENOENT,
				 "there is no ssh to ask the nodes with: install openssh-client");
	if (r < 0)
		return r;
	if (!out.out.len)
		return refusal(dir, address, &out.err, f);
	if (json_parse(out.out.p, out.out.len, &answer, f) < 0)
		return fault_wrap(f, "what it answers is no status");
	if (!json_len(json_get(answer, "nodes", NULL)))
		return fault_set(f, EBADMSG, "what it answers is no status: it names no nodes");
	*ret = TAKE_PTR(answer);
	return 0;
}

/* ANSWER is of one node; WHY is what those before it said to ssh. */
static struct json *with_refusals(const struct json *answer, const struct cluster_config *c,
				  const struct fault why[NODE_COUNT])
{
	struct json *whole = json_copy(answer), *nodes = json_array();

	for (size_t i = 0; i < json_len(json_get(answer, "nodes", NULL)); i++) {
		struct json *n = json_copy(json_at(json_get(answer, "nodes", NULL), i));
		int k = json_str(n, "name") ? config_node(c, json_str(n, "name")) : -1;

		if (k >= 0 && why[k].code)
			json_set_str(n, "ssh", why[k].text);
		json_push(nodes, n);
	}
	json_set(whole, "nodes", nodes);
	return whole;
}

static struct json *nobody(const struct cluster_config *c, const struct fault why[NODE_COUNT])
{
	struct json *j = json_object(), *nodes = json_array();

	json_set_int(j, "version", 1);
	json_set_str(j, "cluster", c->name);
	for (int i = 0; i < NODE_COUNT; i++) {
		struct json *n = json_object();

		json_set_str(n, "name", c->nodes[i].name);
		json_set_str(n, "address", c->nodes[i].address);
		json_set_bool(n, "answered", false);
		json_set_str(n, "trouble", why[i].text);
		json_push(nodes, n);
	}
	json_set(j, "nodes", nodes);
	return j;
}

int status_ask(const char *dir, struct json **ret, struct fault *f)
{
	_config_ struct cluster_config *c = NULL;
	_json_ struct json *answer = NULL;
	struct fault why[NODE_COUNT] = { 0 };
	int r = read_description(dir, &c, f);

	if (r < 0 || !c)
		return r;
	for (int i = 0; i < NODE_COUNT && !answer; i++) {
		r = ask_node(dir, c->nodes[i].address, &answer, &why[i]);
		if (r == -ENOENT)
			return fault_set(f, ENOENT, "%s", why[i].text);
	}
	*ret = answer ? with_refusals(answer, c, why) : nobody(c, why);
	return 0;
}
