# shellcheck shell=bash
# Machines with something wrong: each is named, the node stays up and can be
# reached, and goes on by itself when it is mended.
# needs: product k3s
# list: full
# limit: 900

reachable() { on "$1" systemctl is-active --quiet multi-user.target; }

# Before the program starts the disk is not there: a name that udev has not made.
disk_late() {
	local unit
	unit=$(node_dir "$B")/upper/etc/systemd/system/phoenix-firstboot.service.d
	mkdir -p "$unit"
	printf '[Service]\nExecStartPre=-/bin/mv /dev/disk/by-id/virtio-phoenix-data /run/late\n' >"$unit/lab.conf"
}

# C: somebody else's file system on the data disk.
disk_foreign() {
	mkfs.ext4 -q -F -L other "$(node_dir "$C")/data.img"
}

# A: a K3s that ends at once.
k3s_broken() {
	local bin
	bin=$(node_dir "$A")/upper/usr/local/bin
	mkdir -p "$bin"
	printf '#!/bin/sh\necho broken >&2\nexit 1\n' >"$bin/k3s"
	chmod 755 "$bin/k3s"
}
k3s_mended() {
	on "$A" ln -sf /opt/k3s/bin/k3s /usr/local/bin/k3s
}

# Nothing can be promised that cannot be written down.
read_only() {
	on "$A" mount -o remount,ro /var/lib/phoenix
}

no_k3s() { ! k3s_runs "$A" && [ "$(state_of "$A" "$A")" = unknown ]; }

case_run() {
	lab prepare
	disk_late; disk_foreign; k3s_broken
	lab boot "${NODES[@]}"
	step 'disk missing'
	within 60 "$B names its missing disk" tells "$B" "disk" "virtio-phoenix-data"
	within 60 "$B can be reached" reachable "$B"
	step 'disk of somebody else'
	within 60 "$C names what is on it" tells "$C" "carries" "ext4" "nothing is formatted over it"
	within 60 "$C can be reached" reachable "$C"
	must "nothing was written to it" on "$C" sh -c 'blkid -p /dev/disk/by-id/virtio-phoenix-data | grep -q LABEL=.other'
	within 60 "$A waits" tells "$A" "waits for $B"
	step 'read-only'
	read_only
	on "$B" mv /run/late /dev/disk/by-id/virtio-phoenix-data
	on "$C" wipefs --all --quiet /dev/disk/by-id/virtio-phoenix-data
	within 90 "$A names the read-only disk" tells "$A" "is read-only"
	stays 5 "$A does nothing with what it cannot write" no_k3s
	step 'K3s ends at once'
	on "$A" mount -o remount,rw /var/lib/phoenix
	within 90 "$A names it" tells "$A" "K3s ended" "tries again in"
	within 60 "$A can be reached" reachable "$A"
	within 60 "$B waits for $A" tells "$B" "$A"
	k3s_mended
	step 'all is mended'
	whole "$FORM_LIMIT"
}
