/* What is installed into the cluster: files NN-NAME.yaml of plain objects, in the order of their names,
 * that came with the system. Each is a component. @NAME@ in one stands for a value of the description
 * or the secrets, of a closed set; a comment `# needs: WORD` at its head makes it one that not every
 * description wants. */
#pragma once

#include "cloud-init/config.h"
#include "cloud-init/secrets.h"
#include "lib/fs.h"

struct component {
	char *name;	 /* "database" of 50-database.yaml */
	char *file;	 /* its path, for messages */
	struct str text; /* rendered; may hold secrets */
};
struct components {
	struct component *v;
	size_t n;
	char digest[17]; /* of all of them: nodes that would install the same have the same */
};
#define _components_ _cleanup_(components_free)
/* Reads and renders what this description wants of the files in FOLDER. -EINVAL: a file that is not
 * understood, by name and line. */
int components_load(const struct fs *fs, const char *folder, const struct cluster_config *c,
		    const struct secrets *s, struct components *ret, struct fault *f);
void components_free(struct components *all);

/* One value. */
struct manifest_value {
	const char *name;
	enum { VALUE_CONFIG, VALUE_SECRET, VALUE_COMPUTED } from;
	size_t offset; /* of a char * in cluster_config or secrets; a secret is given as base64 */
	void (*put)(const struct cluster_config *c, struct str *out);
};
extern const struct manifest_value manifest_values[]; /* ended by a row without a name */
/* Appends TEXT with its placeholders replaced. FILE is for messages. */
int manifest_render(const char *file, const char *text, const struct cluster_config *c,
		    const struct secrets *s, struct str *out, struct fault *f);
/* Whether the description wants it, by TEXT's head. 1 yes, 0 no, -EINVAL: an unknown word. */
int manifest_wanted(const char *file, const char *text, const struct cluster_config *c,
		    struct fault *f);
