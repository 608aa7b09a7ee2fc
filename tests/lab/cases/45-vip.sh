# shellcheck shell=bash
# The shared address: on one node and answered from outside although nothing
# listens on port 80 yet; moves when its node dies, stays where it is when that
# one comes back, and goes where the only edge is.
# needs: product k3s
# list: full
# limit: 600

VIP=192.0.2.10

has_vip() { on "$1" ip -4 -o addr show to "$VIP/32" 2>/dev/null | grep -q .; }
# holders NODE...: those of them that have the address.
holders() {
	local n
	for n in "$@"; do ! has_vip "$n" || printf '%s\n' "$n"; done
}
one_holder() { [ "$(holders "$@" | wc -l)" = 1 ]; }
held_by() { [ "$(holders "${NODES[@]}")" = "$1" ]; }
vip_answers() { lab net -- ping -q -c 1 -W 1 "$VIP" >/dev/null; }
vip_serves() { lab net -- curl -sf -m 2 "http://$VIP/" | grep -qx edge; }

# The example's description, with the address.
described() {
	PHOENIX_LAB_CLUSTER=$(mktemp -d)
	export PHOENIX_LAB_CLUSTER
	trap 'rm -rf "$PHOENIX_LAB_CLUSTER"' EXIT
	cp "$REPO/cloud-init/examples/three-nodes/"* "$PHOENIX_LAB_CLUSTER/"
	sed -i "s/^  network:/  vip: $VIP\n&/" "$PHOENIX_LAB_CLUSTER/phoenix.yaml"
	grep -q "vip: $VIP" "$PHOENIX_LAB_CLUSTER/phoenix.yaml" || fail "the description has no vip"
}

# others_than NODE...: the rest of the three.
others_than() { printf '%s\n' "${NODES[@]}" | grep -vxF "$(printf '%s\n' "$@")"; }

case_run() {
	local first second third rest
	described
	step form
	formed
	within 20 "one node has the address" one_holder "${NODES[@]}"
	first=$(holders "${NODES[@]}")
	within 10 "it is answered" vip_answers
	figure "the address is on $first"

	step 'its node dies'
	lab cut "$first"
	mapfile -t rest < <(others_than "$first")
	within 20 "another node has the address" one_holder "${rest[@]}"
	within 10 "it is answered" vip_answers
	second=$(holders "${rest[@]}")

	step 'and comes back'
	lab boot "$first"
	whole "$JOIN_LIMIT" "$second" >/dev/null
	stays 10 "the address stays where it is" held_by "$second"

	step 'an edge, elsewhere'
	third=$(others_than "$first" "$second")
	on "$third" sh -c 'mkdir -p /run/edge; echo edge >/run/edge/index.html; exec busybox httpd -p 80 -h /run/edge'
	within 30 "the address goes to the only edge" held_by "$third"
	within 10 "it serves" vip_serves
	on "$third" pkill -f 'httpd -p 80'
	within 30 "without any edge it is on one node" one_holder "${NODES[@]}"
}
