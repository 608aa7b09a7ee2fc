/* See ptable_fdisk.h. */
#include "lib/ptable_fdisk.h"

#include "lib/library.h"
#include "lib/str.h"

struct fdisk_calls fdisk;
#define CALL(name)                          \
	{                                   \
		"fdisk_" #name, &fdisk.name \
	}
static const struct library_call calls[] = {
	CALL(add_partition),
	CALL(assign_device_by_fd),
	CALL(create_disklabel),
	CALL(disable_dialogs),
	CALL(enable_bootbits_protection),
	CALL(get_disklabel_id),
	CALL(get_label),
	CALL(get_partitions),
	CALL(gpt_get_partition_attrs),
	CALL(gpt_set_partition_attrs),
	CALL(has_label),
	CALL(is_labeltype),
	CALL(label_get_name),
	CALL(label_get_parttype_from_string),
	CALL(new_context),
	CALL(new_partition),
	CALL(new_unknown_parttype),
	CALL(partition_get_name),
	CALL(partition_get_partno),
	CALL(partition_get_size),
	CALL(partition_get_start),
	CALL(partition_get_type),
	CALL(partition_get_uuid),
	CALL(partition_has_size),
	CALL(partition_has_start),
	CALL(partition_set_name),
	CALL(partition_set_partno),
	CALL(partition_set_size),
	CALL(partition_set_start),
	CALL(partition_set_type),
	CALL(partition_set_uuid),
	CALL(partition_size_explicit),
	CALL(parttype_get_string),
	CALL(parttype_get_code),
	CALL(save_user_sector_size),
	CALL(set_disklabel_id_from_string),
	CALL(table_get_nents),
	CALL(table_get_partition),
	CALL(unref_context),
	CALL(unref_partition),
	CALL(unref_parttype),
	CALL(unref_table),
	CALL(write_disklabel),
};
#undef CALL
static struct library library = { .so = "libfdisk.so.1", .calls = calls, .n = ARRAY_LEN(calls) };

int fdisk_load(struct fault *f)
{
	return library_load(&library, f);
}
