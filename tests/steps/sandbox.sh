# shellcheck shell=bash
# For tests that need root and must not touch the machine: source this first. The script is run again in
# a mount and network namespace of its own, with a copy of the root file system whose changes are kept in memory
# and vanish with it. Needs root; without it the test is skipped by name.

sandbox_enter() {
	[ -z "${SANDBOX:-}" ] || return 0
	[ "$(id -u)" = 0 ] || { echo "skipped: ${0##*/} needs root"; exit 0; }
	SANDBOX=1 exec unshare --mount --net --pid --fork --kill-child --propagation private bash "$0" "$@"
}

# Makes $ROOT: the machine's files, and whatever is written lies in memory.
sandbox_root() {
	BOX=$(mktemp -d)
	mount -t tmpfs sandbox "$BOX"
	mkdir -p "$BOX/upper" "$BOX/work" "$BOX/root"
	ROOT=$BOX/root
	mount -t overlay overlay -o "lowerdir=/,upperdir=$BOX/upper,workdir=$BOX/work" "$ROOT"
	mount -t proc proc "$ROOT/proc"
	mount --rbind /sys "$ROOT/sys"
	mount -t tmpfs run "$ROOT/run"
	mount -t tmpfs tmp "$ROOT/tmp"
	rm -rf "$ROOT/var/lib/phoenix" "$ROOT/etc/phoenix"
	ip link set lo up
}

inside() { chroot "$ROOT" "$@"; }

# $DRIVE as seen from inside: its folder may be a mount of its own.
sandbox_drive() {
	cp "$1" "$ROOT/tmp/drive"
	# shellcheck disable=SC2034 # the scripts use it
	DRIVE=/tmp/drive
}

# The machine's own disks and devices are not there: only what disk_new makes is.
sandbox_dev() {
	local d name major minor
	mount -t tmpfs dev "$ROOT/dev"
	for d in null:1:3 zero:1:5 urandom:1:9 random:1:8; do
		IFS=: read -r name major minor <<<"$d"
		mknod "$ROOT/dev/$name" c "$major" "$minor"
	done
	mkdir "$BOX/disks"
	trap disks_detach EXIT
}

# disk_new NAME: a blank disk on a loop device, which is in ${DEV[NAME]}
declare -A DEV=()
LOOPS=()
disk_new() {
	local dev
	truncate -s 64M "$BOX/disks/$1"
	dev=$(losetup --find --show --partscan "$BOX/disks/$1")
	LOOPS+=("$dev")
	DEV[$1]=$dev
	disk_in "$1"
}
disk_in() { mknod "$ROOT${DEV[$1]}" b $((0x$(stat -c %t "${DEV[$1]}"))) $((0x$(stat -c %T "${DEV[$1]}"))); }
disk_out() { rm -f "$ROOT${DEV[$1]}"; }
disks_detach() {
	local dev
	umount_all
	for dev in "${LOOPS[@]}"; do losetup -d "$dev" 2>/dev/null || true; done
}
umount_all() {
	local p
	for p in /etc/rancher/node /var/lib/kubelet /var/lib/rancher /var/lib/phoenix; do
		while inside umount "$p" 2>/dev/null; do :; done
	done
	inside umount /mnt 2>/dev/null || true
}

# One wire; each machine on it is a network namespace.
sandbox_wire() {
	mkdir -p /run/netns && mount -t tmpfs netns /run/netns
	ip link add wire type bridge
	ip link set wire up
}
# plug NS ADDRESS/PREFIX [MAC]: a card on the wire
plug() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	ip link add "$1" type veth peer name eth0 netns "$1"
	[ -z "${3:-}" ] || ip -n "$1" link set eth0 address "$3"
	ip link set "$1" master wire up
	ip -n "$1" addr add "$2" dev eth0
	ip -n "$1" link set eth0 up
}
at() { local ns=$1; shift; nsenter --net="/run/netns/$ns" -- chroot "$ROOT" "$@"; }
# What /sys shows of the network is that of the namespace in which it was mounted.
sys_of() { umount -R "$ROOT/sys" && nsenter --net="/run/netns/$1" -- mount -t sysfs sys "$ROOT/sys"; }
seeds() { # DATA-OF-A: new seeds of the same description text, new keys
	rm -rf "$ROOT/tmp/seeds"
	mkdir -p "$ROOT/tmp/seeds"
	description "$1" >"$ROOT/tmp/phoenix.yaml"
	inside "$DRIVE" seeds /tmp/phoenix.yaml /tmp/seeds
}

FAILED=0 PASSED=0
ok() { PASSED=$((PASSED + 1)); echo "ok: $1"; }
bad() { FAILED=$((FAILED + 1)); echo "FAILED: $1${2:+: $2}"; }
finish() {
	echo "${0##*/}: $PASSED passed, $FAILED failed"
	[ "$FAILED" = 0 ]
}

# expect NAME PATTERN COMMAND...: what it prints matches the pattern (of `case').
expect() {
	local name=$1 pattern=$2 said
	shift 2
	said=$("$@" 2>&1) || true
	# shellcheck disable=SC2254 # a pattern is meant
	case $said in $pattern) ok "$name" ;; *) bad "$name" "said: $said" ;; esac
}
same() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "wanted $2, have $3"; fi; } # NAME WANTED HAVE
yes() { local name=$1; shift; if "$@" >/dev/null 2>&1; then ok "$name"; else bad "$name"; fi; }
no() { local name=$1; shift; if "$@" >/dev/null 2>&1; then bad "$name"; else ok "$name"; fi; }

# description DATA-OF-A: phoenix.yaml of the test
description() {
	cat <<-EOF
		cluster:
		  name: railiance
		  nodes:
		  - { name: phoenix-a, address: 192.0.2.11/24, mac: "52:54:00:00:00:0a"${1:+, data: $1} }
		  - { name: phoenix-b, address: 192.0.2.12/24, mac: "52:54:00:00:00:0b" }
		  - { name: phoenix-c, address: 192.0.2.13/24, mac: "52:54:00:00:00:0c" }
		  network: { gateway: 192.0.2.1, dns: [ 192.0.2.1 ], ntp: [ 192.0.2.1 ] }
		  vip: 192.0.2.10
		  admin:
		    ssh_keys: [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Yw7kq6vWFPzY0f5q8jU1l0JZyq0m3nOa5mC3m0abc a" ]
		    from: [ 198.51.100.0/24 ]
		domain: example.org
		acme: { email: ops@example.org, server: staging }
	EOF
}
