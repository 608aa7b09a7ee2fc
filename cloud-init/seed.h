/* The seed: what a blank machine is told. One file on every road, phoenix-seed.yaml, beside
 * cloud-init's NoCloud files; four keys:
 *
 *   node: phoenix-a
 *
 *   wipe: false
 *
 *   description: |  (phoenix.yaml, byte for byte)
 *
 *   secrets: {...}  (this node's part of secrets.yaml)
 */
#pragma once

#include "cloud-init/secrets.h"
#include "lib/fs.h"

#define SEED_FILE "phoenix-seed.yaml"
#define SEED_MAX YAML_TEXT_MAX
/* The imported copy (0600, on the root file system: a re-flash brings a seed of its own), and
 * beside it the checksums of every seed that lay anywhere at an import. */
#define SEED_FOLDER "/etc/phoenix/imported"
#define SEED_IMPORTED SEED_FOLDER "/" SEED_FILE
#define SEED_SEEN SEED_FOLDER "/seen"

struct seed {
	struct cluster_config *config;
	struct secrets *secrets;
	int self;  /* index of this node */
	bool wipe; /* the data disk may be erased, whatever it carries. Once: whoever does it must
		    * note sha256 together with the identity of this root file system, or each boot
		    * would erase again */
	char *description; /* phoenix.yaml, byte for byte */
	char *text;	   /* the file as found, for the import; erased on free */
	char *source; /* for people: "partition /dev/vdb (CIDATA)", "/etc/phoenix", "http://…" */
	char sha256[65];
	struct strv seen; /* SHA-256 of everything found up to this search: kept by seed_import */
};
#define _seed_ _cleanup_(seed_freep)

/* Parses and checks TEXT (description, secrets, whether CA and key match, are of this cluster and
 * not expired). All mistakes to D. */
int seed_parse(const char *file, const char *text, size_t len, struct seed **ret, struct diags *d);
void seed_freep(struct seed **s);

/* Looks in the order of DESIGN: partition labelled CIDATA, /var/lib/cloud/seed/nocloud{,-net},
 * /etc/phoenix, kernel command line phoenix.seed=URL phoenix.seed-sha256=HEX. Changes nothing.
 *
 * Nothing imported yet: the first place that has a seed decides; is that one malformed or its
 * medium unreadable, no later place is taken for it (-EINVAL with the mistakes in D; -EIO,
 * -ETIMEDOUT…: could not look, try again).
 *
 * With an imported copy: a seed that lay nowhere at an earlier import is a corrected seed and is
 * taken, when it is whole and for this node of this cluster. Whatever else is found only warns, in
 * D: a broken stick must not take a working node out.
 *
 * -ENOENT when there is none anywhere; the fault names every place and what was wrong there. */
int seed_find(const struct fs *fs, struct seed **ret, struct diags *d, struct fault *f);
/* Keeps a copy of S, and what was seen where, durably. Returns 1 when something changed, 0 when all
 * was so. */
int seed_import(const struct fs *fs, const struct seed *s, struct fault *f);
/* Is the imported copy this very seed? */
bool seed_is_imported(const struct fs *fs, const struct seed *s);
/* Overwrites and removes phoenix-seed.yaml wherever it is the imported one or one that it replaced;
 * cloud-init's files stay. Only after the import. With DRY nothing changes. Returns how many places
 * still carry it and could be (were) cleaned; what cannot be (write-protected media, places on the
 * network) is told in LEFT. */
int seed_scrub(const struct fs *fs, bool dry, struct diags *left, struct fault *f);
