/* Loads the rules and notices when they are no longer what was loaded: flushed, deleted or edited
 * by hand. The kernel gives rules back in words of its own, so the table cannot be compared with
 * the file. It is compared with what the kernel said right after loading: that listing's digest is
 * kept below /run, beside the mark in the table's comment that names the text it was loaded from.
 * Losing that note only means loading once more, which cuts no connection. */
#include "firstboot/firewall.h"
#include "firstboot/paths.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#include <errno.h>

#define LOADED RUN_DIR "/firewall"

/* Digest of the table as the kernel has it, without counters. -ENOENT: no such table. */
static int listing(char digest[65], struct fault *f)
{
	const char *const argv[] = { "nft", "-s", "list", "table", "inet", FIREWALL_TABLE, NULL };
	_proc_ struct proc_result r = { 0 };
	int ret = proc_run(&(struct proc){ .argv = argv }, &r, f);

	if (ret < 0)
		return fault_wrap(f, "the firewall needs nftables");
	if (r.status)
		return fault_set(f, ESRCH, "no table inet " FIREWALL_TABLE);
	crypto_sha256_hex(str_text(&r.out), r.out.len, digest);
	return 0;
}

/* "<digest of the file> <digest of the listing>" */
static char *note(const char *text, const char *listed)
{
	char digest[65];

	crypto_sha256_hex(text, strlen(text), digest);
	return mem_printf("%s %s\n", digest, listed);
}

int step_firewall_check(struct boot *b, struct fault *f)
{
	_str_ struct str text = { 0 };
	char listed[65];
	int r;

	firewall_render(boot_config(b), &text);
	if (!step_file_is(b, FIREWALL_FILE, 0644, text.p))
		return step_needed(b, FIREWALL_FILE " is to be written");
	if (!b->live)
		return STEP_DONE;
	r = listing(listed, f);
	if (r == -ESRCH)
		return step_needed(b, "the firewall's table is not loaded");
	if (r < 0)
		return r;
	_free_ char *want = note(text.p, listed);

	if (!step_file_is(b, LOADED, 0600, want))
		return step_needed(b, "the firewall's table is not the one that was loaded");
	return STEP_DONE;
}

int step_firewall_apply(struct boot *b, struct fault *f)
{
	_str_ struct str text = { 0 };
	_free_ char *loaded = NULL;
	char listed[65];
	int r;

	firewall_render(boot_config(b), &text);
	r = fs_write(&b->fs, FIREWALL_FILE, 0644, text.p, text.len, f);
	if (r < 0 || !b->live)
		return r;
	r = proc_do(f, "nft", "-f", FIREWALL_FILE, NULL);
	if (r >= 0)
		r = listing(listed, f);
	if (r < 0)
		return r;
	loaded = note(text.p, listed);
	return fs_write_text(&b->fs, LOADED, 0600, loaded, f);
}
