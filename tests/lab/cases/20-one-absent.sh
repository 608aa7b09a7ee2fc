# shellcheck shell=bash
# Two of three are switched on: they wait, say for whom and what would help, and
# form nothing. When the third comes the cluster forms.
# needs: product k3s
# list: full
# limit: 600

# Nobody runs K3s, nobody has data.
idle() {
	local n
	for n in "$A" "$B"; do
		k3s_runs "$n" && return 1
		[ "$(state_of "$n" "$n")" = blank ] || return 1
	done
}

case_run() {
	lab prepare
	step 'the first alone'
	lab boot "$A"
	within 60 "$A says for whom it waits" tells "$A" "waits for $B" "phoenix form --with-missing $B"
	step 'two of three'
	lab boot "$B"
	within 60 "$A waits for $C" tells "$A" "waits for $C" "phoenix form --with-missing $C"
	within 60 "so does $B" tells "$B" "waits for $C"
	within 20 "$B sees what $A waits for" shown "$B" "$A" "waits for $C"
	stays 20 'nothing forms without the third' idle
	must_not "status says that all is well" well "$A"
	step 'the third'
	lab boot "$C"
	whole "$FORM_LIMIT"
	must_be "restarts of K3s" "$(for n in "${NODES[@]}"; do k3s_restarts "$n"; done | paste -sd ' ')" "0 0 0"
}
