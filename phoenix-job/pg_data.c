/* See pg_data.h. */
#include "phoenix-job/pg_data.h"

#include "phoenix-job/pg_core.h"

#include "lib/json.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK "/var/lib/phoenix/lock"
#define GONE "/var/lib/phoenix/gone"
#define MINUTES 60000

bool pg_data_is_there(const struct fs *fs)
{
	struct stat st;
	int r = fs_stat(fs, PG_DATA "/PG_VERSION", &st, NULL);

	/* a disk that does not answer has not said that there is none */
	return r != -ENOENT && r != -ENOTDIR;
}

/* A path as programs see it, who know nothing of the root. */
static char *seen(const struct fs *fs, const char *path)
{
	return mem_printf("%s%s", str_eq(fs->path, "/") ? "" : fs->path, path);
}

static int erase(const struct fs *fs, const char *path, struct fault *f)
{
	_free_ char *at = seen(fs, path);
	const char *argv[] = { "rm", "-rf", "--one-file-system", "--", at, NULL };

	if (!fs_exists(fs, path))
		return 0;
	return proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 30 * MINUTES }, NULL, f);
}

int pg_data_remove(const struct fs *fs, const char *path, struct fault *f)
{
	if (!fs_exists(fs, path))
		return 0;
	if (erase(fs, GONE, f) < 0 || fs_rename(fs, path, GONE, f) < 0)
		return -f->code;
	return erase(fs, GONE, f);
}

/* Rewinding was begun and not ended. */
static int drop_half_rewound(const struct fs *fs, struct fault *f)
{
	if (!fs_exists(fs, PG_REWINDING))
		return 0;
	if (pg_data_remove(fs, PG_DATA, f) < 0 || fs_remove(fs, PG_REWINDING, f) < 0)
		return -f->code;
	return 0;
}

/* A data directory that was emptied, or damaged beyond its first file, is none. */
static int put_in_order(const struct fs *fs, struct fault *f)
{
	if (erase(fs, GONE, f) < 0 || pg_data_remove(fs, PG_NEW, f) < 0 ||
	    drop_half_rewound(fs, f) < 0)
		return -f->code;
	if (!pg_data_is_there(fs) && fs_exists(fs, PG_DATA) && pg_data_remove(fs, PG_DATA, f) < 0)
		return -f->code;
	if (!fs_exists(fs, PG_DATA) && !fs_exists(fs, PG_READY) && fs_exists(fs, PG_OLD))
		return fs_rename(fs, PG_OLD, PG_DATA, f);
	return 0;
}

int pg_data_open(const struct fs *fs, int *lock, struct fault *f)
{
	int fd = fs_openat(fs, LOCK, O_RDWR | O_CREAT, 0600, f);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return fault_set(f, EBUSY, "%s: another pod uses this volume", LOCK);
	}
	*lock = fd;
	return put_in_order(fs, f);
}

int pg_data_made(const struct fs *fs, struct fault *f)
{
	_free_ char *new = seen(fs, PG_NEW);
	const char *argv[] = { "sync", "-f", new, NULL };

	if (pg_data_remove(fs, PG_READY, f) < 0 ||
	    proc_ok(&(struct proc){ .argv = argv, .timeout_ms = 30 * MINUTES }, NULL, f) < 0)
		return -f->code;
	return fs_rename(fs, PG_NEW, PG_READY, f);
}

int pg_data_take(const struct fs *fs, struct fault *f)
{
	/* before the new data stands in its place: the mark would be of that */
	if (drop_half_rewound(fs, f) < 0)
		return -f->code;
	if (fs_exists(fs, PG_DATA) &&
	    (pg_data_remove(fs, PG_OLD, f) < 0 || fs_rename(fs, PG_DATA, PG_OLD, f) < 0))
		return -f->code;
	if (fs_rename(fs, PG_READY, PG_DATA, f) < 0)
		return -f->code;
	return fs_remove(fs, PG_PROMOTING, f) < 0 ? -f->code : 0;
}

int pg_data_system(const char *path, char ret[24], struct fault *f)
{
	static const char key[] = "Database system identifier:";
	const char *argv[] = { "pg_controldata", "-D", path, NULL };
	const char *env[] = { "LC_ALL=C", NULL };
	_str_ struct str out = { 0 };
	const char *at;

	ret[0] = 0;
	if (proc_ok(&(struct proc){ .argv = argv, .env = env }, &out, f) < 0)
		return -f->code;
	at = strstr(str_text(&out), key);
	if (!at || sscanf(at + strlen(key), " %23[0-9]", ret) != 1)
		return fault_set(f, EIO, "pg_controldata names no system identifier of %s", path);
	return 0;
}

int pg_data_prepare(const struct fs *fs, bool standby, struct fault *f)
{
	static const char *const away[] = { "recovery.signal", "postmaster.opts", NULL };

	/* what somebody set by ALTER SYSTEM, or a clone brought along */
	if (fs_write(fs, PG_DATA "/postgresql.auto.conf", 0600, "", 0, f) < 0)
		return -f->code;
	for (int i = 0; away[i]; i++) {
		_free_ char *path = mem_printf(PG_DATA "/%s", away[i]);

		if (fs_remove(fs, path, f) < 0)
			return -f->code;
	}
	/* no process of PostgreSQL is left: the caller knows. Its number may be another's today */
	if (fs_remove(fs, PG_DATA "/postmaster.pid", f) < 0)
		return -f->code;
	if (standby)
		return fs_write(fs, PG_DATA "/standby.signal", 0600, "", 0, f) < 0 ? -f->code : 0;
	return fs_remove(fs, PG_DATA "/standby.signal", f) < 0 ? -f->code : 0;
}

int pg_data_vote(const struct fs *fs, struct pg_vote *ret, struct fault *f)
{
	_str_ struct str text = { 0 };
	_json_ struct json *j = NULL;
	const char *holder;
	int r;

	*ret = (struct pg_vote){ 0 };
	r = fs_read(fs, PG_VOTE_FILE, 4096, &text, f);
	if (r == -ENOENT) {
		fault_clear(f);
		return 0;
	}
	if (r < 0)
		return r;
	(void)json_parse(str_text(&text), text.len, &j, NULL);
	holder = json_str(j, "holder");
	ret->term = json_int(j, "term", -1);
	if (ret->term < 0 || !holder || strlen(holder) >= sizeof ret->holder)
		return fault_set(f, EIO, PG_VOTE_FILE ": holds no vote");
	memcpy(ret->holder, holder, strlen(holder) + 1);
	return 0;
}

int pg_data_keep_vote(const struct fs *fs, const struct pg_vote *vote, struct fault *f)
{
	_json_ struct json *j = json_object();
	_str_ struct str text = { 0 };

	json_set_int(j, "term", vote->term);
	json_set_str(j, "holder", vote->holder);
	json_print(j, 0, &text);
	return fs_write_text(fs, PG_VOTE_FILE, 0600, str_text(&text), f) < 0 ? -f->code : 0;
}
