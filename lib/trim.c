/* See trim.h. */
#include "lib/trim.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void trim_code(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof line, maps)) {
		uintptr_t from, to;
		char path[2];

		/* of a file: read and executed, private, with an absolute path */
		if (sscanf(line, "%lx-%lx r-xp %*s %*s %*s %1s", &from, &to, path) == 3 &&
		    *path == '/')
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
	if (maps)
		fclose(maps);
}
