#!/usr/bin/env bash
# The disk step on real loop devices: what is formatted, what never is, whose disk is whose. A "boot" begins with nothing
# mounted. Usage: tests/steps/disk.sh DRIVE
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/sandbox.sh"
sandbox_enter "$@"
sandbox_root
sandbox_drive "$1"
sandbox_dev

disk_blank() { wipefs -aq "${DEV[$1]}" >/dev/null 2>&1; blkdiscard -f "${DEV[$1]}" 2>/dev/null || dd if=/dev/zero of="${DEV[$1]}" bs=1M status=none; }
step() { inside "$DRIVE" step "/tmp/seeds/$1" disk "${@:2}"; }
state() { inside "$DRIVE" state "/tmp/seeds/$1"; }
boot() { umount_all; step "$@"; } # a machine that starts: nothing is mounted
label() { blkid -p -s LABEL -o value "${DEV[$1]}" || true; }
sum() { sha256sum <"${DEV[$1]}"; }
in_data() { inside test -e "/var/lib/phoenix/$1"; }

disk_new one
disk_new two
seeds "${DEV[one]}"

# --- blank
disk_out one
expect 'a disk that is not there is named' "failed|the description's data: disk ${DEV[one]} is not in this machine" boot a
disk_in one
expect 'a plan tells' "needed|${DEV[one]} is blank: will be formatted" boot a --plan
same 'a plan formats nothing' "" "$(label one)"
expect 'nothing mounted is unknown, not blank' 'nothing is mounted*' state a
expect 'a blank disk is formatted and mounted' 'changed|' boot a
same 'it has the label' phoenix-data "$(label one)"
expect 'its record is private' '600' inside stat -c %a /var/lib/phoenix/state/data.json
for p in /var/lib/rancher /var/lib/kubelet /etc/rancher/node; do
	yes "$p is on it" inside sh -c "[ \$(stat -c %d $p) = \$(stat -c %d /var/lib/phoenix) ]"
done
expect 'it is ours' ours state a
expect 'the second run changes nothing' 'done|' step a
inside sh -c 'echo kept >/var/lib/rancher/file'
expect 'the next boot only mounts' 'changed|' boot a
yes 'and the content is there' in_data rancher/file
inside umount /var/lib/kubelet
expect 'a missing bind mount is not ours' 'nothing is mounted at /var/lib/kubelet' state a
expect 'and comes back' 'changed|' step a

# --- whose disk
cp "$ROOT/tmp/seeds/a-wipe" "$ROOT/tmp/first-a-wipe"
seeds "${DEV[one]}"
expect "another cluster's disk is refused" "failed|${DEV[one]} belongs to another cluster (node phoenix-a of 'railiance'*" boot a
expect 'and is not mounted' 'nothing is mounted*' state a
before=$(sum one)
boot a >/dev/null || true
same 'nor written to' "$before" "$(sum one)"
disk_out two
expect "another node's disk too" 'changed|' boot a-wipe
expect "another node's disk is refused" "failed|${DEV[one]} is the data disk of phoenix-a, and this node is phoenix-b*" boot b
disk_in two

# --- wipe: once for a seed
expect 'wiped by word, and ours' ours sh -c "chroot $ROOT $DRIVE step /tmp/seeds/a-wipe disk >/dev/null; chroot $ROOT $DRIVE state /tmp/seeds/a-wipe"
inside sh -c 'echo kept >/var/lib/phoenix/kept'
expect 'the same seed wipes no second time' 'changed|' boot a-wipe
yes 'the content is there' in_data kept
rm "$ROOT/etc/phoenix/wiped"
expect 'nor after a re-flash of the system' 'changed|' boot a-wipe
yes 'the content is still there' in_data kept
umount_all
disk_blank one
mkfs.ext4 -qF -L backup "${DEV[one]}"
expect 'a word that was carried out does not hold for another disk' "failed|${DEV[one]} carries ext4 (label backup)*" boot a-wipe
rm "$ROOT/etc/phoenix/wiped"
expect 'on a new system it does' 'changed|' boot a-wipe
expect 'a seed without wipe goes on with it' 'changed|' boot a
disk_in_use=$(inside sh -c 'umount /var/lib/rancher /var/lib/kubelet /etc/rancher/node /var/lib/phoenix; mount '"${DEV[one]}"' /mnt && echo yes')
[ "$disk_in_use" = yes ] || bad 'mounting by hand'
cp "$ROOT/tmp/first-a-wipe" "$ROOT/tmp/seeds/other-wipe"
rm "$ROOT/etc/phoenix/wiped"
expect 'what is mounted elsewhere is not formatted' "failed|${DEV[one]} is mounted at /mnt: not formatted" step other-wipe
umount_all

# --- what carries anything is not formatted
for kind in ext4 swap gpt dos garbage-label; do
	disk_blank one
	case $kind in
	ext4) mkfs.ext4 -qF -L backup "${DEV[one]}" ;;
	swap) mkswap -q "${DEV[one]}" >/dev/null ;;
	gpt) echo 'label: gpt' | sfdisk -q --no-reread "${DEV[one]}" ;;
	dos) echo 'label: dos' | sfdisk -q --no-reread "${DEV[one]}" ;;
	garbage-label) mkfs.ext2 -qF -L phoenix-data "${DEV[one]}" ;;
	esac
	before=$(sum one)
	expect "a disk with $kind is refused" "failed|${DEV[one]} carries *nothing is formatted over it*" boot a
	same "$kind is untouched" "$before" "$(sum one)"
done

# --- a crash on the way
disk_blank one
mkfs.ext4 -qF -L phoenix-data "${DEV[one]}"
expect 'formatted, but the record was never written' 'changed|' boot a
expect 'is ours then' ours state a
umount_all
inside mount "${DEV[one]}" /mnt
rm "$ROOT/mnt/state/data.json"
echo x >"$ROOT/mnt/precious"
umount_all
expect 'content without a record is refused' "failed|${DEV[one]}: it has the label but no record of phoenix, and it is not empty" boot a

# --- two disks with the label
disk_blank one
boot a >/dev/null
umount_all
mkfs.ext4 -qF -L phoenix-data "${DEV[two]}"
expect 'the described one of two is used, the other told' "changed|${DEV[two]} has the label phoenix-data too and is left alone" boot a
expect 'without a description two are an error' "failed|*${DEV[two]}* have the label phoenix-data: is an old disk back?*" boot b
umount_all
disk_blank one
expect 'the label elsewhere, the described disk blank: refused' "failed|${DEV[two]} has the label phoenix-data, but the description says data: ${DEV[one]}, which has not*" boot a
disk_out one
expect 'without a description one is enough' 'changed|' boot b
disk_in one

# --- a partition of the described disk
umount_all
disk_out two
disk_blank one
printf 'label: gpt\n,\n' | sfdisk -q "${DEV[one]}"
partprobe "${DEV[one]}" 2>/dev/null || partx -u "${DEV[one]}" 2>/dev/null || true
if [ -b "${DEV[one]}p1" ]; then
	DEV[part]=${DEV[one]}p1
	disk_in part
	mkfs.ext4 -qF -L phoenix-data "${DEV[part]}"
	expect 'a labelled partition of the described disk is used' 'changed|' boot a
	expect 'and ours' ours state a
	umount_all
	disk_out part
else
	echo 'skipped: a labelled partition (no partitions on loop devices here)'
fi

# --- failing
disk_blank one
boot a >/dev/null
inside mount -o remount,ro /var/lib/phoenix
expect 'a read-only file system is an error' "failed|${DEV[one]} at /var/lib/phoenix is read-only*" step a
expect 'and not ours' '*read-only*' state a
umount_all
dd if=/dev/urandom of="${DEV[one]}" bs=1k seek=2 count=6000 conv=notrunc status=none
before=$(sum one)
expect 'a damaged file system is named' "failed|*${DEV[one]}*" boot a
expect 'it is unknown' 'nothing is mounted*' state a
umount_all
inside mount -t tmpfs none /var/lib/phoenix
expect 'something else at the mount point is an error' 'failed|none (tmpfs) is mounted at /var/lib/phoenix*' step a
finish
