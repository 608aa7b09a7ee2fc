# shellcheck shell=bash
# Two of three are flashed anew at once, and the third cannot run alone: a new
# cluster would be empty. They wait, and recover brings them into the old one.
# needs: product k3s
# list: full
# limit: 900

idle() {
	local n
	for n in "$A" "$C"; do
		k3s_runs "$n" && return 1
		[ "$(state_of "$n" "$n")" = blank ] || return 1
	done
}

case_run() {
	local id n
	step form
	formed
	id=$(mark "$A" id)
	must "an object to find again" on "$A" kubectl create configmap lab-kept
	must "a member refuses to help another form" refuses "$B" "$C" 11111111111111111111111111111111
	step "$A and $C are flashed anew"
	lab cut "${NODES[@]}"
	lab wipe "$A"
	lab wipe "$C"
	lab boot "${NODES[@]}"
	for n in "$A" "$C"; do
		within 90 "$n waits for $B" tells "$n" "$B has cluster data but its API is not ready" "phoenix recover --keep $B"
	done
	stays 20 'nothing forms, and nothing joins what has no quorum' idle
	step recover
	must "recover" word "$B" recover --keep "$B"
	must_be "the cluster" "$(whole "$FORM_LIMIT" "$B")" "$id"
	must "the object" on "$C" kubectl get configmap lab-kept
}
