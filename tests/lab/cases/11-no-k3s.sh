# shellcheck shell=bash
# Without K3s the nodes do all they can: they agree who forms, say which file is
# missing, and `lab up' says that nothing was done.
# needs: product
# list: short
# limit: 180

case_run() {
	local status=0 n
	mkdir -p "$STATE.parts"
	: >"$STATE.parts/assets.lock" # nor one that could be fetched
	PHOENIX_PARTS=$STATE.parts PHOENIX_ASSETS_LOCK=$STATE.parts/assets.lock PHOENIX_LAB_LIMIT=120 \
		lab up >"$STATE.out" 2>&1 || status=$?
	cat "$STATE.out"
	must_be "exit status of \`lab up'" "$status" 3
	must "it names what is missing and where it belongs" grep -qF "put \`k3s'" "$STATE.out"
	must "and the folder" grep -qF "$STATE.parts/k3s" "$STATE.out"
	within 20 "$A says that it would form" tells "$A" "forms the cluster" "/usr/local/bin/k3s"
	for n in "$B" "$C"; do
		within 20 "$n says that $A forms" tells "$n" "$A forms the cluster" "/usr/local/bin/k3s"
	done
	for n in "${NODES[@]}"; do
		must_be "$n has promised $A" "$(record "$n" promise.node)" 0
		must_be "state of $n" "$(state_of "$A" "$n")" blank
	done
	must_be "one formation" "$(for n in "${NODES[@]}"; do record "$n" promise.formation; done | sort -u | wc -l)" 1
	rm -rf "$STATE.parts" "$STATE.out"
}
