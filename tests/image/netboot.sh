#!/usr/bin/env bash
# Three machines with nothing but a network card and an empty disk, two with BIOS
# and one with UEFI, all emulated: installed at once by phoenix pxe, started from
# their disks, to the end of what each does by itself. tests/image/netboot.sh PHOENIX IMAGE
# As root; a quarter of an hour.
# shellcheck disable=SC2016 # what is in single quotes is run in the node
set -euo pipefail

PHOENIX=$(realpath "$1") IMAGE=$(realpath "$2")
REPO=$(realpath "$(dirname "$0")/../..")
# shellcheck source-path=SCRIPTDIR source=vm.sh
. "$REPO/tests/image/vm.sh"
vm_namespace "$0" "$PHOENIX" "$IMAGE"
vm_setup
trap vm_clean_up EXIT

declare -A FIRMWARE=([a]=bios [b]=bios [c]=uefi) ADDRESS=([a]=192.0.2.11 [b]=192.0.2.12 [c]=192.0.2.13)
# the network is asked first, always: that an installed machine starts from its disk is the server's doing
VM_NET_BOOT=1 VM_DISK_BOOT=2

start_all() {
	local n
	for n in a b c; do vm_start "$n" "${FIRMWARE[$n]}" "52:54:00:00:00:0$n" "$n.disk"; done
}

server() {
	"$PHOENIX" pxe cluster --image "$IMAGE" --interface "$VM_BRIDGE" --address 192.0.2.1 >server.out 2>server.log &
	SERVER=$!
	for _ in {1..600}; do
		[ ! -s server.out ] || return 0
		kill -0 "$SERVER" 2>/dev/null || break
		sleep 0.1
	done
	cp server.log err
	bad 'the server does not start'
	summary netboot
	exit 1
}

installs() {
	local n status=0
	step 'three machines boot from the network'
	server
	start_all
	for n in a b c; do
		must "$n restarts when it is installed" vm_ends "$n" 900
		has_partitions "$n.disk" "$n"
	done
	wait "$SERVER" || status=$?
	cp server.log err
	is 'the server ends when all are done' "$status" 0
	cat server.out >&2
}

has_partitions() { # DISK WHAT: those of a node
	: >err
	is "$2: partitions" "$(table "$1" | grep -oE 'name="[^"]*"' | paste -sd ' ')" \
		'name="phoenix-bios" name="phoenix-esp" name="phoenix-root" name="CIDATA" name="phoenix-data"'
}

starts() {
	local n
	step 'they start from their disks'
	start_all
	for n in a b c; do
		must "$n: does all that it can do alone" vm_says "$n" 900 'phoenix: \[[0-9/]+\] cluster: '
		vm_knows "${ADDRESS[$n]}"
		must "$n: its name" vm_ssh "${ADDRESS[$n]}" "[ \"\$(hostname)\" = phoenix-$n ]"
		must "$n: its data" vm_ssh "${ADDRESS[$n]}" 'findmnt -no SOURCE /var/lib/phoenix | grep -q "^/dev/vda5"'
	done
	for n in a b c; do vm_cut "$n"; done
}

main() {
	vm_ensure
	vm_network 192.0.2.1/24
	vm_seeds
	for n in a b c; do truncate -s 16G "$n.disk"; done
	installs
	starts
	summary netboot
}

main
