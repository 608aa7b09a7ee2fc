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
