# shellcheck shell=bash
# The first node, the one that formed the cluster, is flashed anew with an empty
# disk while the cluster runs: it must come back as a voter of that cluster by
# itself, and never form a second one.
# needs: product k3s
# list: short
# limit: 420

case_run() {
	local id start
	step form
	formed
	id=$(mark "$B" id)
	must "an object to find again" on "$B" kubectl create configmap lab-kept
	step 're-flash'
	start=$SECONDS
	reflash "$A"
	within "$JOIN_LIMIT" "$A is back" well "$B"
	figure "phoenix on $A: $(cost "$A")"
	figure "from the cut to all well: $((SECONDS - start)) s"
	must_be "the cluster at the end" "$(whole 60 "$B")" "$id"
	must "the object, through $A" on "$A" kubectl get configmap lab-kept
	must_be "members of etcd" "$(voters_of "$A" "$B")" "$A $B $C"
	must_be "restarts of K3s on $A" "$(k3s_restarts "$A")" 0
	within 60 "the Node password is accepted" node_password_valid "$A"
}

# K3s writes a warning event when the Node's password is not the one it knows.
node_password_valid() {
	on "$B" kubectl get node "$1" >/dev/null &&
		! on "$B" kubectl get events -A --field-selector reason=NodePasswordValidationFailed -o name | grep -q .
}
