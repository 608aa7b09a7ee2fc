#!/usr/bin/env bash
# phoenix pxe and phoenix install without a machine that boots: the server in a
# network namespace of its own, installers that run beside it and write to loop
# devices, a DHCP client of each kind. tests/image/pxe.sh PHOENIX
# As root; without dnsmasq and a DHCP client those cases are skipped by name.
set -euo pipefail

PHOENIX=$(realpath "$1")
REPO=$(realpath "$(dirname "$0")/../..")
if [ "$(id -u)" != 0 ] || ! losetup -f >/dev/null 2>&1; then
	echo "skipped: pxe (not root, or no loop devices)"
	exit
fi
# shellcheck source=tests/namespace.sh
. "$REPO/tests/namespace.sh"
namespace_enter "$0" "$PHOENIX"

DIR=$(mktemp -d)
SERVER=''
declare -A LOOP=()

clean_up() {
	local n
	set +e
	rm -f "/dev/disk/by-id/$ALIAS"
	[ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null
	for n in "${!LOOP[@]}"; do losetup -d "${LOOP[$n]}" 2>/dev/null; done
	cd /
	rm -rf "$DIR"
}
trap clean_up EXIT
cd "$DIR"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/image/lib.sh"

NODES=(phoenix-a phoenix-b phoenix-c)
declare -A MAC=([phoenix-a]=52-54-00-00-00-0a [phoenix-b]=52-54-00-00-00-0b [phoenix-c]=52-54-00-00-00-0c)
ADDRESS=192.0.2.1 PORT=8080
ALIAS=phoenix-test-$(basename "$DIR")

network() {
	# where the server keeps seeds for a moment; nobody else's is looked at
	mount -t tmpfs none /run
	ip link set lo up
	ip link add br0 type bridge
	ip addr add "$ADDRESS/24" dev br0
	ip link set br0 up
}

# disk NODE: a blank one.
disk() {
	[ -z "${LOOP[$1]:-}" ] || losetup -d "${LOOP[$1]}"
	blank "$1.disk"
	LOOP[$1]=$(losetup -f --show "$1.disk")
}

make_inputs() {
	local n
	for n in "${NODES[@]}"; do disk "$n"; done
	cp -r "$REPO/cloud-init/examples/three-nodes" cluster
	sed -i '/data:/d' cluster/phoenix.yaml
	for n in "${NODES[@]}"; do
		sed -i "s|^\( *\)- name: $n\$|&\n\1  disk: ${LOOP[$n]}|" cluster/phoenix.yaml
	done
	"$PHOENIX" init --secrets cluster >/dev/null
	"$PHOENIX" seed cluster -o seeds >/dev/null
	image plain.img 40
	xz -k -1 plain.img
	mv plain.img.xz disk.img
	echo kernel >disk.img.kernel
	echo initrd >disk.img.initrd
}

# server ARGUMENT...: starts it and waits until it listens.
server() {
	rm -f server.out
	"$PHOENIX" pxe cluster --image disk.img --interface br0 --address "$ADDRESS" "$@" >server.out 2>server.log &
	SERVER=$!
	for _ in {1..100}; do
		[ ! -s server.out ] 2>/dev/null || return 0
		kill -0 "$SERVER" 2>/dev/null || break
		sleep 0.1
	done
	cp server.log err
	bad "the server does not start: $*"
}
server_ends() {
	local status=0
	wait "$SERVER" || status=$?
	SERVER=''
	cp server.log err
	is "$1: status of the server" "$status" "$2"
}
server_stop() {
	kill "$SERVER" 2>/dev/null || true
	wait "$SERVER" 2>/dev/null || true
	SERVER=''
}
server_says() { if grep -qF -- "$1" server.log; then ok; else cp server.log err; bad "the server does not say \`$1'"; fi; }

# boot MAC: what iPXE is told, in the end.
boot() {
	local script
	for _ in {1..100}; do
		script=$(curl -s "http://$ADDRESS:$PORT/boot?mac=$1")
		[[ $script == *chain* ]] || break
		sleep 0.1
	done
	echo "$script"
}
from_disk() { is "$1 starts from its disk" "$(boot "${MAC[$1]}" | tail -n 1)" exit; }
# word SCRIPT NAME: its value on the kernel command line.
word() { grep -o " $2=[^ ]*" <<<"$1" | cut -d= -f2-; }
# install SCRIPT: what the machine does that got it.
install() {
	PATH=$DIR/watch:$PATH "$PHOENIX" install --server "$(word "$1" phoenix.install)" \
		--pin "$(word "$1" phoenix.pin)" --token "$(word "$1" phoenix.token)"
}
# installs NODE STATUS TEXT: boots and installs it.
installs() {
	local status=0
	install "$(boot "${MAC[$1]}")" >out 2>err || status=$?
	is "$1: status" "$status" "$2"
	if [ -z "$3" ] || grep -qF -- "$3" err; then ok; else bad "$1 does not say \`$3'"; fi
}

three_at_once() {
	local n pids=() status
	server --dhcp none
	for n in "${NODES[@]}"; do
		install "$(boot "${MAC[$n]}")" >"$n.out" 2>"$n.err" &
		pids+=($!)
	done
	for n in "${!pids[@]}"; do
		status=0
		wait "${pids[$n]}" || status=$?
		cp "${NODES[$n]}.err" err
		is "${NODES[$n]}: status" "$status" 0
		is "${NODES[$n]} was heard" "$(grep -c 'was not told' err)" 0
	done
	server_ends "three at once" 0
	for n in "${NODES[@]}"; do
		same_root "$n.disk" plain.img
		will_boot "$n.disk" "$n"
		is "$n: its own seed" "$(seed_node "$n.disk")" "$n"
	done
}
# seed_node DISK: whose seed is on it.
seed_node() {
	local start
	read -r start _ < <(part "$1" CIDATA)
	dd if="$1" of=part.img bs=512 skip="$start" count=2048 status=none
	mcopy -i part.img ::phoenix-seed.yaml - | sed -n 's/^node: *"\?\([^"]*\)"\?$/\1/p'
}

# Kernel and script are open to all; nothing else is.
strangers() {
	local script url
	server --dhcp none
	is "an unknown MAC" "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADDRESS:$PORT/boot?mac=52-54-00-00-00-99")" 404
	sleep 1
	server_says "52-54-00-00-00-99"
	is "the kernel" "$(curl -s "http://$ADDRESS:$PORT/kernel")" kernel
	is "no seed over plain HTTP" "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$ADDRESS:$PORT/seed")" 405
	script=$(boot "${MAC[phoenix-a]}")
	url=$(word "$script" phoenix.install)
	for what in order seed tell; do
		is "/$what without a token" "$(curl -sk -o /dev/null -w '%{http_code}' -X POST "$url/$what")" 403
	done
	is "/image without a token" "$(curl -sk -o /dev/null -w '%{http_code}' "$url/image")" 403
	# another server than the one that booted it
	must_fail "another key" "$PHOENIX" install --server "$url" --pin "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" \
		--token "$(word "$script" phoenix.token)"
	# a token is good for one boot
	boot "${MAC[phoenix-a]}" >/dev/null
	must_fail "the token of an earlier boot" install "$script"
	server_stop
}
must_fail() { local what=$1; shift; if "$@" >out 2>err; then bad "$what: it went on"; else ok; fi; }

# as_left NODE SEEDS: its disk as it leaves it, a member of the cluster of SEEDS.
as_left() {
	losetup -d "${LOOP[$1]}"
	blank "$1.disk"
	must "$1 as it was" "$PHOENIX" flash --image disk.img --seed "$2/$1" --yes "$1.disk"
	data_of "$1.disk" "$2" "$1"
	LOOP[$1]=$(losetup -f --show "$1.disk")
	redescribe
}

# A node's cluster data is not written over, but renewed when that is said.
reinstalls() {
	local n=phoenix-b
	as_left "$n" seeds
	server --dhcp none
	installs "$n" 1 "phoenix pxe --reinstall $n"
	sleep 1
	server_says "carries the cluster data of $n"
	data_is_kept "$n.disk" "refused"
	will_boot "$n.disk" "refused"
	# nor is the member kept from its disk
	from_disk "$n"
	server_stop
	cluster_is ready ready ready
	server --dhcp none --reinstall "$n"
	is "the others are not installed" "$(boot "${MAC[phoenix-a]}" | tail -n 1)" exit
	installs "$n" 0 ""
	server_ends "renewed" 0
	data_is_kept "$n.disk" "renewed"
	will_boot "$n.disk" "renewed"
	cluster_is waiting waiting waiting
	refused "is not well" --reinstall "$n"
}

# Two of them in one go: one after the other, and each time the cluster is asked.
one_at_a_time() {
	as_left phoenix-b seeds
	disk phoenix-c
	redescribe
	cluster_is ready ready ready
	server --dhcp none --reinstall phoenix-b --wipe phoenix-c
	boot "${MAC[phoenix-b]}" >script
	from_disk phoenix-c
	must "the first of two" install "$(cat script)"
	sleep 1
	server_says "phoenix-b is being renewed"
	cluster_is ready waiting ready
	from_disk phoenix-c
	sleep 1
	server_says "phoenix-b is not well"
	cluster_is ready ready silent
	installs phoenix-c 0 ""
	server_ends "one after the other" 0
	data_is_kept phoenix-b.disk "the first of two"
	# a node that is down is what --wipe is for; another one is not, then
	cluster_is ready silent ready
	server --dhcp none --wipe phoenix-b
	server_says "phoenix-b is not well itself"
	server_stop
	refused "phoenix-b is not well" --wipe phoenix-a
	refused "phoenix-b is named by --reinstall too" --reinstall phoenix-b --wipe phoenix-b
	is "nothing is left of a run" "$(find /run -name 'phoenix-*')" ""
}

# The same command again, after it broke off in the middle.
cut_and_again() {
	as_left phoenix-b seeds
	cluster_is ready ready ready
	cp disk.img cut.img
	cp disk.img.kernel cut.img.kernel
	cp disk.img.initrd cut.img.initrd
	server --dhcp none --image cut.img --reinstall phoenix-b
	truncate -s 20M cut.img
	installs phoenix-b 1 "does not boot now, on purpose"
	server_stop
	not_bootable phoenix-b.disk "a reinstallation that was cut"
	data_is_kept phoenix-b.disk "a reinstallation that was cut"
	cluster_is ready silent ready
	server --dhcp none --reinstall phoenix-b
	installs phoenix-b 0 ""
	server_ends "and again" 0
	data_is_kept phoenix-b.disk "and again"
	will_boot phoenix-b.disk "and again"
}

# Disks with an older life, before there is a cluster.
old_disks() {
	cp -r cluster other
	rm other/secrets.yaml
	"$PHOENIX" init --secrets other >/dev/null
	"$PHOENIX" seed other -o seeds-other >/dev/null
	as_left phoenix-b seeds-other
	watch_mcopy
	server --dhcp none
	installs phoenix-b 1 "belongs to another cluster"
	is "it names the word" "$(grep -c -- '--erase phoenix-b' err)" 1
	data_is_kept phoenix-b.disk "another cluster's"
	is "the seed was not given for that" "$(find mcopy.ran 2>/dev/null)" ""
	server_stop
	cluster_is silent silent silent
	refused "not in one go" --erase phoenix-b --wipe phoenix-c
	server --dhcp none --erase phoenix-b
	installs phoenix-b 0 ""
	is "erased" "$(blkid -p -o value -s LABEL -O $((DATA_START * 512)) phoenix-b.disk || true)" ""
	is "mcopy is what reads seeds" "$(find mcopy.ran)" mcopy.ran
	server_stop
	cluster_is ready ready ready
	refused "is a member of a running cluster" --erase phoenix-b
}
# What reads the seed of an installer leaves a trace.
watch_mcopy() {
	mkdir -p watch
	printf '#!/bin/sh\n: >%s/mcopy.ran\nexec /usr/bin/mcopy "$@"\n' "$DIR" >watch/mcopy
	chmod +x watch/mcopy
}

# Too small is told before the seed is asked for; and it can be tried again, with the same boot.
too_small() {
	local script status=0
	rm -f mcopy.ran
	losetup -d "${LOOP[phoenix-c]}"
	rm phoenix-c.disk
	truncate -s 100M phoenix-c.disk
	LOOP[phoenix-c]=$(losetup -f --show phoenix-c.disk)
	redescribe
	server --dhcp none
	script=$(boot "${MAC[phoenix-c]}")
	install "$script" >out 2>err || status=$?
	is "too small: status" "$status" 1
	is "too small: why" "$(grep -c 'is too small' err)" 1
	is "too small: no seed" "$(find mcopy.ran 2>/dev/null)" ""
	truncate -s 1200M phoenix-c.disk
	losetup -c "${LOOP[phoenix-c]}"
	must "again, with the same boot" install "$script"
	will_boot phoenix-c.disk "again, with the same boot"
	server_stop
}

# A machine with two disks: where the data is decides, and the system goes beside it.
two_disks() {
	local data n=phoenix-c
	disk "$n"
	blank data.disk
	data=$(losetup -f --show data.disk)
	LOOP[data]=$data
	cp -r cluster plain-cluster
	redescribe
	sed -i "/- name: $n\$/,/mac:/s|^\( *\)disk: .*|&\n\1data: $data|" cluster/phoenix.yaml
	mkdir -p data/state
	record phoenix-c >data/state/data.json
	mkfs.ext4 -q -F -L phoenix-data -d data "$data"
	sync
	server --dhcp none
	installs "$n" 1 "$data carries the cluster data of $n"
	server_stop
	cluster_is ready ready ready
	server --dhcp none --reinstall "$n"
	installs "$n" 0 ""
	server_ends "two disks" 0
	is "the seed does not erase" "$(wipe_of "$n.disk")" false
	server --dhcp none --wipe "$n"
	installs "$n" 0 ""
	server_ends "two disks, wiped" 0
	is "the seed erases" "$(wipe_of "$n.disk")" true
	record phoenix-a >data/state/data.json
	mkfs.ext4 -q -F -L phoenix-data -d data "$data"
	server --dhcp none
	installs "$n" 1 "is the data disk of phoenix-a"
	server_stop
	mkfs.ext4 -q -F -L photos "$data"
	server --dhcp none
	installs "$n" 1 "$data carries ext4"
	server_stop
	wipefs -qa "$data"
	mkdir -p /dev/disk/by-id
	ln -s "${LOOP[$n]}" "/dev/disk/by-id/$ALIAS"
	sed -i "s|data: $data|data: /dev/disk/by-id/$ALIAS|" cluster/phoenix.yaml
	server --dhcp none
	installs "$n" 1 "are the same disk"
	server_stop
	rm "/dev/disk/by-id/$ALIAS"
	sed -i "/- name: $n\$/,/mac:/{/disk:/d}" cluster/phoenix.yaml
	refused "network boot must be told" --dhcp none
	rm -r cluster
	mv plain-cluster cluster
}
record() {
	printf '{"version":1,"cluster":"railiance","node":"%s","exchange_ca":"%s","wiped_by":""}\n' "$1" "$(exchange_ca "seeds/$1.img")"
}
# wipe_of DISK: what its seed says.
wipe_of() {
	seed_node "$1" >/dev/null
	mcopy -i part.img ::phoenix-seed.yaml - | sed -n 's/^wipe: //p'
}

# Nobody names a disk: a second one that comes late is not overlooked.
late_disk() {
	local n=phoenix-a
	disk "$n"
	redescribe
	cp -r cluster plain-cluster
	sed -i "/- name: $n\$/,/mac:/{/disk:/d}" cluster/phoenix.yaml
	mkdir -p bin
	cat >bin/lsblk <<-EOF
		#!/bin/sh
		case \$* in *PATH,TYPE*) ;; *) exec /usr/bin/lsblk "\$@" ;; esac
		echo '{"blockdevices":[{"path":"${LOOP[$n]}","type":"disk","size":1,"ro":false,"rm":false}'
		[ ! -e $DIR/late ] || echo ',{"path":"/dev/late","type":"disk","size":1,"ro":false,"rm":false}'
		echo ']}'
	EOF
	chmod +x bin/lsblk
	PATH=$DIR/bin:$PATH
	server --dhcp none
	{ sleep 4; : >late; } &
	installs "$n" 1 "${LOOP[$n]} and /dev/late"
	rm late
	installs "$n" 0 ""
	will_boot "$n.disk" "the only disk"
	server_stop
	rm bin/lsblk
	rm -r cluster
	mv plain-cluster cluster
}
# The loop devices have new names, and the seeds' cluster is the same.
redescribe() {
	local n
	for n in "${NODES[@]}"; do
		sed -i "/- name: $n\$/,/mac:/s|disk: .*|disk: ${LOOP[$n]}|" cluster/phoenix.yaml
	done
}
# cluster_is STATE STATE STATE: what ssh to a node would answer of each; ready, waiting or silent.
cluster_is() {
	local n nodes=''
	for n in "${NODES[@]}"; do
		if [ "$1" = silent ]; then nodes+="{\"name\":\"$n\",\"answered\":false},"
		else nodes+="{\"name\":\"$n\",\"answered\":true,\"state\":\"member\",\"voters\":[\"phoenix-a\",\"phoenix-b\",\"phoenix-c\"],\"progress\":{\"state\":\"$1\"}},"; fi
		shift
	done
	mkdir -p bin
	printf '#!/bin/sh\necho %s\n' "'{\"version\":1,\"nodes\":[${nodes%,}]}'" >bin/ssh.new
	chmod +x bin/ssh.new
	mv bin/ssh.new bin/ssh
	PATH=$DIR/bin:$PATH
}
# refused TEXT ARGUMENT...: does not start, and says why.
refused() {
	local text=$1 status=0
	shift
	timeout 20 "$PHOENIX" pxe cluster --image disk.img --interface br0 --address "$ADDRESS" --dhcp none "$@" >out 2>err || status=$?
	if [ "$status" != 0 ] && [ "$status" != 124 ] && grep -qF -- "$text" err; then ok; else bad "pxe $*: status $status, does not say \`$text'"; fi
}

# The image changes under the server, the server dies, a disk is too small.
faults() {
	local script pid status=0
	disk phoenix-c
	redescribe
	cp disk.img changes.img
	cp disk.img.kernel changes.img.kernel
	cp disk.img.initrd changes.img.initrd
	server --image changes.img --dhcp none
	printf X | dd of=changes.img bs=1 seek=20000000 conv=notrunc status=none
	installs phoenix-c 1 "does not boot now, on purpose"
	sleep 1
	server_says "phoenix-c:"
	not_bootable phoenix-c.disk "an image that changed"
	# and again, when it is right
	cp disk.img changes.img
	installs phoenix-c 0 ""
	will_boot phoenix-c.disk "the second try"
	sleep 1
	server_says "phoenix-c was booted again"
	server_stop

	disk phoenix-c
	redescribe
	server --dhcp none
	script=$(boot "${MAC[phoenix-c]}")
	install "$script" >out 2>err &
	pid=$!
	until [ -n "$(sfdisk -d phoenix-c.disk 2>/dev/null)" ]; do sleep 0.05; done
	kill -KILL "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	wait "$pid" || status=$?
	# it may have had everything already: then it is whole
	if [ "$status" = 0 ]; then will_boot phoenix-c.disk "the server dies late"; else not_bootable phoenix-c.disk "the server dies"; fi
	refused "no node of the description" --reinstall phoenix-x
	refused "allowed: full, proxy or none" --dhcp some
	refused "changes.img.kernel" --image changes.img.kernel
}

# A card on the bridge in a namespace of its own, as a machine has it.
plug() {
	ip link add "$1" type veth peer name "${1}p"
	ip link set "${1}p" address "$2" up
	ip link set "$1" master br0 up
}
# lease CARD: the address it is given, by a real client.
lease() {
	timeout 10 busybox udhcpc -i "${1}p" -n -q -t 3 -T 1 -s "$DIR/lease.sh" >/dev/null 2>&1 || true
	cat "$DIR/lease.${1}p" 2>/dev/null || echo none
}
dhcp() {
	if ! command -v dnsmasq >/dev/null || ! command -v busybox >/dev/null || [ ! -e /usr/lib/ipxe/undionly.kpxe ]; then
		skip "DHCP (dnsmasq, ipxe or busybox is not installed)"
		return
	fi
	cat >lease.sh <<-EOF
		#!/bin/sh
		[ "\$1" != bound ] || echo "\$ip \$boot_file" >$DIR/lease.\$interface
	EOF
	chmod +x lease.sh
	plug ours 52:54:00:00:00:0b
	plug other 52:54:00:00:00:77
	disk phoenix-b
	redescribe
	server --dhcp full
	is "ours gets its address" "$(lease ours | cut -d' ' -f1)" 192.0.2.12
	is "a stranger gets nothing" "$(lease other)" none
	sleep 1
	server_says "52:54:00:00:00:77"
	must "boot program by TFTP" curl -sf -o boot.kpxe "tftp://$ADDRESS/undionly.kpxe"
	must "it is iPXE's" cmp boot.kpxe /usr/lib/ipxe/undionly.kpxe
	server_stop
	is "dnsmasq ends with it" "$(pgrep -c dnsmasq || true)" 0
	server --dhcp full
	is "dnsmasq runs" "$(pgrep -c dnsmasq || true)" 1
	kill -KILL "$SERVER"
	server_stop
	for _ in {1..50}; do pgrep dnsmasq >/dev/null || break; sleep 0.1; done
	is "dnsmasq ends with a server that was killed" "$(pgrep -c dnsmasq || true)" 0
}

main() {
	network
	make_inputs
	three_at_once
	strangers
	reinstalls
	one_at_a_time
	cut_and_again
	old_disks
	too_small
	two_disks
	late_disk
	faults
	dhcp
	summary pxe
}
main
