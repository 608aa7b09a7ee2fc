# shellcheck shell=bash
# Three blank machines with a seed stick each become one cluster by themselves;
# a reboot and the loss of one of them change nothing.
# needs: product k3s
# list: short
# limit: 420

MEDIUM=/dev/disk/by-id/virtio-phoenix-seed

# on_medium NODE: the files of its seed stick.
on_medium() {
	on "$1" sh -ec "mkdir -p /mnt/s; mount -o ro $MEDIUM /mnt/s; ls /mnt/s; umount /mnt/s"
}

# No secret is left where the seed came from, not even as deleted bytes; what
# cloud-init needs to know its instance again stays.
check_scrubbed() {
	local n token
	for n in "${NODES[@]}"; do
		must_be "files left on the medium of $n" "$(on_medium "$n" | sort | paste -sd ' ')" \
			"meta-data network-config user-data"
		token=$(on "$n" cat /etc/rancher/k3s/token)
		must "the token of $n is not empty" test "${#token}" -gt 20
		must_not "the token is still on the medium of $n" grep -qaF "${token##*:}" "$(node_dir "$n")/seed/medium.img"
	done
}

# cloud-init's own schema, for what the medium holds.
check_schema() {
	local n
	for n in "${NODES[@]}"; do
		must "cloud-init accepts the files of $n" on "$n" sh -ec "mkdir -p /mnt/s; mount -o ro $MEDIUM /mnt/s
			trap 'umount /mnt/s' EXIT
			cloud-init schema --config-file /mnt/s/user-data
			cloud-init schema --schema-type network-config --config-file /mnt/s/network-config"
	done
}

check_formed() {
	local n
	figure "three members after $SECONDS s"
	for n in "${NODES[@]}"; do
		figure "phoenix on $n: $(cost "$n")"
		must_be "restarts of K3s on $n" "$(k3s_restarts "$n")" 0
		must_be "databases moved aside on $n" "$(aside "$n")" 0
		within 100 "nothing is left to do on $n" nothing_left "$n"
	done
}

check_reboot() {
	local id
	id=$(boot_id "$B")
	on "$B" systemctl reboot || true
	rebooted() { [ "$(boot_id "$B" 2>/dev/null || echo "$id")" != "$id" ]; }
	within 60 "$B reboots" rebooted
	within "$JOIN_LIMIT" "all is well again" well "$A"
	within 100 "nothing is left to do after a reboot" nothing_left "$B"
	must_be "K3s needed no second start" "$(k3s_restarts "$B")" 0
}

check_loss() {
	lab cut "$A"
	within 60 "the others answer without $A" api_writes "$B"
	must "so does $C" api_answers "$C"
	must_not "status says that all is well" well "$B"
	must_be "status of the lost node" "$(state_of "$B" "$A")" "no answer"
	lab boot "$A"
	within "$JOIN_LIMIT" "$A is a member again" well "$A"
}

case_run() {
	local id
	step form
	PHOENIX_LAB_SEED_AS=cidata formed
	id=$(mark "$A" id)
	check_formed
	step 'the seed by its schema'; check_schema
	step 'no secret stays on the medium'; check_scrubbed
	step 'a reboot'; check_reboot
	step 'loss of one'; check_loss
	must_be "the cluster at the end" "$(whole 60)" "$id"
}
