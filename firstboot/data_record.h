/* Whose data partition this is: a small file on it. An old disk, a disk from another cluster or
 * from another node of this one must never be taken for this node's: what is said on it decides
 * whether the node is blank. */
#pragma once

#include "lib/fs.h"

#define DATA_RECORD_FILE "/state/data.json" /* below the file system's own root */

struct data_record {
	char *cluster; /* name, for people */
	char *node;
	char exchange_ca
		[65];	   /* SHA-256 of the cluster's exchange CA: two clusters may share a name */
	char wiped_by[65]; /* SHA-256 of the seed whose `wipe: true` made this file system, or "" */
};
#define _record_ _cleanup_(data_record_free)

/* Reads it below DIR, the file system's own root as seen in FS. 1 found; 0 there is none and the
 * file system holds nothing either: just made. -ENODATA: there is none, but other files; -EBADMSG:
 * not understood. */
int data_record_read(const struct fs *fs, const char *dir, struct data_record *ret,
		     struct fault *f);
/* The same, of the file's text. 0 or -EBADMSG. */
int data_record_parse(const char *text, size_t len, struct data_record *ret, struct fault *f);
int data_record_write(const struct fs *fs, const char *dir, const struct data_record *r,
		      struct fault *f);
/* 0 = FOUND names the node of OWN, of the same cluster; -EPERM tells whose it is. DEVICE is for the
 * text, which says nothing of what to do: that is the caller's. */
int data_record_fits(const struct data_record *own, const struct data_record *found,
		     const char *device, struct fault *f);
void data_record_free(struct data_record *r);
