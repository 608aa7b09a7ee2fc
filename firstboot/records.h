/* What a node has to remember over power cuts and re-flashes beyond its etcd data: one file on the
 * data partition, replaced atomically and durably as a whole, so that no two of its facts are ever
 * from different moments. A promise is kept by having been written here before it was given. */
#pragma once

#include "firstboot/decide.h"
#include "lib/fs.h"

#define RECORD_FILE "record.json"

struct records {
	char cluster[ID_LEN]; /* incarnation this disk belongs to, or is being formed */
	int generation;
	bool formed;		/* this disk was a voter of it, not only promised to it */
	char formation[ID_LEN]; /* our own current try to form, or "" */
	struct promise promise;
	int retired, retired_for;
	struct words words;
	bool recovering; /* the operator said `recover --keep` this node; goes on after a power cut
			    until done */
	bool recover_reset; /* …and etcd has been reset to this node alone */
};

/* Reads DIR/record.json below FS. Absent: an empty record. Not understood: -EBADMSG; the caller
 * must then treat the node as unknown. */
int records_load(const struct fs *fs, const char *dir, struct records *ret, struct fault *f);
int records_save(const struct fs *fs, const char *dir, const struct records *r, struct fault *f);
/* The same from and to text: for tests and the fuzz target. */
int records_parse(const char *text, size_t len, struct records *ret, struct fault *f);
void records_print(const struct records *r, struct str *out);
/* Lower-case hex of 32 digits, or "". */
bool id_valid(const char *id);
