# shellcheck shell=bash
# Two machines with one seed. A lab has three machines with three cards, so the
# second phoenix-c is made of its signs of life: its seed in the wrong machine,
# its lease that goes on being renewed, its address that answers ARP.
# needs: product k3s
# list: full
# limit: 900

wrong_machine() {
	lab cut "$B"
	lab wipe "$B"
	lab seed "$B" "$STATE/seeds/$C" --as folder
	lab boot --no-wait "$B"
	# cloud-init waits two minutes for the card that its seed names
	within 200 "$B refuses the seed of $C" tells "$B" "$B's MAC" "seed of $C" "wrong machine"
	must_not "it is called $C in the cluster" k3s_runs "$B"
	must "the others go on" api_writes "$A"
	# the right seed, without flashing: from the place where it lies anyhow
	lab cut "$B"
	lab seed "$B" "$STATE/seeds/$B" --as folder
	lab boot "$B"
	whole "$JOIN_LIMIT"
}

# Renews C's lease as its kubelet would, until the file is gone.
living_lease() {
	while [ -e "$STATE/alive" ]; do
		on "$A" sh -c 'kubectl -n kube-node-lease patch lease "$1" --type=merge --request-timeout=2s \
			-p "{\"spec\":{\"renewTime\":\"$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)\"}}"' _ "$C" >/dev/null 2>&1 || true
		sleep 1
	done
}
uid_of() { on "$A" kubectl get node "$1" -o 'jsonpath={.metadata.uid}'; }

second_lives() {
	local uid
	uid=$(uid_of "$C")
	lab cut "$C"
	lab wipe "$C"
	touch "$STATE/alive"
	living_lease &
	lab boot "$C"
	within 90 "$C says that another lives" tells "$C" "another machine is alive as $C"
	stays 15 "the Node of the living one stays" uid_is "$uid"
	must_not "$C runs K3s" k3s_runs "$C"
	rm -f "$STATE/alive"
	wait
	within "$JOIN_LIMIT" "$C joins when the other is off" well "$A"
}
uid_is() { [ "$(uid_of "$C")" = "$1" ]; }

case_run() {
	local id
	step form
	formed
	id=$(mark "$A" id)
	step 'the seed in the wrong machine'; wrong_machine
	step 'the namesake lives'; second_lives
	must_be "the cluster" "$(whole 60)" "$id"
}
