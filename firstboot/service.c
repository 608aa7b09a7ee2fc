/* See service.h. */
#include "firstboot/service.h"

#include "lib/proc.h"

bool service_exists(const struct fs *fs, const char *unit)
{
	static const char *const dirs[] = { "/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		_free_ char *path = mem_printf("%s/systemd/system/%s", dirs[i], unit);

		if (fs_exists(fs, path))
			return true;
	}
	return false;
}

bool service_active(const char *unit)
{
	return proc_do(NULL, "systemctl", "--quiet", "is-active", unit, NULL) == 0;
}

char *service_state(const char *unit)
{
	const char *const argv[] = { "systemctl", "is-active", unit, NULL };
	_proc_ struct proc_result r = { 0 };

	if (proc_run(&(struct proc){ .argv = argv }, &r, NULL) < 0 || !r.out.len)
		return mem_strdup("");
	return mem_strdup(str_trim(r.out.p));
}

int service_do(const char *verb, const char *unit, struct fault *f)
{
	/* --no-reload: enabling for the next boot would else re-read every unit, a second of a boot */
	return proc_do(f, "systemctl", "--quiet", "--no-block", "--no-reload", verb, unit, NULL);
}
