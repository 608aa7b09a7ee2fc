/* Runs a fuzz target over its corpus without libFuzzer: each file named on the command line, or each file of a
 * named folder. A crash or a sanitizer's report is the failure. */
#include "lib/fs.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const struct fs *root, const char *path)
{
	struct fault f = { 0 };
	_str_ struct str in = { 0 };

	if (fs_read(root, path, 64 << 20, &in, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		return 1;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)in.p, in.len);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0, n = 0;

	for (int i = 1; i < argc; i++) {
		_fs_ struct fs root = { .fd = -1 };
		_strv_ struct strv names = { 0 };
		struct fault f = { 0 };

		if (fs_open(&root, argv[i], &f) < 0 || fs_list(&root, "/", &names, &f) < 0) {
			fprintf(stderr, "%s\n", f.text);
			return 1;
		}
		strv_each(name, &names) {
			bad += replay(&root, name);
			n++;
		}
	}
	printf("%d inputs replayed\n", n);
	return bad || !n;
}
