/* A clock that is wrong by years refuses every certificate, K3s's and ours. So first boot goes on
 * only with a clock that can be true: not before this node's certificate was made and the program
 * was installed, not after the certificate ends. Exactness is another matter: without a time
 * server in reach the boot goes on at once and says so; waiting for one would keep a cluster in a
 * closed network from ever forming. */
#include "firstboot/clocks.h"
#include "firstboot/steps.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#define DAY (24 * 60 * 60)

/* When the program came onto this disk, less a day for builders whose clock is ahead, as the
 * certificates begin a day before they are made. */
static int64_t installed(void)
{
	struct stat st;

	return stat("/proc/self/exe", &st) < 0 ? 0 : (int64_t)st.st_mtime - DAY;
}

/* 1, or 0 with WHY. */
static int plausible(const struct boot *b, char why[200], struct fault *f)
{
	const char *cert = b->seed->secrets->nodes[b->seed->self].cert;
	int64_t earliest = installed();
	struct cert_info info;
	int r = crypto_cert_info(cert, &info, f);

	if (r < 0)
		return fault_wrap(f, "certificate of %s", boot_node(b)->name);
	if (info.not_before > earliest)
		earliest = info.not_before;
	return clocks_plausible((int64_t)time(NULL), earliest, info.not_after, why);
}

/* The kernel knows: chrony and timesyncd both clear this flag when they follow a server. */
static bool synchronised(void)
{
	struct timex t = { 0 };

	return adjtimex(&t) != TIME_ERROR && !(t.status & STA_UNSYNC);
}

int step_clock_check(struct boot *b, struct fault *f)
{
	char why[200];
	int r = plausible(b, why, f);

	if (r < 0)
		return r;
	if (r == 0)
		return step_needed(b, "%s", why);
	if (boot_config(b)->ntp.n && !synchronised())
		step_note(b, "the clock is plausible but follows no time server yet");
	return STEP_DONE;
}

/* chrony steps the clock when it has a source; without one nothing can be done but to say so. */
int step_clock_apply(struct boot *b, struct fault *f)
{
	_free_ char *servers = strv_sentence(&boot_config(b)->ntp);
	char why[200];
	int r;

	if (boot_config(b)->ntp.n)
		proc_do(NULL, "chronyc", "makestep", NULL);
	r = plausible(b, why, f);
	if (r != 0)
		return r < 0 ? r : 0;
	return fault_set(f, EAGAIN, "%s; %s%s", why,
			 boot_config(b)->ntp.n
				 ? "waiting for a time server: "
				 : "the description names no network.ntp: set the clock by hand",
			 servers);
}
