/* Whose data is on a disk that is to be written, or beside it: nobody's, this node's, somebody else's.
 * Only evidence counts: what is damaged or not understood is never called blank. */
#pragma once

#include "firstboot/data_record.h"
#include "image/layout.h"

/* Is the data partition at DATA of DISK (a device or file) that of OWN? 1 yes; 0 nobody's yet: it
 * carries no file system, or an empty one; -EPERM another node's or cluster's; -ENODATA cannot be
 * told. Changes nothing. */
int flash_data_fits(const char *disk, const struct partition *data, const struct data_record *own,
		    struct fault *f);
/* The same of a second disk (`data:`), which carries nothing (0), or the data file system itself or in
 * a partition; anything else is -EEXIST. */
int flash_data_disk_fits(const char *disk, const struct data_record *own, struct fault *f);
