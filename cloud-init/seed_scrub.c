/* Removes secrets from where a seed came from: media are lent, lost and thrown away. cloud-init's
 * own files stay, or it would take the next boot for a new machine's. See seed.h. */
#include "cloud-init/seed_media.h"
#include "cloud-init/seed_places.h"

#include "lib/crypto.h"

#include <errno.h>
#include <stdio.h>

/* The name under which a seed is overwritten: a power cut must leave no half of one where it would
 * be taken for a seed. */
#define GONE ".phoenix-seed.gone"

/* What could not be removed, and from where, since this program runs: told, and not tried for ever.
 * Another seed in the same place is tried. */
static struct strv stuck;

struct scrubbing {
	const struct strv *seen;
	const char *imported; /* its SHA-256 */
	bool dry;
	struct diags *left;
	char found[65]; /* by holds(): the seed's SHA-256, or "gone" */
	int count;
};

/* Ours to remove: the imported seed, or one that was seen and replaced. A seed that nobody ever
 * took is somebody's mistake, and stays for him to look at. */
static bool is_spent(const struct scrubbing *x, const char *sha256)
{
	return str_eq(sha256, x->imported) || strv_has(x->seen, sha256);
}

/* Is there a spent seed in FOLDER, or what is left of one? */
static bool holds(struct scrubbing *x, const struct fs *fs, const char *folder)
{
	_free_ char *path = mem_printf("%s/" SEED_FILE, folder);
	_free_ char *gone = mem_printf("%s/" GONE, folder);
	_secret_ struct str text = { 0 };

	snprintf(x->found, sizeof x->found, "gone");
	if (fs_exists(fs, gone))
		return true;
	if (fs_read(fs, path, SEED_MAX, &text, NULL) < 0)
		return false;
	crypto_sha256_hex(str_text(&text), text.len, x->found);
	return is_spent(x, x->found);
}

/* What an interrupted run had begun first, then the seed, if it is spent. */
static int shred(struct scrubbing *x, const struct fs *fs, const char *folder, struct fault *f)
{
	_free_ char *path = mem_printf("%s/" SEED_FILE, folder);
	_free_ char *gone = mem_printf("%s/" GONE, folder);
	struct stat st;
	int r = fs_shred(fs, gone, f);

	if (r < 0 || !holds(x, fs, folder))
		return r;
	if (fs_stat(fs, path, &st, NULL) == 0 && S_ISLNK(st.st_mode))
		return fault_set(f, ELOOP, "it is a link: remove what it leads to");
	/* not every file system of a stick can rename without replacing: then where it lies */
	fs_rename(fs, path, gone, NULL);
	r = fs_shred(fs, path, f);
	return r < 0 ? r : fs_shred(fs, gone, f);
}

static void stays(struct scrubbing *x, const char *shown, const char *why)
{
	diag_add(x->left, shown, 0, 0, NULL, "still carries the seed with its secrets: %s", why);
}

static bool is_stuck(const struct scrubbing *x, const char *shown)
{
	_free_ char *what = mem_printf("%s %s", shown, x->found);

	return strv_has(&stuck, what);
}

static void fails(struct scrubbing *x, const char *shown, const char *why)
{
	_free_ char *what = mem_printf("%s %s", shown, x->found);

	stays(x, shown, why);
	if (!strv_has(&stuck, what))
		strv_add(&stuck, what);
}

static void scrub_folder(struct scrubbing *x, const struct fs *fs, const char *folder,
			 const char *shown)
{
	struct fault f = { 0 };

	if (!holds(x, fs, folder))
		return;
	if (x->dry && is_stuck(x, shown)) {
		stays(x, shown, "it could not be removed");
	} else if (x->dry || shred(x, fs, folder, &f) >= 0) {
		x->count++;
	} else {
		holds(x, fs, folder); /* as it is now: perhaps renamed */
		fails(x, shown, f.text);
	}
}

static bool medium_holds(struct scrubbing *x, const char *device)
{
	_medium_ struct seed_medium m = { .fs.fd = -1 };

	/* what cannot be opened was not read by the search either */
	return seed_medium_open(device, false, &m, NULL) == 0 && holds(x, &m.fs, "");
}

static void scrub_medium(struct scrubbing *x, const char *device)
{
	_free_ char *shown = mem_printf("partition %s (CIDATA)", device);
	_medium_ struct seed_medium m = { .fs.fd = -1 };
	struct fault f = { 0 };

	if (!medium_holds(x, device))
		return;
	if (x->dry && is_stuck(x, shown))
		stays(x, shown, "it could not be removed");
	else if (!seed_medium_writable(device))
		stays(x, shown, "the medium cannot be written");
	else if (x->dry)
		x->count++;
	else if (seed_medium_open(device, true, &m, &f) < 0)
		fails(x, shown, f.text);
	else
		scrub_folder(x, &m.fs, "", shown);
}

static void tell_url(const struct fs *fs, struct diags *left)
{
	static const char *const files[] = { "/proc/1/cmdline", "/proc/cmdline" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_free_ char *url = NULL, *sha256 = NULL;
		_str_ struct str line = { 0 };

		if (fs_read(fs, files[i], 65536, &line, NULL) < 0)
			continue;
		seed_cmdline(str_text(&line), line.len, &url, &sha256);
		if (url) {
			diag_add(left, url, 0, 0, NULL,
				 "may still serve the seed with its secrets: remove it there");
			return;
		}
	}
}

int seed_scrub(const struct fs *fs, bool dry, struct diags *left, struct fault *f)
{
	_secret_ struct str text = { 0 };
	_str_ struct str record = { 0 };
	_strv_ struct strv devices = { 0 }, seen = { 0 };
	char sha256[65], *save = NULL;
	struct scrubbing x = { .seen = &seen, .imported = sha256, .dry = dry, .left = left };
	int r = fs_read(fs, SEED_IMPORTED, SEED_MAX, &text, f);

	if (r < 0)
		return fault_wrap(f, "nothing is removed before the seed is imported");
	crypto_sha256_hex(str_text(&text), text.len, sha256);
	if (fs_read(fs, SEED_SEEN, SEED_MAX, &record, NULL) == 0 && record.len)
		for (char *line = strtok_r(record.p, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			strv_add(&seen, line);
	seed_media_list(fs, &devices, NULL); /* a disk that cannot be read holds nothing up */
	strv_each (device, &devices)
		scrub_medium(&x, device);
	for (const char *const *folder = seed_folders; *folder; folder++)
		scrub_folder(&x, fs, *folder, *folder);
	tell_url(fs, left);
	return x.count;
}
