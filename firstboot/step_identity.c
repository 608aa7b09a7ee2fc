/* This machine is the node that the seed is for: a seed medium in the wrong machine would make a
 * second phoenix-a beside the first, with its keys. The MAC address decides, because it is the
 * only thing that a blank machine has of its own; the host's name is then made to follow. */
#include "firstboot/nic.h"
#include "firstboot/steps.h"
#include "lib/proc.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#define HOSTNAME "/etc/hostname"
#define MACHINE_ID "/etc/machine-id"

static int check_mac(struct boot *b, struct fault *f)
{
	const struct node_config *n = boot_node(b);
	_free_ char *own = NULL, *all = NULL;
	int r;

	/* the disk of a machine that is off: nobody to ask */
	if (!b->live && !fs_is_dir(&b->fs, "/sys/class/net"))
		return 0;
	r = nic_refuse_other(&b->fs, boot_config(b), b->seed->self, f);
	if (r < 0)
		return r;
	own = nic_by_mac(&b->fs, n->mac);
	if (own)
		return 0;
	all = nic_sentence(&b->fs);
	return fault_set(f, EAGAIN, "no interface has the MAC %s of %s; this machine has %s",
			 n->mac, n->name, all);
}

static bool has_machine_id(const struct boot *b)
{
	_str_ struct str text = { 0 };
	const char *p;
	size_t n = 0;

	if (fs_read(&b->fs, MACHINE_ID, 256, &text, NULL) < 0 || !text.len)
		return false;
	for (p = str_trim(text.p); isxdigit((unsigned char)*p); p++)
		n++;
	return n == 32 && !*p;
}

static bool hostname_is(const struct boot *b, const char *name)
{
	_free_ char *line = mem_printf("%s\n", name);
	_str_ struct str text = { 0 };
	char now[256] = "";

	if (b->live && (gethostname(now, sizeof now - 1) < 0 || !str_eq(now, name)))
		return false;
	return fs_read(&b->fs, HOSTNAME, 4096, &text, NULL) == 0 && str_eq(str_text(&text), line);
}

int step_identity_check(struct boot *b, struct fault *f)
{
	const struct node_config *n = boot_node(b);
	int r = check_mac(b, f);

	if (r < 0)
		return r;
	if (!hostname_is(b, n->name))
		return step_needed(b, "the machine's name is to be %s", n->name);
	/* an image must not carry one: with --root its absence is right */
	if (b->live && !has_machine_id(b))
		return step_needed(b, "the machine has no id in " MACHINE_ID);
	return STEP_DONE;
}

int step_identity_apply(struct boot *b, struct fault *f)
{
	const char *name = boot_node(b)->name;
	_free_ char *line = mem_printf("%s\n", name);
	int r = fs_write_text(&b->fs, HOSTNAME, 0644, line, f);

	if (r < 0)
		return r;
	if (b->live && sethostname(name, strlen(name)) < 0)
		return fault_errno(f, "set the machine's name");
	if (b->live && !has_machine_id(b))
		return proc_do(f, "systemd-machine-id-setup", NULL);
	return 0;
}
