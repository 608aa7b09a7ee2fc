/* libfdisk, for ptable.c: its calls, loaded when the first table is read or made. */
#pragma once

#include "lib/fault.h"

#include <libfdisk.h>

extern struct fdisk_calls {
	__typeof__(fdisk_add_partition) *add_partition;
	__typeof__(fdisk_assign_device_by_fd) *assign_device_by_fd;
	__typeof__(fdisk_create_disklabel) *create_disklabel;
	__typeof__(fdisk_disable_dialogs) *disable_dialogs;
	__typeof__(fdisk_enable_bootbits_protection) *enable_bootbits_protection;
	__typeof__(fdisk_get_disklabel_id) *get_disklabel_id;
	__typeof__(fdisk_get_label) *get_label;
	__typeof__(fdisk_get_partitions) *get_partitions;
	__typeof__(fdisk_gpt_get_partition_attrs) *gpt_get_partition_attrs;
	__typeof__(fdisk_gpt_set_partition_attrs) *gpt_set_partition_attrs;
	__typeof__(fdisk_has_label) *has_label;
	__typeof__(fdisk_is_labeltype) *is_labeltype;
	__typeof__(fdisk_label_get_name) *label_get_name;
	__typeof__(fdisk_label_get_parttype_from_string) *label_get_parttype_from_string;
	__typeof__(fdisk_new_context) *new_context;
	__typeof__(fdisk_new_partition) *new_partition;
	__typeof__(fdisk_new_unknown_parttype) *new_unknown_parttype;
	__typeof__(fdisk_partition_get_name) *partition_get_name;
	__typeof__(fdisk_partition_get_partno) *partition_get_partno;
	__typeof__(fdisk_partition_get_size) *partition_get_size;
	__typeof__(fdisk_partition_get_start) *partition_get_start;
	__typeof__(fdisk_partition_get_type) *partition_get_type;
	__typeof__(fdisk_partition_get_uuid) *partition_get_uuid;
	__typeof__(fdisk_partition_has_size) *partition_has_size;
	__typeof__(fdisk_partition_has_start) *partition_has_start;
	__typeof__(fdisk_partition_set_name) *partition_set_name;
	__typeof__(fdisk_partition_set_partno) *partition_set_partno;
	__typeof__(fdisk_partition_set_size) *partition_set_size;
	__typeof__(fdisk_partition_set_start) *partition_set_start;
	__typeof__(fdisk_partition_set_type) *partition_set_type;
	__typeof__(fdisk_partition_set_uuid) *partition_set_uuid;
	__typeof__(fdisk_partition_size_explicit) *partition_size_explicit;
	__typeof__(fdisk_parttype_get_string) *parttype_get_string;
	__typeof__(fdisk_parttype_get_code) *parttype_get_code;
	__typeof__(fdisk_save_user_sector_size) *save_user_sector_size;
	__typeof__(fdisk_set_disklabel_id_from_string) *set_disklabel_id_from_string;
	__typeof__(fdisk_table_get_nents) *table_get_nents;
	__typeof__(fdisk_table_get_partition) *table_get_partition;
	__typeof__(fdisk_unref_context) *unref_context;
	__typeof__(fdisk_unref_partition) *unref_partition;
	__typeof__(fdisk_unref_parttype) *unref_parttype;
	__typeof__(fdisk_unref_table) *unref_table;
	__typeof__(fdisk_write_disklabel) *write_disklabel;
} fdisk;

int fdisk_load(struct fault *f);
