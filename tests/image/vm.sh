# shellcheck shell=bash
# Machines without a machine: emulated ones that boot a disk or the network. Who
# sources this is in a network and a PID namespace of its own (vm_namespace), so
# that no machine outlives it. Emulation costs: a boot takes minutes.

VM_BRIDGE=br0

# vm_namespace COMMAND...: namespace_enter, with the emulator made before.
vm_namespace() {
	[ "${IN_NAMESPACE:-}" != 1 ] || return 0
	vm_libraries
	vm_ensure
	namespace_enter "$@"
}

# vm_libraries: what this one stands on.
vm_libraries() {
	local file
	for file in cache root tools; do
		# shellcheck source=/dev/null
		. "$REPO/image/lib/$file.sh"
	done
	# shellcheck source=tests/image/lib.sh
	. "$REPO/tests/image/lib.sh"
	# shellcheck source=tests/namespace.sh
	. "$REPO/tests/namespace.sh"
	CACHE=$(cache_folder)
}
# vm_setup: a folder of its own for all that a test makes.
vm_setup() {
	vm_libraries
	DIR=$(mktemp -d)
	cd "$DIR" || exit
}
# With KEEP=1 disks and consoles can be looked at.
vm_clean_up() { cd /; [ "${KEEP:-}" = 1 ] || rm -rf "$DIR"; }

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
step() { say "== $* ($SECONDS s)"; }

# vm_seeds: of the example's three nodes, each with one disk, and an administrator's key.
vm_seeds() {
	ssh-keygen -q -t ed25519 -N '' -f key
	cp -r "$REPO/cloud-init/examples/three-nodes" cluster
	sed -i '/data:/d' cluster/phoenix.yaml
	sed -i "s|^  network:|  admin: { ssh_keys: [ \"$(cat key.pub)\" ], from: [ 192.0.2.0/24 ] }\n&|" cluster/phoenix.yaml
	"$PHOENIX" init --secrets cluster >/dev/null
	"$PHOENIX" seed cluster -o seeds >/dev/null
}

# vm_ensure: the emulator, in a root file system of its own.
vm_ensure() {
	local packages
	mapfile -t packages < <(packages_read "$REPO/tests/image/packages")
	VM_ROOT=$CACHE/qemu-$(printf '%s\n' "${packages[@]}" | key_of "$TOOLS_SUITE" 1)
	VM_PACKAGES=("${packages[@]}")
	cache_make "${VM_ROOT##*/}" vm_make
}
vm_make() { root_make "$TOOLS_DISTRIBUTION" "$TOOLS_SUITE" "$1" "$VM_ROOT.log" "${VM_PACKAGES[@]}"; }

# vm_network ADDRESS/PREFIX: a network that leads nowhere, with this side in it.
vm_network() {
	ip link set lo up
	ip link add "$VM_BRIDGE" type bridge
	ip addr add "$1" dev "$VM_BRIDGE"
	ip link set "$VM_BRIDGE" up
}

# vm_start NAME bios|uefi MAC DISK [OPTION...]: DISK is a file in $DIR. The serial
# line goes to NAME.console, from its beginning each time.
vm_start() {
	local name=$1 firmware=$2 mac=$3 disk=$4 options=() tap=tap-$1 threads=single
	shift 4
	[ "${VM_CPUS:-1}" = 1 ] || threads=multi
	ip link show "$tap" >/dev/null 2>&1 || ip tuntap add dev "$tap" mode tap
	ip link set "$tap" master "$VM_BRIDGE" up
	[ "$firmware" = bios ] || options=(-drive "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"
		-drive "if=pflash,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd")
	: >"$DIR/$name.console"
	rm -rf "$DIR/vm-$name" "$DIR/$name.pid"
	root_run "$DIR/vm-$name" "$VM_ROOT" "$DIR:/vm" -- qemu-system-x86_64 -machine q35 -accel "tcg,thread=$threads" \
		-smp "${VM_CPUS:-1}" -cpu max -m "${VM_MEMORY:-1024}" -nodefaults -display none -no-reboot -pidfile "/vm/$name.pid" \
		-serial "file:/vm/$name.console" -device virtio-rng-pci "${options[@]}" \
		-drive "if=none,id=disk,format=raw,cache=unsafe,file=/vm/$disk" \
		-device "virtio-blk-pci,drive=disk,serial=$name,bootindex=${VM_DISK_BOOT:-1}" \
		-netdev "tap,id=net,ifname=$tap,script=no,downscript=no" \
		-device "virtio-net-pci,netdev=net,mac=$mac,bootindex=${VM_NET_BOOT:-2}" "$@" >"$DIR/$name.qemu" 2>&1 &
	for _ in {1..100}; do
		[ ! -s "$DIR/$name.pid" ] || return 0
		sleep 0.1
	done
	cat "$DIR/$name.qemu" >&2
	return 1
}

# vm_runs NAME: -no-reboot ends it when it restarts, as when it is switched off.
vm_runs() { kill -0 "$(cat "$DIR/$1.pid" 2>/dev/null)" 2>/dev/null; }

# vm_says NAME SECONDS TEXT: waits until its serial line has said TEXT.
vm_says() {
	local end=$((SECONDS + $2))
	until grep -qaE -- "$3" "$DIR/$1.console"; do
		if ! vm_runs "$1" || [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.5
	done
}
# vm_ends NAME SECONDS
vm_ends() {
	local end=$((SECONDS + $2))
	while vm_runs "$1"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.5
	done
}
# vm_cut NAME: pulls the plug.
vm_cut() {
	kill -9 "$(cat "$DIR/$1.pid" 2>/dev/null)" 2>/dev/null || true
	vm_ends "$1" 10
}
# vm_knows ADDRESS: until it lets the administrator in.
vm_knows() {
	local end=$((SECONDS + 120))
	until vm_ssh "$1" true; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 2
	done
}
# vm_ssh ADDRESS COMMAND...: as the administrator of the seed, by the key that the test made.
vm_ssh() {
	local address=$1
	shift
	ssh -q -i "$DIR/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
		-o ConnectTimeout=20 "phoenix@$address" "$@"
}
