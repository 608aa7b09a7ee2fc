# shellcheck shell=bash
# The power of all three fails and comes back: at once, one after the other, and
# first to one of them only.
# needs: product k3s
# list: full
# limit: 900

case_run() {
	local id n start
	step form
	formed
	id=$(mark "$A" id)
	step 'all at once'
	lab cut "${NODES[@]}"
	start=$SECONDS
	lab boot "${NODES[@]}"
	must_be "the cluster" "$(whole "$FORM_LIMIT")" "$id"
	figure "from power on of all to all well: $((SECONDS - start)) s"
	step 'one after the other, the first one last'
	lab cut "${NODES[@]}"
	lab boot "$C"
	within 60 "$C says that it needs another" tells "$C" "names 3 voters"
	must_not "there is an API" api_answers "$C"
	lab boot "$B"
	within "$JOIN_LIMIT" "two are enough" api_writes "$B"
	lab boot "$A"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
	for n in "${NODES[@]}"; do must_be "databases moved aside on $n" "$(aside "$n")" 0; done
}
