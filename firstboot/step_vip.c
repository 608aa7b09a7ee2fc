/* The floating address, by keepalived. Without `vip` in the description its configuration is
 * absent and it does not run. */
#include "firstboot/nic.h"
#include "firstboot/paths.h"
#include "firstboot/service.h"
#include "firstboot/steps.h"
#include "firstboot/vip.h"

#include <errno.h>

#define SERVICE "keepalived.service"
#define CONFIG "/etc/keepalived/keepalived.conf"

static int check_none(struct boot *b)
{
	if (fs_exists(&b->fs, CONFIG))
		return step_needed(b, CONFIG " is to go: the description has no vip");
	if (service_exists(&b->fs, SERVICE) && service_active(SERVICE))
		return step_needed(b, "keepalived is to stop: the description has no vip");
	return STEP_DONE;
}

static int render(struct boot *b, struct str *config, struct str *script, struct fault *f)
{
	_free_ char *interface = nic_by_mac(&b->fs, boot_node(b)->mac);

	if (!interface)
		return fault_set(f, EAGAIN, "the interface with the MAC %s is gone",
				 boot_node(b)->mac);
	vip_render(boot_config(b), b->seed->self, interface, config);
	vip_render_check(boot_config(b), b->seed->self, script);
	return 0;
}

int step_vip_check(struct boot *b, struct fault *f)
{
	_str_ struct str config = { 0 }, script = { 0 };
	int r;

	if (!boot_config(b)->vip)
		return check_none(b);
	if (!service_exists(&b->fs, SERVICE))
		return fault_set(f, ENOENT,
				 "the description has a vip, but there is no " SERVICE
				 " (package keepalived)");
	r = render(b, &config, &script, f);
	if (r < 0)
		return r;
	if (!step_file_is(b, VIP_CHECK, 0755, script.p))
		return step_needed(b, VIP_CHECK " is to be written");
	if (!step_file_is(b, CONFIG, 0644, config.p))
		return step_needed(b, CONFIG " is to be written");
	if (!service_active(SERVICE))
		return step_needed(b, "keepalived does not run");
	return STEP_DONE;
}

static int apply_none(struct boot *b, struct fault *f)
{
	int r = 0;

	if (service_exists(&b->fs, SERVICE) && service_active(SERVICE))
		r = service_do("stop", SERVICE, f);
	return r < 0 ? r : fs_remove(&b->fs, CONFIG, f);
}

int step_vip_apply(struct boot *b, struct fault *f)
{
	_str_ struct str config = { 0 }, script = { 0 };
	int r, changed = 0;

	if (!boot_config(b)->vip)
		return apply_none(b, f);
	r = render(b, &config, &script, f);
	if (r >= 0)
		r = fs_write(&b->fs, VIP_CHECK, 0755, script.p, script.len, f);
	if (r >= 0)
		r = changed = fs_write(&b->fs, CONFIG, 0644, config.p, config.len, f);
	if (r >= 0)
		r = service_do("enable", SERVICE, f);
	if (r < 0)
		return r;
	/* a reload keeps the address where it is */
	return service_do(changed > 0 ? "reload-or-restart" : "start", SERVICE, f);
}
