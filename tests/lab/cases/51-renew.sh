# shellcheck shell=bash
# A machine that was flashed with the disk image (emulated, with its own kernel and
# boot loader) is the third of the cluster; it renews its system by itself and comes
# back as the member it was. A power cut while it writes leaves nothing that starts.
# The two others are the lab's.
# needs: product k3s disk-image
# list: image
# limit: 5400

IMAGE=$(disk_image)
# emulation makes of a second ten
SLOW=1500
# what a kernel that UEFI has started says first
STARTS='EFI stub: '

# in_net COMMAND...: a function of tests/image/vm.sh, in the lab's network.
in_net() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	DIR=$DIR REPO=$REPO VM_MEMORY=4096 VM_CPUS=2 lab net -- bash -euc '
		. "$REPO/tests/image/vm.sh"
		vm_libraries
		cd "$DIR"
		vm_ensure
		"$@"' _ "$@"
}
# No archive is in reach from that network.
emulator() { bash -euc '. "$1/tests/image/vm.sh"; REPO=$1; vm_libraries; vm_ensure' _ "$REPO"; }
on_c() { in_net vm_ssh "${NODE_ADDRESS[$C]}" "$@"; }

# The lab's description with an administrator; the machine has one disk, so what is kept is a partition beside the
# system that is written over.
describe() {
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/key"
	cp -r "$REPO/cloud-init/examples/three-nodes" "$DIR/cluster"
	sed -i "s|^  network:|  admin: { ssh_keys: [ \"$(cat "$DIR/key.pub")\" ], from: [ 192.0.2.0/24 ] }\n&|" \
		"$DIR/cluster/phoenix.yaml"
	sed -i "/name: $C\b/,/data:/{/data:/d}" "$DIR/cluster/phoenix.yaml"
	export PHOENIX_LAB_CLUSTER=$DIR/cluster
}

power_on() { in_net vm_start c uefi "${NODE_MAC[$C]}" c.disk; }

# An emulated machine is not well at every moment; while one is not, none is renewed.
renews() {
	on_c sudo phoenix flash --self - --sha256 "$(cut -d' ' -f1 "$IMAGE.sha256")" --yes <"$IMAGE" ||
		grep -qa 'flash --self: writes' "$DIR/c.console"
}

machine_id() { on_c cat /etc/machine-id; }

case_run() {
	local id before
	DIR=$STATE.vm
	rm -rf "$DIR"
	mkdir -p "$DIR"
	trap 'kill -9 "$(cat "$DIR/c.pid" 2>/dev/null)" 2>/dev/null || true' EXIT
	emulator
	describe
	lab prepare
	step "$C is flashed"
	truncate -s 24G "$DIR/c.disk"
	make -s -C "$REPO"
	must flash "$REPO/build/release/phoenix" flash --image "$IMAGE" --seed "$STATE/seeds/$C" --yes "$DIR/c.disk"
	step 'all three are switched on'
	lab boot "$A" "$B"
	power_on
	within "$SLOW" 'three members, each ready' well "$A"
	within 300 'three Nodes are Ready' nodes_ready "$A" 3
	id=$(mark "$A" id)
	before=$(machine_id)
	figure "one cluster of two containers and a machine after $SECONDS s"
	on_c 'echo mine | sudo tee /var/lib/phoenix/mine /root/gone' >/dev/null
	step 'it renews its system'
	within "$SLOW" 'it may go' renews
	must 'it restarts' in_net vm_ends c 900
	must 'it said that the disk is written' grep -qa 'written and read back' "$DIR/c.console"
	power_on
	within "$SLOW" 'three members again' well "$A"
	figure "the same three after $SECONDS s"
	must_be 'the cluster' "$(mark "$A" id)" "$id"
	must_not 'the same machine id' [ "$(machine_id)" = "$before" ]
	must_be 'what was on its data disk' "$(on_c cat /var/lib/phoenix/mine)" mine
	must 'what was on its root is gone' on_c '! sudo test -e /root/gone'
	step 'again, and the power fails while it writes'
	within "$SLOW" 'it may go' renews
	must 'it writes' in_net vm_says c 300 'writing +[1-9][0-9] %'
	in_net vm_cut c
	power_on
	must_not 'half a system starts' in_net vm_says c 60 "$STARTS"
	in_net vm_cut c
	step 'as from a stick'
	must flash "$REPO/build/release/phoenix" flash --image "$IMAGE" --seed "$STATE/seeds/$C" --yes "$DIR/c.disk"
	power_on
	must 'a system starts' in_net vm_says c 60 "$STARTS"
}
