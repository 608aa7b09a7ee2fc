# shellcheck shell=bash
# The databases of all three are gone and their disks are not: somebody deleted a
# folder. A new cluster would look well and be empty, so that takes a word.
# needs: product k3s
# list: full
# limit: 900

nobody_runs() {
	local n
	for n in "${NODES[@]}"; do ! k3s_runs "$n" || return 1; done
}

case_run() {
	local id new n
	step form
	formed
	id=$(mark "$A" id)
	step 'the data is deleted'
	for n in "${NODES[@]}"; do on "$n" rm -rf /var/lib/rancher/k3s/server/db; done
	lab cut "${NODES[@]}"
	lab boot "${NODES[@]}"
	for n in "${NODES[@]}"; do
		within 90 "$n names disk, danger and word" tells "$n" "the disk of $A belonged to incarnation $id" \
			"would be empty" "phoenix abandon $id\` on $A"
	done
	stays 15 "nothing forms" nobody_runs
	step 'it is given up'
	must_not "another incarnation is" word "$A" abandon 11111111111111111111111111111111
	stays 5 "still nothing forms" nobody_runs
	# the word is about the incarnation, not about a disk: the node that forms tells it to the others
	must "abandon" word "$A" abandon "$id"
	new=$(whole "$FORM_LIMIT")
	must_not "it is the old cluster" test "$new" = "$id"
	must "its generation is another" test "$(mark "$A" generation)" -gt 1
}
