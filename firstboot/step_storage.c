/* What Longhorn asks of a node: an iSCSI daemon that runs, and a multipath daemon that leaves its
 * disks alone (it would take them as paths and make every volume busy). A node without works as a
 * member of the cluster all the same, so a daemon that does not start is told and stops nothing.
 * */
#include "firstboot/service.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"

#include <errno.h>

#define ISCSID "iscsid.service"
#define MULTIPATHD "multipathd.service"
#define MULTIPATH_FILE "/etc/multipath/conf.d/phoenix.conf"
#define INITIATOR_FILE "/etc/iscsi/initiatorname.iscsi"

static const char multipath_text[] = "# phoenix: Longhorn's volumes are single-path disks\n"
				     "blacklist {\n"
				     "\tdevnode \"^sd[a-z0-9]+\"\n"
				     "}\n";

/* It was told to start, in this process's life. Its start waits for half the boot's units, so it
 * is not waited for: only volumes need it, and those come after K3s. */
static bool iscsid_asked;

static bool wanted(const struct boot *b)
{
	return str_eq(boot_config(b)->storage_provider, "longhorn");
}

/* The distribution's package makes one when it is installed, so all machines of one image would
 * share it. An operator's own name stays. */
static bool needs_initiator(const struct boot *b)
{
	_str_ struct str text = { 0 };

	return fs_read(&b->fs, INITIATOR_FILE, 65536, &text, NULL) < 0 || !text.len ||
	       strstr(text.p, "GenerateName=yes");
}

static char *initiator(const struct boot *b)
{
	_free_ char *who = mem_printf("%s %s", b->seed->secrets->exchange_ca, boot_node(b)->name);
	char digest[65];

	crypto_sha256_hex(who, strlen(who), digest);
	return mem_printf("# phoenix: this node's name among iSCSI initiators\n"
			  "InitiatorName=iqn.1993-08.org.debian:01:%.12s\n",
			  digest);
}

static int check_iscsid(struct boot *b)
{
	_free_ char *state = NULL;

	if (!service_exists(&b->fs, ISCSID)) {
		step_note(b,
			  "no " ISCSID " (package open-iscsi): Longhorn's volumes will not work");
		return STEP_DONE;
	}
	state = service_state(ISCSID);
	if (str_eq(state, "failed"))
		step_note(b, ISCSID " does not start: Longhorn's volumes will not work; see "
				    "journalctl -u " ISCSID);
	else if (!iscsid_asked && !str_eq(state, "active"))
		return step_needed(b, ISCSID " does not run");
	return STEP_DONE;
}

int step_storage_check(struct boot *b, struct fault *f)
{
	(void)f;
	if (!wanted(b))
		return STEP_DONE;
	if (!step_file_is(b, MULTIPATH_FILE, 0644, multipath_text))
		return step_needed(b, MULTIPATH_FILE " is to be written");
	if (needs_initiator(b))
		return step_needed(b, INITIATOR_FILE " is to be written");
	return b->live ? check_iscsid(b) : STEP_DONE;
}

int step_storage_apply(struct boot *b, struct fault *f)
{
	_free_ char *name = initiator(b);
	int r = fs_write_text(&b->fs, MULTIPATH_FILE, 0644, multipath_text, f), changed = r;

	if (r >= 0 && needs_initiator(b))
		r = fs_write_text(&b->fs, INITIATOR_FILE, 0600, name, f);
	if (r < 0 || !b->live)
		return r;
	if (changed && service_exists(&b->fs, MULTIPATHD))
		r = service_do("try-reload-or-restart", MULTIPATHD, f);
	if (r >= 0 && service_exists(&b->fs, ISCSID)) {
		/* Not enabled as well: it is started here at each boot, and enabling runs
		 * update-rc.d, one to two seconds in which the cluster could form (measured). */
		iscsid_asked = true;
		r = service_do("start", ISCSID, f);
	}
	return r < 0 ? r : 0;
}
