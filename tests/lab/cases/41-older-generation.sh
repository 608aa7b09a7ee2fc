# shellcheck shell=bash
# One node is kept by recover and another retires for it; then snapshots of the
# first two from before that are put back, and are a cluster again. What the third
# has seen is newer: it does not follow them by itself.
# needs: product k3s
# list: full
# limit: 900

retired() { [ "$(record "$C" retired)" = 2 ]; }
waits() { ! k3s_runs "$C" && [ "$(aside "$C")" = 0 ]; }

case_run() {
	local id n
	step form
	formed
	id=$(mark "$A" id)
	lab cut "${NODES[@]}"
	for n in "$A" "$B"; do lab disk "$n" save "before-$n"; done
	lab boot "$A" "$C"
	within "$JOIN_LIMIT" "$A answers" api_answers "$A"
	step "$C retires for $A"
	must "recover" word "$A" recover --keep "$A" --destroyed "$B"
	within 60 "$C is retired" retired
	lab cut "$A"
	step 'the old disks'
	for n in "$A" "$B"; do lab disk "$n" restore "before-$n"; done
	lab boot "$A" "$B"
	within "$JOIN_LIMIT" "$A and $B are a cluster" api_writes "$A"
	within 60 "$C says why it waits" tells "$C" "retired for generation 2" "until that generation is ready"
	stays 20 "$C keeps its data where it is and joins nothing" waits
	step "$C, flashed anew, has seen nothing"
	reflash "$C"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
}
