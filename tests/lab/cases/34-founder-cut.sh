# shellcheck shell=bash
# The node that founds the cluster loses its power just when the others begin to
# join it, with their etcd half made: no word of a person may be needed.
# needs: product k3s
# list: full
# limit: 600

joins() { k3s_runs "$B" || k3s_runs "$C"; }

founder_cut() {
	local wait=$1
	lab cut "${NODES[@]}"
	for n in "${NODES[@]}"; do lab wipe "$n"; done
	lab boot --no-wait "${NODES[@]}"
	within 60 "somebody joins" joins
	sleep "$wait"
	lab cut "$A"
	sleep 5
	lab boot --no-wait "$A"
	whole "$FORM_LIMIT"
	figure "cut $wait s after a K3s was started to join: one cluster, $SECONDS s"
}

case_run() {
	local n
	lab prepare
	step 'before its data'; founder_cut 1
	step 'with its data'; founder_cut 8
}
