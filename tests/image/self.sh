#!/usr/bin/env bash
# phoenix flash --self: a node whose root is a partition of a loop device, in a
# cluster that a program plays; then what systemd does when a machine goes down,
# and /shutdown as the first process of a namespace of its own, where a restart
# ends that namespace. tests/image/self.sh PHOENIX CLUSTER [CASE...]
set -euo pipefail

PHOENIX=$(realpath "$1") CLUSTER=$(realpath "$2")
CASES=("${@:3}")
[ ${#CASES[@]} != 0 ] || CASES=(refuses late renews other_roads held another spoiled)
REPO=$(realpath "$(dirname "$0")/../..")
if [ "$(id -u)" != 0 ] || ! losetup -f >/dev/null 2>&1; then
	echo "skipped: self (not root, or no loop devices)"
	exit
fi
# shellcheck source=tests/namespace.sh
. "$REPO/tests/namespace.sh"
namespace_enter "$0" "$@"

DIR=$(mktemp -d)
R=$DIR/node X=$DIR/exitrd LOOP='' OTHER='' PLAYER=''

clean_up() {
	set +e
	[ -z "$PLAYER" ] || kill "$PLAYER" 2>/dev/null
	node_off
	cd /
	[ -z "$OTHER" ] || losetup -d "$OTHER"
	rm -rf "$DIR"
}
trap clean_up EXIT
cd "$DIR"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/image/lib.sh"

cluster_up() {
	ip link set lo up
	ip link add nodes type bridge
	for i in 11 12 13; do ip addr add "192.0.2.$i/24" dev nodes; done
	ip link set nodes up
	mkdir -p cluster.is
	"$CLUSTER" "$DIR/seeds" "$DIR/cluster.is" >cluster.out 2>&1 &
	PLAYER=$!
	until grep -q ready cluster.out; do kill -0 "$PLAYER" 2>/dev/null || { cat cluster.out; exit 1; }; sleep 0.05; done
}

make_inputs() {
	cp -r "$REPO/cloud-init/examples/three-nodes" one-disk
	sed -i '/data:/d' one-disk/phoenix.yaml
	"$PHOENIX" init --secrets one-disk >/dev/null
	# this node was told once to erase its disk: that must not be said again
	"$PHOENIX" seed one-disk -o wiping --wipe phoenix-a >/dev/null
	"$PHOENIX" seed one-disk -o seeds >/dev/null
	image disk.img 40
	image later.img 60
	image huge.img 200
	if command -v zstd >/dev/null; then zstd -q later.img -o later.packed; else xz -0 <later.img >later.packed; fi
	sha256sum later.packed | cut -d' ' -f1 >later.packed.sha256
	good=$(cat later.packed.sha256)
	mkdir opt
	cp "$PHOENIX" opt/phoenix
	ln later.packed later.packed.sha256 huge.img opt/
	ln seeds/phoenix-b.img opt/b.img
	head -c 40M later.packed >opt/short.xz
	head -c 50M later.img >opt/short.img
}

# devices FOLDER: the machine's own disks are not there.
devices() {
	local d name major minor
	mkdir -p "$1"
	mount -t tmpfs dev "$1"
	for d in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9; do
		IFS=: read -r name major minor <<<"$d"
		mknod "$1/$name" c "$major" "$minor"
	done
	for d in /sys/class/block/"${LOOP##*/}"{,p*}; do
		IFS=: read -r major minor <"$d/dev"
		mknod "$1/${d##*/}" b "$major" "$minor"
	done
}

# node_on: phoenix-a as it runs, renewed from nothing: its disk, what is mounted, what it imported.
node_on() {
	node_off
	blank target
	"$PHOENIX" flash --image disk.img --seed seeds/phoenix-a --yes target >/dev/null 2>&1
	data_of target seeds phoenix-a
	LOOP=$(losetup -f --show target)
	# what a killed run left of this device
	partx -d "$LOOP" 2>/dev/null || true
	partx -a "$LOOP"
	mkdir -p "$R" "$X"
	devices dev
	mkfs.ext4 -q -F "dev/${LOOP##*/}p2"
	mount "dev/${LOOP##*/}p2" "$R"
	(cd "$R"
		mkdir -p usr proc sys dev run tmp etc/phoenix/imported var/lib/phoenix opt stub
		ln -s usr/bin usr/sbin usr/lib usr/lib64 .)
	cp /etc/ld.so.cache "$R/etc/"
	mount --bind opt "$R/opt"
	cp wiping/phoenix-a/phoenix-seed.yaml "$R/etc/phoenix/imported/"
	# shellcheck disable=SC2016 # expanded by the script
	printf '#!/bin/sh\necho "$*" >>/run/systemctl\nexit "$(cat /run/systemctl.status 2>/dev/null || echo 0)"\n' >"$R/stub/systemctl"
	chmod +x "$R/stub/systemctl"
	mount --bind /usr "$R/usr"
	mount --rbind /sys "$R/sys"
	devices "$R/dev"
	# as initramfs-tools mounts it
	mount -t tmpfs -o noexec,nosuid,nodev run "$R/run"
	mount "dev/${LOOP##*/}p4" "$R/var/lib/phoenix"
	rm -f cluster.is/lease cluster.is/not-well
}
node_off() {
	local m
	for m in "$X" "$R" dev; do
		while mountpoint -q "$m"; do umount -R "$m" 2>/dev/null || umount -l "$m"; done
	done
	[ -z "$LOOP" ] || { partx -d "$LOOP"; losetup -d "$LOOP"; }
	LOOP=''
}

# node ARGUMENT...: phoenix there. Its first process has the node's root.
node() {
	# shellcheck disable=SC2016 # expanded by the other shell
	unshare --pid --fork chroot "$R" /bin/sh -c '
		mount -t proc proc /proc
		PATH=/stub:/usr/sbin:/usr/bin /opt/phoenix "$@"
		s=$?
		umount /proc
		exit $s' sh "$@"
}
# flash STATUS TEXT ARGUMENT...: ends with STATUS and says TEXT.
flash() {
	local wanted=$1 text=$2 status=0
	shift 2
	node flash "$@" >out 2>err || status=$?
	cat out >>err
	if [ "$status" != "$wanted" ]; then bad "flash $*: status $status, expected $wanted"
	elif ! grep -qF -- "$text" err; then bad "flash $*: does not say \`$text'"
	else ok; fi
}
# refused STATUS TEXT ARGUMENT...: and nothing is left of it.
refused() {
	flash "$@"
	is "$2: nothing is left in memory" "$(mountpoint -q "$R/run/initramfs" && echo mounted || echo none)" none
	is "$2: no restart" "$([ -s "$R/run/systemctl" ] && echo yes || echo no)" no
	is "$2: the table" "$(table target)" "$BEFORE"
}
holder() { jq -r '.spec.holderIdentity // ""' cluster.is/lease 2>/dev/null || true; }

# What is shown and refused, and the order in which it is asked.
refuses() {
	local none=/opt/none.img
	node_on
	BEFORE=$(table target)
	refused 0 "would be renewed; nothing was done" --self /opt/later.packed --plan
	is "the plan: the image" "$(grep -c "SHA-256 $good, as published" err)" 1
	is "the plan: the data" "$(grep -c 'phoenix-data (1 GiB) is kept: phoenix-a comes back as the member it is' err)" 1
	is "the plan: no other seed to be afraid of" "$(grep -c 'is labelled CIDATA too' err)" 0
	OTHER=$(losetup -f --show seeds/phoenix-a.img)
	mknod "$R$OTHER" b 7 "${OTHER#/dev/loop}"
	flash 0 "$OTHER is labelled CIDATA too" --self /opt/later.packed --plan
	losetup -d "$OTHER"
	rm "$R$OTHER"
	OTHER=
	is "the plan takes no turn" "$(holder)" ""
	refused 2 "'phoenix-b' is not this node's name" --self /opt/later.packed <<<phoenix-b
	refused 2 "another disk" --self /opt/later.packed --yes --serial 5
	refused 2 "no --image and no disk beside it" --self /opt/later.packed --yes "$LOOP"
	refused 2 "--plan is for --self" --image /opt/later.packed --seed /opt --plan
	refused 2 "as the last program of a machine that goes down" --self-write reboot
	refused 1 "none.img" --self "$none" --yes
	refused 1 "--wipe erases it" --self /opt/huge.img --yes
	echo phoenix-c >cluster.is/not-well
	refused 1 "phoenix-c is not well" --self /opt/later.packed --yes
	rm cluster.is/not-well
	refused 1 "is the seed of phoenix-b, and this node is phoenix-a" --self /opt/later.packed --seed /opt/b.img --yes
	# all of the image is looked at before anything happens
	refused 1 "is not what was published" --self /opt/later.packed --sha256 "${good//[0-9]/0}" --yes
	refused 1 "was cut off" --self /opt/short.xz --yes
	refused 1 "ends after" --self /opt/short.img --yes
	# the last step fails: the turn is given back
	echo 1 >"$R/run/systemctl.status"
	flash 1 "systemctl" --self /opt/later.packed --yes
	is "the turn is given back" "$(holder)" ""
	is "and the memory" "$(mountpoint -q "$R/run/initramfs" && echo mounted || echo none)" none
}

# A node becomes unwell while its fellow is being asked: what counts is what is so when the turn is taken.
late() {
	node_on
	BEFORE=$(table target)
	mkfifo answer
	node flash --self /opt/later.packed >out 2>err <answer &
	exec 7>answer
	until grep -qs 'Type this' err; do sleep 0.05; done
	echo phoenix-b >cluster.is/not-well
	echo phoenix-a >&7
	exec 7>&-
	status=0
	wait $! || status=$?
	is "a node that fell ill meanwhile: status" "$status" 1
	is "it is named" "$(grep -c 'phoenix-b is not well' err)" 1
	is "no restart" "$([ -s "$R/run/systemctl" ] && echo yes || echo no)" no
	is "the turn is given back" "$(holder)" ""
	rm answer
}

# down [KEEP]: what systemd-shutdown does after all programs have ended. KEEP: it cannot unmount that.
down() {
	[ "${1:-}" = "$R/var/lib/phoenix" ] || umount "$R/var/lib/phoenix"
	read -r start size < <(part target phoenix-data)
	sync
	DATA_START=$start DATA_SIZE=$size DATA_SUM=$(ends target "$start" "$size")
	mount --move "$R/run/initramfs" "$X"
	devices "$X/dev"
	mount --rbind /sys "$X/sys"
	mount -t tmpfs run "$X/run"
	mount --move "$R" "$X/oldroot"
}
# exitrd: /shutdown as the first process; its status, 129 when the machine was restarted.
exitrd() {
	local status=0
	# shellcheck disable=SC2016 # expanded by the other shell
	timeout -s KILL 100 unshare --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc"; exec chroot "$1" /shutdown reboot' sh "$X" >out 2>err || status=$?
	echo "$status"
}
armed() { # ARGUMENT...
	node_on
	flash 0 "goes down now" "$@"
}

renews() {
	armed --self /opt/later.packed --yes
	is "the machine is restarted" "$(cat "$R/run/systemctl")" "reboot --ignore-inhibitors"
	is "the turn is kept" "$(holder | cut -d/ -f1)" phoenix-a
	is "nothing was written yet" "$(bootable target && echo boots)" boots
	down
	is "it restarts" "$(exitrd)" 129
	is "it says so" "$(grep -c 'written and read back: starts from it' err)" 1
	same_root target later.img
	will_boot target "renewed"
	data_is_kept target "renewed"
	# the seed of this node, which erases nothing
	read -r start _ < <(part target CIDATA)
	dd if=target of=part.img bs=512 skip="$start" count=2048 status=none
	is "its seed" "$(mcopy -n -i part.img ::phoenix-seed.yaml - | sha256sum)" "$(sha256sum <seeds/phoenix-a/phoenix-seed.yaml)"
	for f in meta-data user-data network-config; do
		is "its $f" "$(mcopy -n -i part.img "::$f" - | sha256sum)" "$(sha256sum <"seeds/phoenix-a/$f")"
	done
	is "what lay in memory is not for everybody" "$(stat -c %a "$X/phoenix/seed.img" "$X/phoenix")" $'600\n700'
}

other_roads() {
	node_on
	node flash --self - --yes <later.packed >out 2>err || bad "standard input"
	down
	is "standard input: it restarts" "$(exitrd)" 129
	same_root target later.img
	data_is_kept target "standard input"
	armed --self /opt/later.packed --wipe --yes
	is "the plan of --wipe" "$(grep -c 'phoenix-a joins as a new machine' err)" 1
	down
	is "--wipe: it restarts" "$(exitrd)" 129
	will_boot target "--wipe"
	read -r start _ < <(part target phoenix-data)
	is "--wipe: the data" "$(blkid -p -o value -s LABEL -O $((start * 512)) target || true)" ""
}

# A program that did not end holds the data: the machine starts as it was.
held() {
	armed --self /opt/later.packed --yes
	down "$R/var/lib/phoenix"
	mkdir -p held
	mount --move "$X/oldroot/var/lib/phoenix" held
	is "held: it restarts" "$(exitrd)" 129
	is "held: it says so" "$(grep -c 'nothing was written: this machine starts as it was' err)" 1
	is "held: it says why" "$(grep -c 'is in use' err)" 3
	will_boot target "held"
	is "held: the old root" "$(blkid -p -o value -s TYPE -O $((18432 * 512)) target)" ext4
	umount held
}

# Between the look and the writing the disk became another.
another() {
	local key before
	for key in data_start table; do
		armed --self /opt/later.packed --yes
		down
		before=$(table target)
		sed -i -E "s/(\"$key\": \"?)[0-9A-F]/\13/" "$X/phoenix/order.json"
		is "another $key: it restarts" "$(exitrd)" 129
		is "another $key: it says so" "$(grep -cE 'is not the disk|is not where it was' err)" 3
		is "another $key: the table" "$(table target)" "$before"
		will_boot target "another $key"
	done
}

# The image goes bad in memory. The first: for a while; the second: for good.
spoiled() {
	local pid
	armed --self /opt/later.packed --yes
	down
	head -c 40M later.packed >"$X/phoenix/image"
	: >err # what is waited for, nobody may have said before
	{
		until grep -qs 'was cut off' err; do sleep 0.1; done
		cp later.packed "$X/phoenix/image"
	} &
	is "spoiled for a while: it restarts" "$(exitrd)" 129
	is "spoiled for a while: one try failed" "$(grep -c 'was cut off' err)" 1
	same_root target later.img
	will_boot target "spoiled for a while"
	data_is_kept target "spoiled for a while"

	armed --self /opt/later.packed --yes
	down
	head -c 40M later.packed >"$X/phoenix/image"
	: >err
	exitrd >stays 2>/dev/null &
	pid=$!
	for _ in {1..600}; do
		! grep -q 'does not boot, on purpose' err || break
		sleep 0.1
	done
	is "spoiled: three tries" "$(grep -c 'was cut off' err)" 3
	is "spoiled: it says what the disk is" "$(grep -c 'does not boot, on purpose' err)" 1
	not_bootable target "spoiled"
	data_is_kept target "spoiled"
	sleep 1
	is "it stays until it is switched off" "$(cat stays)" ""
	# unshare itself: it does not hear of less while it waits
	kill -KILL "$(pgrep -P "$(pgrep -P "$pid" -x timeout)")"
	wait "$pid" || true
}

main() {
	local c
	make_inputs
	cluster_up
	for c in "${CASES[@]}"; do "$c"; done
	summary self
}
main
