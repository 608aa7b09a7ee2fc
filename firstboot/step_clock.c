/* A clock that is wrong by years refuses every certificate, K3s's and ours. So first boot goes on
 * only with a clock that can be true: not before this node's certificate was made and the program
 * was installed, not after the certificate ends. Exactness is another matter: without a time
 * server in reach the boot goes on at once and says so; waiting for one would keep a cluster in a
 * closed network from ever forming. */
#include "firstboot/steps.h"
#include "lib/crypto.h"
#include "lib/proc.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#define DAY (24 * 60 * 60)

static void date(int64_t t, char out[32])
{
	time_t when = (time_t)t;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
		memcpy(out, "?", 2);
}

/* When the program came onto this disk, less a day for builders whose clock is ahead, as the
 * certificates begin a day before they are made. */
static int64_t installed(void)
{
	struct stat st;

	return stat("/proc/self/exe", &st) < 0 ? 0 : (int64_t)st.st_mtime - DAY;
}

static int plausible(const struct boot *b, char why[200], struct fault *f)
{
	const char *cert = b->seed->secrets->nodes[b->seed->self].cert;
	int64_t now = (int64_t)time(NULL), earliest = installed();
	struct cert_info info;
	char is[32], limit[32];
	int r = crypto_cert_info(cert, &info, f);

	if (r < 0)
		return fault_wrap(f, "certificate of %s", boot_node(b)->name);
	if (info.not_before > earliest)
		earliest = info.not_before;
	date(now, is);
	if (now < earliest) {
		date(earliest, limit);
		snprintf(why, 200, "the clock says %s, but it is later than %s", is, limit);
		return 0;
	}
	if (now > info.not_after) {
		date(info.not_after, limit);
		snprintf(why, 200,
			 "the clock says %s, but this node's certificate ended on %s: is the clock "
			 "wrong, or the cluster folder to be renewed?",
			 is, limit);
		return 0;
	}
	return 1;
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
