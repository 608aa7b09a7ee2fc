# shellcheck shell=bash
# The first node's disk is copied while it is the only voter. Later, when the
# cluster has gone on without that copy, it comes back: it names one voter only,
# would be a whole cluster by itself, and must not start.
# needs: product k3s
# list: full
# limit: 900

# All but what runs in the cluster, which waits for the others.
lone() { [ "$(voters_of "$A" "$A")" = "$A" ] && tells "$A" 'components: waits until the cluster is whole'; }

old_disk() {
	lab cut "$A"
	lab disk "$A" restore lone
	lab boot "$A"
}

case_run() {
	local id
	lab prepare
	step 'the first forms, the others have no network yet'
	# all three must answer before anything forms: the others vanish at once after it
	lab boot "${NODES[@]}"
	within 120 "$A has formed" state_is "$A" member
	lab cut "$B" "$C"
	within 120 "$A is the only voter" lone
	id=$(mark "$A" id)
	lab cut "$A"
	lab disk "$A" save lone
	lab boot "${NODES[@]}"
	must_be "the cluster" "$(whole "$FORM_LIMIT")" "$id"
	step 're-flash of the first'
	reflash "$A"
	must_be "the cluster" "$(whole "$JOIN_LIMIT" "$B")" "$id"
	must "something newer than the old disk" on "$B" kubectl create configmap lab-newer
	step 'its old disk comes back'
	old_disk
	within 60 "$A stops and names the word" tells "$A" "only voter" "phoenix abandon $id"
	stays 20 "$A does not start" not_started
	must "the others go on" api_writes "$B"
	step 'abandon'
	must_not "with the wrong name" on "$A" phoenix abandon "$id" --confirm other
	must_not "of another incarnation" word "$A" abandon 0123456789abcdef0123456789abcdef
	must "abandon" word "$A" abandon "$id"
	must_be "the cluster" "$(whole "$JOIN_LIMIT" "$B")" "$id"
	must_be "databases kept aside on $A" "$(aside "$A")" 1
	must "what is newer is there" on "$A" kubectl get configmap lab-newer
}
not_started() { ! k3s_runs "$A" && [ "$(state_of "$A" "$A")" = member ]; }
