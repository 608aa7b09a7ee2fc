# shellcheck shell=bash
# The network falls apart while the cluster forms, and while it runs.
# needs: product k3s
# list: full
# limit: 1200

idle() {
	local n
	for n in "${NODES[@]}"; do ! k3s_runs "$n" || return 1; done
}

forming() {
	lab prepare
	lab partition "$A" "$B"
	lab boot "${NODES[@]}"
	within 60 "$A waits for $B" tells "$A" "waits for $B"
	within 60 "$C waits for $A" tells "$C" "$A forms"
	stays 15 "nothing forms" idle
	lab link "$C" down
	lab heal
	lab partition "$A" "$C"
	within 60 "$A waits for $C" tells "$A" "waits for $C"
	stays 5 "nothing forms" idle
	lab heal
	# once more, in the middle of it
	within 60 "$A forms" k3s_runs "$A"
	lab partition "$A" "$B"
	within "$FORM_LIMIT" "$C joins" voters_are "$C" "$A" "$C"
	must_not "$B joined through the partition" k3s_runs "$B"
	lab heal
	whole "$FORM_LIMIT"
}

running() {
	lab partition "$A" "$B"
	within 60 "$C answers" api_writes "$C"
	stays 15 "$C answers" api_answers "$C"
	lab heal
	within "$JOIN_LIMIT" 'all is well' well "$A"
	lab link "$A" down
	within 60 "$B and $C answer" api_writes "$B"
	within 60 "$A is not seen" shown "$B" "$A" "$A"
	sleep 10
	lab link "$A" up
	within "$JOIN_LIMIT" 'all is well' well "$A"
	lab partition "$A" "$B"
	lab partition "$A" "$C"
	lab partition "$B" "$C"
	within 60 'nobody has a quorum' no_api
	sleep 15
	lab heal
	within "$JOIN_LIMIT" 'all is well' well "$A"
}
no_api() {
	local n
	for n in "${NODES[@]}"; do ! api_answers "$n" || return 1; done
}

case_run() {
	local id n
	step 'while it forms'; forming
	id=$(mark "$A" id)
	step 'while it runs'; running
	must_be "the cluster" "$(whole 60)" "$id"
	for n in "${NODES[@]}"; do must_be "databases moved aside on $n" "$(aside "$n")" 0; done
}
