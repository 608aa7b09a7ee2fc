#!/usr/bin/env bash
# The disk image on machines, all of them emulated: flashed and booted with BIOS to
# the end of what a node does by itself; cut, and booted with UEFI; flashed anew;
# copied without `phoenix flash'. tests/image/boot.sh PHOENIX IMAGE
# With a third word, own-seconds, only the first of these is booted, and what
# phoenix itself took until then is printed. As root; ten minutes.
# shellcheck disable=SC2016 # what is in single quotes is run in the node
set -euo pipefail

PHOENIX=$(realpath "$1") IMAGE=$(realpath "$2")
REPO=$(realpath "$(dirname "$0")/../..")
# shellcheck source-path=SCRIPTDIR source=vm.sh
. "$REPO/tests/image/vm.sh"
vm_namespace "$0" "$PHOENIX" "$IMAGE" "${3:-}"
vm_setup
trap vm_clean_up EXIT

VM_CPUS=2
A=192.0.2.11 MAC=52:54:00:00:00:0a
# the first thing for which a node needs another one
LOCAL_END='cluster: waiting: waits for phoenix-b'

boot() { # FIRMWARE
	step "boot with $1"
	vm_start a "$1" "$MAC" a.disk "${SEED_DRIVE[@]}"
	must "$1: the node does all that it can do alone" vm_says a 600 "$LOCAL_END"
	vm_knows "$A"
}
SEED_DRIVE=()

# check WHAT COMMAND...: in the node
check() {
	local what=$1
	shift
	must "$what" vm_ssh "$A" "$@"
}

node_is_right() { # FIRMWARE
	# one that was cut before begins anew, with other host keys: units/phoenix-cloud-init.service
	check 'cloud-init is done' 'cloud-init status --wait | grep -q "^status: done"'
	check 'its name' '[ "$(hostname)" = phoenix-a ]'
	check 'no unit has failed' '! systemctl --failed --no-legend | grep .'
	check 'its name among iSCSI initiators is its own' 'sudo grep -q "^# phoenix:" /etc/iscsi/initiatorname.iscsi'
	check 'no cache of the image is made again' '[ "$(systemctl show -P ConditionResult ldconfig)" = no ]'
	check 'only SSH and phoenix are heard from outside' 'all=$(sudo ss -Hlntu | awk "{ print \$5 }") && echo "$all" | grep -q ":22\$" &&
		! echo "$all" | grep -vE "^(127\.|\[::1\])|:(22|6440)\$"'
	check 'who has a password can be told' 'sudo grep -q "^phoenix:" /etc/shadow'
	check 'nobody has a password' '! sudo cut -d: -f2 /etc/shadow | grep -F "\$"'
	check 'SSH takes keys only' 'sudo sshd -T | grep -qx "passwordauthentication no"'
	check 'root is not let in' 'sudo sshd -T | grep -qx "permitrootlogin no"'
	check 'packages do not change by themselves' '! systemctl is-enabled -q apt-daily-upgrade.timer'
	check 'the screen shows progress' 'systemctl is-active -q phoenix-screen'
	check 'the root fills its partition' '[ "$(df --output=size -BG / | tail -1 | tr -dc 0-9)" -ge 8 ]'
	check 'the data is on its partition' 'findmnt -no SOURCE /var/lib/phoenix | grep -q "^/dev/vda5"'
	check 'K3s is there, and waits for its permit' '/usr/local/bin/k3s --version && ! systemctl is-active -q k3s'
	check 'the image is named' '. /etc/os-release; [ "$IMAGE_ID/$IMAGE_VERSION" = "threephoenix/$(phoenix --version | tr -dc 0-9.)" ]'
	case $1 in
	uefi) check 'it was UEFI' '[ -d /sys/firmware/efi ]' ;;
	bios) check 'it was BIOS' '[ ! -d /sys/firmware/efi ]' ;;
	esac
}

flashed() {
	truncate -s 20G a.disk
	step flash
	must flash "$PHOENIX" flash --image "$IMAGE" --seed seeds/phoenix-a --yes a.disk
	boot bios
	node_is_right bios
	vm_ssh "$A" 'cat /etc/ssh/ssh_host_ed25519_key.pub' >host-key || true
	check 'something is written down' 'echo mine | sudo tee /var/lib/phoenix/mine && sync'
	vm_cut a
}

cut_and_booted() {
	boot uefi
	node_is_right uefi
	check 'the same node after a cut' '[ "$(cat /etc/ssh/ssh_host_ed25519_key.pub)" = "'"$(cat host-key)"'" ]'
	check 'the data is there' 'grep -qx mine /var/lib/phoenix/mine'
	vm_cut a
}

flashed_anew() {
	step 'flash, the data kept'
	must 'flash anew' "$PHOENIX" flash --image "$IMAGE" --seed seeds/phoenix-a --yes a.disk
	boot uefi
	node_is_right uefi
	check 'the system is another one' '[ "$(cat /etc/ssh/ssh_host_ed25519_key.pub)" != "'"$(cat host-key)"'" ]'
	check 'the data outlived it' 'grep -qx mine /var/lib/phoenix/mine'
	vm_cut a
}

# As a cloud does it: the bytes of the image at the beginning of a disk, the seed on another one.
copied() {
	step 'copied'
	rm -f a.disk
	zstd -q -d --sparse "$IMAGE" -o a.disk
	truncate -s 20G a.disk
	SEED_DRIVE=(-drive "if=none,id=seed,format=raw,file=/vm/seeds/phoenix-a.img" -device "virtio-blk-pci,drive=seed")
	boot bios
	check 'the root has the rest' '[ "$(df --output=size -BG / | tail -1 | tr -dc 0-9)" -ge 8 ]'
	check 'the data has a partition' '[ "$(lsblk -no PARTLABEL "$(findmnt -no SOURCE /var/lib/phoenix | sed "s/\[.*//")")" = phoenix-data ]'
	vm_cut a
}

# Of all steps before the one that waits for others.
own_seconds() {
	vm_ssh "$A" sudo cat /run/phoenix/status.json |
		jq '[.steps as $s | $s[0:([$s[].name] | index("cluster"))][].ms] | add / 100 | round / 10'
}

main() {
	vm_ensure
	vm_network 192.0.2.1/24
	vm_seeds
	if [ "${3:-}" = own-seconds ]; then
		truncate -s 20G a.disk
		"$PHOENIX" flash --image "$IMAGE" --seed seeds/phoenix-a --yes a.disk >&2
		boot bios
		[ "$FAILED" = 0 ] && own_seconds
		return
	fi
	flashed
	cut_and_booted
	flashed_anew
	copied
	summary boot
}

main "$@"
