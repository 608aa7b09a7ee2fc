# shellcheck shell=bash
# A promise binds: one that helps another node to form neither forms itself nor
# helps a third, until a person takes the promise back.
# needs: product
# list: short
# limit: 240

ONE=11111111111111111111111111111111 TWO=22222222222222222222222222222222

case_run() {
	local n
	mkdir -p "$STATE.parts" # no K3s: what was agreed stays to be looked at
	PHOENIX_PARTS=$STATE.parts lab prepare
	rm -rf "$STATE.parts"
	lab boot "$A" "$C"
	within 60 "$A waits for $B" tells "$A" "waits for $B"
	step "$A promises $C"
	must "the promise" promises "$A" "$C" "$ONE"
	must "the same once more" promises "$A" "$C" "$ONE"
	must_be "$A has written it down" "$(record "$A" promise.node) $(record "$A" promise.formation)" "2 $ONE"
	step 'all are there'
	lab boot "$B"
	within 60 "$A stops and names the word" tells "$A" "$A has promised $C and nobody else" "phoenix forget $ONE"
	must "$A refuses it to $B" refuses "$A" "$B" "$TWO"
	must_be "the promise of $A" "$(record "$A" promise.node) $(record "$A" promise.formation)" "2 $ONE"
	step 'the word'
	must_not "of another formation" word "$A" forget "$TWO"
	must "forget" word "$A" forget "$ONE"
	within 60 "$A goes on" tells "$A" "forms the cluster"
	for n in "${NODES[@]}"; do must_be "$n has promised $A" "$(record "$n" promise.node)" 0; done
	must "$B refuses it to $C" refuses "$B" "$C" "$TWO"
	must_be "the promise of $B" "$(record "$B" promise.node)" 0
}
