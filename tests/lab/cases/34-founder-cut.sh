# shellcheck shell=bash
# The node that founds the cluster loses its power just when the others begin to
# join it, with their etcd half made: no word of a person may be needed.
# needs: product k3s
# list: full
# limit: 600

joins() { k3s_runs "$B" || k3s_runs "$C"; }
has_wal() { on "$1" test -e /var/lib/rancher/k3s/server/db/etcd/member/wal; }
# One is a learner, the other waits for its turn: neither can be told anything without the founder.
one_learns() { k3s_runs "$B" && k3s_runs "$C" && { has_wal "$B" || has_wal "$C"; }; }

# founder_cut WHAT CONDITION
founder_cut() {
	lab cut "${NODES[@]}"
	for n in "${NODES[@]}"; do lab wipe "$n"; done
	lab boot --no-wait "${NODES[@]}"
	within 60 "$1" "$2"
	lab cut "$A"
	sleep 5
	lab boot --no-wait "$A"
	whole "$FORM_LIMIT"
	figure "cut when $1: one cluster, $SECONDS s"
}

case_run() {
	local n
	lab prepare
	step 'before its data'; founder_cut 'somebody joins' joins
	step 'with its data'; founder_cut 'one is a learner' one_learns
}
