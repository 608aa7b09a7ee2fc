# shellcheck shell=bash
# The power fails at a random moment of the first boot, of one node or of all,
# and again: whatever was half done, the next boot ends in one cluster.
# PHOENIX_LAB_RANDOM repeats a run.
# needs: product k3s
# list: full
# limit: 1500

ROUNDS=10 TIME=600

# blank_all: three blank machines again.
blank_all() {
	local n
	lab cut "${NODES[@]}"
	for n in "${NODES[@]}"; do lab wipe "$n"; done
	lab boot --no-wait "${NODES[@]}"
}

round() {
	local tenths=$1 victims=("${@:2}") id
	blank_all
	sleep "$((tenths / 10)).$((tenths % 10))"
	lab cut "${victims[@]}"
	sleep "0.$((RANDOM % 10))"
	lab boot "${victims[@]}"
	id=$(whole "$FORM_LIMIT")
	figure "cut of ${victims[*]} after $tenths/10 s: one cluster, $id"
}

case_run() {
	local i end=$((SECONDS + TIME)) points done=0
	RANDOM=${PHOENIX_LAB_RANDOM:-$$}
	figure "PHOENIX_LAB_RANDOM=${PHOENIX_LAB_RANDOM:-$$}"
	lab prepare
	# the steps take some 10 s, K3s's formation some 50 more: half of the cuts each, in any order
	mapfile -t points < <(for i in $(seq "$ROUNDS"); do
		printf '%d %d\n' "$((RANDOM))" "$((i <= ROUNDS / 2 ? 30 + RANDOM % 90 : 120 + RANDOM % 500))"
	done | sort -n | cut -d' ' -f2)
	for i in "${points[@]}"; do
		[ "$SECONDS" -lt "$end" ] || break
		step "cut after $i/10 s"
		if [ $((RANDOM % 2)) = 0 ]; then round "$i" "${NODES[@]}"; else round "$i" "${NODES[RANDOM % 3]}"; fi
		done=$((done + 1))
	done
	must "several rounds in $TIME s" test "$done" -ge 3
	figure "$done rounds"
}
