# shellcheck shell=bash
# A node was kept by recover and given up again; the two that were said to be
# destroyed come back. What it has seen since is newer than their cluster: it does
# not go back to that by itself.
# needs: product k3s
# list: full
# limit: 900

alone() { [ "$(voters_of "$C" "$C")" = "$C" ] && api_writes "$C"; }
waits() { ! k3s_runs "$C" && [ "$(state_of "$C" "$C")" = blank ]; }

case_run() {
	local id
	step form
	formed
	id=$(mark "$A" id)
	step "$C is kept, and given up"
	lab cut "$A" "$B"
	must "recover" word "$C" recover --keep "$C" --destroyed "$A" --destroyed "$B"
	within "$JOIN_LIMIT" "$C is back, alone" alone
	must "abandon" word "$C" abandon "$id"
	within 60 "$C is blank" waits
	step 'the others come back'
	lab boot "$A" "$B"
	within "$JOIN_LIMIT" "$A and $B go on" api_writes "$A"
	within 30 "$C says why it waits" tells "$C" "of an older generation than this disk has seen"
	stays 15 "$C does not join" waits
	step "$C, flashed anew, has seen nothing"
	reflash "$C"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
}
