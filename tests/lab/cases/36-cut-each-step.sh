# shellcheck shell=bash
# The power fails the moment that a step begins, at each of them in turn: first
# of all three nodes while they form, then of one that was flashed anew.
# needs: product k3s
# list: full
# limit: 1200

# console_from NODE BYTE: what it printed since.
console_from() { tail -c "+$2" "$(node_dir "$1")/console.log"; }
# began NODE BYTE STEP: that step, or a later one: what was done before is not shown.
began() {
	console_from "$1" "$2" | sed -n 's|.*\[\([0-9]*\)/[0-9]*\].*|\1|p' | awk -v n="$3" '$1 >= n {found = 1} END {exit !found}'
}

# cut_at STEP WATCHED NODE...: switches the nodes on, and off again when the
# watched one has begun that step.
cut_at() {
	local at=$1 watched=$2 from end polls=0
	shift 2
	from=$(($(stat -c %s "$(node_dir "$watched")/console.log" 2>/dev/null || echo 0) + 1))
	lab boot --no-wait "$@"
	# almost without a pause: ten steps take less than a second
	end=$((SECONDS + FORM_LIMIT))
	until began "$watched" "$from" "$at"; do
		[ "$((polls++ % 100))" != 99 ] || ! is_ready "$watched" || break
		[ "$SECONDS" -lt "$end" ] || fail "$watched does not begin step $at within $FORM_LIMIT s"
		sleep 0.01
	done
	lab cut "$@"
	STEPS=$(sed -n 's|.*\[[0-9]*/\([0-9]*\)\].*|\1|p' "$(node_dir "$watched")/console.log" | tail -n 1)
}

# cut_at_each WATCHED NODE...
cut_at_each() {
	local i
	STEPS=1
	for ((i = 1; i <= STEPS; i++)); do cut_at "$i" "$@"; done
	figure "$STEPS cuts of ${*:2}"
	lab boot "${@:2}"
}

case_run() {
	local id
	lab prepare
	step 'all three, at each step of the first'
	cut_at_each "$A" "${NODES[@]}"
	id=$(whole "$FORM_LIMIT")
	must "an object to find again" on "$A" kubectl create configmap lab-kept
	step "$C, flashed anew, at each of its own"
	lab cut "$C"
	lab wipe "$C"
	cut_at_each "$C" "$C"
	must_be "the cluster at the end" "$(whole "$FORM_LIMIT")" "$id"
	must "the object, through $C" on "$C" kubectl get configmap lab-kept
}
