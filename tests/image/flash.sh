#!/usr/bin/env bash
# phoenix flash on files and loop devices: what it writes, what it refuses, and
# what a disk is after it went wrong. tests/image/flash.sh PHOENIX
# As root; without loop devices those cases are skipped by name.
set -euo pipefail

PHOENIX=$(realpath "$1")
REPO=$(realpath "$(dirname "$0")/../..")
DIR=$(mktemp -d)
LOOPS=()

clean_up() {
	local loop
	set +e
	mountpoint -q "$DIR/mnt" && umount "$DIR/mnt"
	mountpoint -q "$DIR/small" && umount "$DIR/small"
	for loop in "${LOOPS[@]}"; do losetup -d "$loop" 2>/dev/null; done
	rm -rf "$DIR"
}
trap clean_up EXIT
cd "$DIR"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/image/lib.sh"

# flash STATUS TEXT ARGUMENT...: ends with STATUS and says TEXT (on stderr).
flash() {
	local wanted=$1 text=$2 status=0
	shift 2
	"$PHOENIX" flash "$@" >out 2>err </dev/null || status=$?
	if [ "$status" != "$wanted" ]; then bad "flash $*: status $status, expected $wanted"
	elif ! grep -qF -- "$text" err; then bad "flash $*: does not say \`$text'"
	else ok; fi
}

make_inputs() {
	cp -r "$REPO/cloud-init/examples/three-nodes" two-disks
	# without a second disk the data goes behind the system
	cp -r two-disks one-disk
	sed -i '/data:/d' one-disk/phoenix.yaml
	"$PHOENIX" init --secrets two-disks >/dev/null
	"$PHOENIX" init --secrets one-disk >/dev/null
	"$PHOENIX" seed two-disks -o seeds2 >/dev/null
	"$PHOENIX" seed one-disk -o seeds >/dev/null
	cp -r one-disk other
	rm other/secrets.yaml
	"$PHOENIX" init --secrets other >/dev/null
	"$PHOENIX" seed other -o seeds-other >/dev/null
	image disk.img 40
	image later.img 70
	image arm.img 16 B921B045-1DF0-41C3-AF44-4C6F280D3FAE
	xz -k -1 disk.img
	if command -v zstd >/dev/null; then zstd -q disk.img; else cp disk.img.xz disk.img.zst; fi
}

writes() {
	local i start
	for i in disk.img disk.img.xz disk.img.zst; do
		blank target
		flash 0 "" --image "$i" --seed seeds/phoenix-a --yes target
		same_root target disk.img
		seed_is target seeds/phoenix-a.img
		will_boot target "$i"
	done
	is "the table" "$(table target)" "$(cat <<-'EOT'
		2048 16384 C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="phoenix-esp"
		18432 337920 4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name="phoenix-root"
		356352 2048 EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="CIDATA"
		358400 2097152 0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="phoenix-data"
	EOT
	)"
	is "sfdisk's opinion" "$(sfdisk --verify target 2>&1 | grep -c 'No errors detected')" 1
	blank target
	must "standard input" "$PHOENIX" flash --image - --seed seeds/phoenix-a --yes target <disk.img.xz
	same_root target disk.img
	blank target
	flash 0 "" --image disk.img --seed seeds2/phoenix-b.img --yes target
	is "no data partition beside a data: disk" "$(part target phoenix-data)" ""
	# what an older life left where the data goes must not be taken for data
	blank target
	mkfs.ext4 -q -F -L phoenix-data -E offset=$((358400 * 512)) target 1000M
	flash 0 "" --image disk.img --seed seeds/phoenix-a --yes target
	read -r start _ < <(part target phoenix-data)
	is "a new data partition is blank" "$(blkid -p -o value -s LABEL -O $((start * 512)) target || true)" ""
}

# keep_data NODE: a disk as NODE leaves it.
keep_data() {
	blank target
	"$PHOENIX" flash --image disk.img --seed "seeds/$1" --yes target >/dev/null 2>&1
	data_of target seeds "$1"
}

keeps() {
	keep_data phoenix-a
	flash 0 "is kept" --image later.img --seed seeds/phoenix-a --yes target
	data_is_kept target "a later image"
	same_root target later.img
	flash 1 "is the data disk of phoenix-a, and this node is phoenix-b" --image disk.img --seed seeds/phoenix-b --yes target
	data_is_kept target "refused"
	same_root target later.img
	flash 1 "belongs to another cluster" --image disk.img --seed seeds-other/phoenix-a --yes target
	flash 0 "Everything on" --image disk.img --seed seeds/phoenix-b --wipe --yes target
	is "wiped" "$(blkid -p -o value -s LABEL -O $((DATA_START * 512)) target || true)" ""
	# data that no partition of that name holds: what firstboot would find by its label
	blank target
	mkfs.ext4 -q -F -L phoenix-data target
	flash 1 "the whole disk has the label phoenix-data" --image disk.img --seed seeds/phoenix-a --yes target
	blank target
	echo 'label: dos
		start=2048, type=83' | sfdisk -q target
	mkfs.ext4 -q -F -L phoenix-data -E offset=$((2048 * 512)) target 1000M
	flash 1 "partition 1 has the label phoenix-data" --image disk.img --seed seeds/phoenix-a --yes target
	flash 0 "" --image disk.img --seed seeds/phoenix-a --wipe --yes target
	# an image that has outgrown its place
	keep_data phoenix-a
	image huge.img 200
	flash 1 "--wipe erases it" --image huge.img --seed seeds/phoenix-a --yes target
	data_is_kept target "an image that is too large"
	will_boot target "refused before anything was written"
	rm huge.img
}

# A data partition whose record cannot be read is never taken for a blank one.
untold() {
	local what start why
	for what in root-folder inode-table groups journal files; do
		keep_data phoenix-a
		start=$((DATA_START * 512))
		why="whose data its phoenix-data holds cannot be told"
		case $what in
		root-folder) zero_block "$start" "$(debugfs -R 'blocks /' "target?offset=$start" 2>/dev/null)" 1 ;;
		inode-table) zero_block "$start" "$(debugfs -R stats "target?offset=$start" 2>/dev/null | grep -m1 -o 'inode table at [0-9]*' | cut -d' ' -f4)" 8 ;;
		groups) zero_block "$start" 1 1 ;;
		journal) # no record, and a log that may have it
			debugfs -w -R 'rm /state/data.json' "target?offset=$start" 2>/dev/null
			debugfs -w -R 'feature needs_recovery' "target?offset=$start" >/dev/null 2>&1
			why="its journal was not written back" ;;
		files)
			debugfs -w -R 'rm /state/data.json' "target?offset=$start" 2>/dev/null
			debugfs -w -R 'mkdir /photos' "target?offset=$start" 2>/dev/null
			why="has no record of phoenix, and is not empty" ;;
		esac
		flash 1 "$why" --image disk.img --seed seeds/phoenix-a --yes target
		will_boot target "data that cannot be told ($what)"
	done
	# the same with nothing on it is nobody's
	debugfs -w -R 'rmdir /photos' "target?offset=$start" 2>/dev/null
	flash 0 "is kept" --image disk.img --seed seeds/phoenix-b --yes target
}
# zero_block START BLOCK COUNT: of 4096 bytes.
zero_block() { dd if=/dev/zero of=target bs=4096 seek=$(($1 / 4096 + $2)) count="$3" conv=notrunc status=none; }

# The description has the data elsewhere, and here is a partition of that name.
moved_data() {
	blank target
	"$PHOENIX" flash --image disk.img --seed seeds/phoenix-a --yes target >/dev/null 2>&1
	data_of target seeds2 phoenix-b
	flash 1 "the description has the data of phoenix-b on" --image disk.img --seed seeds2/phoenix-b --yes target
	data_is_kept target "data: names another disk"
	flash 0 "" --image disk.img --seed seeds2/phoenix-b --wipe --yes target
	is "no data partition is left" "$(part target phoenix-data)" ""
}

# What goes wrong before the first byte leaves the disk as it was.
refuses() {
	local before
	keep_data phoenix-a
	before=$(ends target 0 2457600)
	flash 2 "is not for x86-64" --image arm.img --seed seeds/phoenix-a --yes target
	flash 2 "is no image of a disk" --image seeds/phoenix-a.img --seed seeds/phoenix-a --yes target
	printf '' >empty
	flash 1 "is empty" --image empty --seed seeds/phoenix-a --yes target
	flash 1 "none.img" --image none.img --seed seeds/phoenix-a --yes target
	flash 2 "64 digits" --image disk.img --sha256 abc --seed seeds/phoenix-a --yes target
	echo nonsense >disk.img.sha256
	flash 2 "disk.img.sha256 does not begin" --image disk.img --seed seeds/phoenix-a --yes target
	rm disk.img.sha256
	ln -s elsewhere/sum disk.img.sha256
	flash 1 "disk.img.sha256: No such file" --image disk.img --seed seeds/phoenix-a --yes target
	rm disk.img.sha256
	flash 2 "no seed" --image disk.img --seed disk.img --yes target
	cp seeds/phoenix-a.img used.img
	mdel -i used.img ::phoenix-seed.yaml
	flash 2 "used already" --image disk.img --seed used.img --yes target
	flash 2 "is not this disk's name" --image disk.img --seed seeds/phoenix-a target
	flash 2 "no serial" --image disk.img --seed seeds/phoenix-a --yes --serial 1 target
	flash 2 "one disk, please" --image disk.img --yes target
	flash 2 "neither a disk nor a file" --image disk.img --seed seeds/phoenix-a --yes /dev/null
	# all of it in one run
	flash 2 "none.seed" --image arm.img --seed none.seed --yes /dev/null
	is "all mistakes at once" "$(grep -c '^phoenix flash: ' err)" 3
	is "the disk" "$(ends target 0 2457600)" "$before"
	truncate -s 100M small.disk
	flash 1 "too small" --image disk.img --seed seeds/phoenix-a --yes small.disk
	must "its name typed" "$PHOENIX" flash --image disk.img --seed seeds/phoenix-a target <<<target
}

# What goes wrong later leaves a disk that does not boot, and its data.
breaks() {
	local good
	good=$(sha256sum disk.img.xz | cut -d' ' -f1)
	keep_data phoenix-a
	flash 1 "is not what was published" --image disk.img.xz --sha256 "${good//[0-9]/0}" --seed seeds/phoenix-a --yes target
	is "both sums" "$(grep -c "$good" err)" 1
	not_bootable target "a wrong sum"
	data_is_kept target "a wrong sum"
	# a sum that lies beside it counts, also behind a link
	mkdir -p elsewhere
	printf '%064d  disk.img.xz\n' 0 >elsewhere/sum
	ln -s "$PWD/elsewhere/sum" disk.img.xz.sha256
	flash 1 "is not what was published" --image disk.img.xz --seed seeds/phoenix-a --yes target
	rm disk.img.xz.sha256
	flash 0 "" --image disk.img.xz --sha256 "$good" --seed seeds/phoenix-a --yes target
	data_is_kept target "and again"
	head -c 20M disk.img.xz >short.xz
	flash 1 "was cut off" --image short.xz --seed seeds/phoenix-a --yes target
	not_bootable target "a short image"
	head -c 30M disk.img >short.img
	flash 1 "ends after" --image short.img --seed seeds/phoenix-a --yes target
	not_bootable target "a short image, not compressed"
	is "it says so" "$(grep -c 'does not boot now, on purpose.*phoenix-data is as it was' err)" 1
	cp disk.img.xz spoiled.xz
	printf XXXX | dd of=spoiled.xz bs=1 seek=25000000 conv=notrunc status=none
	flash 1 "is spoiled" --image spoiled.xz --seed seeds/phoenix-a --yes target
	not_bootable target "a spoiled image"
	data_is_kept target "three times"
}

# A pipe that breaks off, one that stalls while somebody stops it or pulls the plug.
interrupted() {
	local pid status signal
	for signal in TERM KILL; do
		keep_data phoenix-a
		mkfifo pipe
		"$PHOENIX" flash --image pipe --seed seeds/phoenix-a --yes target >out 2>err &
		pid=$!
		exec 7>pipe
		head -c 30M disk.img >&7
		until [ -z "$(part target phoenix-root)" ]; do sleep 0.1; done
		kill -$signal $pid
		exec 7>&-
		status=0
		wait $pid 2>/dev/null || status=$?
		is "status after $signal" "$status" "$([ $signal = TERM ] && echo 1 || echo 137)"
		not_bootable target "stopped by $signal"
		data_is_kept target "stopped by $signal"
		rm pipe
		flash 0 "" --image disk.img --seed seeds/phoenix-a --yes target
		data_is_kept target "after $signal, again"
		will_boot target "after $signal, again"
	done
}

at_once() {
	local pid
	blank target
	mkfifo pipe
	"$PHOENIX" flash --image pipe --seed seeds/phoenix-a --yes target >first 2>&1 &
	pid=$!
	exec 7>pipe
	head -c 30M disk.img >&7
	until [ -n "$(table target || true)" ] || sfdisk -d target >/dev/null 2>&1; do sleep 0.1; done
	flash 1 "is being written by another program" --image disk.img --seed seeds/phoenix-b --yes target
	tail -c +$(((30 << 20) + 1)) disk.img >&7
	exec 7>&-
	if wait $pid; then ok; else bad "the first of two"; fi
	same_root target disk.img
	rm pipe
}

# loop FILE: prints the device.
loop() {
	local dev
	dev=$(losetup -f --show "$@") || return 1
	LOOPS+=("$dev")
	LOOP=$dev
}

devices() {
	if [ "$(id -u)" != 0 ] || ! losetup -f >/dev/null 2>&1; then
		skip "devices (not root, or no loop devices)"
		return
	fi
	blank target
	loop target
	flash 2 "type its name instead" --image disk.img --seed seeds/phoenix-a --yes "$LOOP"
	flash 2 "another disk" --image disk.img --seed seeds/phoenix-a --yes --serial 5 "$LOOP"
	flash 1 "$LOOP stands on it" --image disk.img --seed seeds/phoenix-a --yes target
	must "a loop device" named "$LOOP"
	same_root target disk.img
	# in use
	mkfs.ext4 -q -F "$LOOP"
	mkdir -p mnt
	mount "$LOOP" mnt
	flash 1 "is mounted at $DIR/mnt" --image disk.img --seed seeds/phoenix-a "$LOOP"
	umount mnt
	losetup -d "$LOOP"
	loop -r target
	flash 1 "" --image disk.img --seed seeds/phoenix-a "$LOOP"
	is "read-only is named" "$(grep -ciE 'read-only|denied|not permitted' err)" 1
	losetup -d "$LOOP"
	members
	sector_size
	io_error
}

# named DEVICE: its name typed.
named() {
	"$PHOENIX" flash --image disk.img --seed seeds/phoenix-a "$1" <<<"${1##*/}"
}

# A member of something larger, idle: no exclusive open would find it.
members() {
	local i
	blank target
	# what a ZFS pool has in each label: a ring of uberblocks with its magic number
	for i in {128..159}; do
		printf '\x0c\xb1\xba\0\0\0\0\0' | dd of=target bs=1024 seek="$i" conv=notrunc status=none
	done
	flash 1 "is a member of something larger (zfs_member)" --image disk.img --seed seeds/phoenix-a --yes target
}

sector_size() {
	blank target
	if ! loop -b 4096 target 2>/dev/null; then
		skip "sectors of 4096 bytes (losetup -b is not there)"
		return
	fi
	flash 2 "sectors of 4096 bytes" --image disk.img --seed seeds/phoenix-a "$LOOP"
	losetup -d "$LOOP"
}

# The device fails in the middle: a file that cannot grow, below a loop device.
io_error() {
	local status=0
	mkdir -p small
	mount -t tmpfs -o size=30M none small
	truncate -s 1200M small/disk
	loop small/disk
	named "$LOOP" >out 2>err || status=$?
	is "a device that fails: status" "$status" 1
	is "it is told where" "$(grep -c 'at byte' err)" 1
	is "it is told what the disk is now" "$(grep -c 'does not boot now, on purpose' err)" 1
	losetup -d "$LOOP"
	umount small
}

main() {
	make_inputs
	writes
	keeps
	untold
	moved_data
	refuses
	breaks
	interrupted
	at_once
	devices
	summary flash
}
main
