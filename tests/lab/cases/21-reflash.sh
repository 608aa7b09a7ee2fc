# shellcheck shell=bash
# Each of the others is flashed anew while the cluster runs, one while an object
# is being written; then two at once, which is one too many: the last voter waits
# for one with its data, and a person who says that there is none is served.
# needs: product k3s
# list: full
# limit: 1200

reflash_one() {
	local n=$1 from=$2 start=$SECONDS
	reflash "$n"
	within "$JOIN_LIMIT" "$n is back" well "$from"
	figure "re-flash of $n: from the cut to all well: $((SECONDS - start)) s"
	must_be "restarts of K3s on $n" "$(k3s_restarts "$n")" 0
}

# Two disks are gone: no quorum, and no rule may guess. recover says what is so.
two_at_once() {
	local id=$1
	lab cut "$B" "$C"
	lab wipe "$B"
	lab wipe "$C"
	lab boot "$B" "$C"
	within 120 "$B waits and names the command" tells "$B" "$A has cluster data" "phoenix recover --keep $A"
	must_be "$B stays blank" "$(state_of "$B" "$B")" blank
	must "recover" word "$A" recover --keep "$A"
	whole 420
	must_be "the cluster" "$(mark "$A" id)" "$id"
	must_be "its generation" "$(mark "$A" generation)" 2
}

case_run() {
	local id
	step form
	formed
	id=$(mark "$A" id)
	must "an object to find again" on "$A" kubectl create configmap lab-kept
	step "$C"; reflash_one "$C" "$A"
	step "$B"; reflash_one "$B" "$A"
	must_be "the cluster" "$(whole 60)" "$id"
	step 'two at once'; two_at_once "$id"
	must "the object" on "$C" kubectl get configmap lab-kept
}
