# shellcheck shell=bash
# The system disk of a node is flashed anew and the data disk stays: that is how
# the operating system is renewed. It stays the member that it was.
# needs: product k3s
# list: full
# limit: 600

members() { on "$B" sh -ec 'kubectl get nodes -o json' | jq -r --arg n "$1" '.items[] | select(.metadata.name == $n) | .metadata.uid'; }

case_run() {
	local id uid n start
	step form
	PHOENIX_LAB_SEED_AS=cidata formed
	id=$(mark "$A" id)
	for n in "$A" "$C"; do
		step "new root for $n"
		uid=$(members "$n")
		start=$SECONDS
		lab cut "$n"
		lab reroot "$n"
		lab boot "$n"
		within "$JOIN_LIMIT" "$n is a member" well "$B"
		figure "from the cut to all well: $((SECONDS - start)) s"
		must_be "the Node object of $n is the same" "$(members "$n")" "$uid"
		must_be "nothing was moved aside on $n" "$(aside "$n")" 0
		must_be "the Node password is accepted" \
			"$(on "$B" kubectl get events -A --field-selector reason=NodePasswordValidationFailed -o name)" ''
	done
	must_be "the cluster" "$(whole 60)" "$id"
}
