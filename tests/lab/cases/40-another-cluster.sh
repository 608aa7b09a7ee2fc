# shellcheck shell=bash
# All three were flashed anew and are a new cluster of the same description; then
# a disk of the old one is plugged in: a member of three by its own data, and of
# the same generation as the cluster that runs.
# needs: product k3s
# list: full
# limit: 900

not_started() { ! k3s_runs "$B" && [ "$(state_of "$B" "$B")" = member ]; }

case_run() {
	local old id n
	step 'the old cluster'
	formed
	old=$(mark "$A" id)
	lab cut "${NODES[@]}"
	lab disk "$B" save old
	step 'the new one'
	for n in "${NODES[@]}"; do lab wipe "$n"; done
	lab boot "${NODES[@]}"
	id=$(whole "$FORM_LIMIT")
	must_not "it is the old cluster" test "$id" = "$old"
	step 'an old disk'
	lab cut "$B"
	lab disk "$B" restore old
	lab boot "$B"
	within 60 "$B stops and names the word" tells "$B" "of cluster $id" "the others went on without it" "phoenix abandon $old"
	stays 20 "$B does not start" not_started
	must "the others go on" api_writes "$A"
	step abandon
	must "abandon" word "$B" abandon "$old"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
	must_be "databases kept aside on $B" "$(aside "$B")" 1
}
