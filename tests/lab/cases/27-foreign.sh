# shellcheck shell=bash
# A node with the secrets of another cluster, and one with another description:
# neither is talked with, both are named; the corrected seed is taken up without
# flashing the node.
# needs: product k3s
# list: full
# limit: 600

# seeds_of FOLDER: the seeds of a cluster folder, made by a lab of their own.
seeds_of() {
	PHOENIX_LAB=${LAB}x PHOENIX_LAB_CLUSTER=$1 PHOENIX_LAB_SEEDS='' "$LAB_HOME/lab" prepare
	cp -r "$LABS/${LAB}x/seeds" "$2"
	PHOENIX_LAB=${LAB}x "$LAB_HOME/lab" down
}

blank_and_idle() {
	local n
	for n in "${NODES[@]}"; do ! k3s_runs "$n" || return 1; done
}

# correct NODE: the right seed, into the folder that cloud-init would fill.
correct() {
	on "$1" sh -ec 'mkdir -p /var/lib/cloud/seed/nocloud; cat >/var/lib/cloud/seed/nocloud/phoenix-seed.yaml' \
		<"$STATE/seeds/$1/phoenix-seed.yaml"
}

foreign() {
	lab seed "$C" "$STATE/foreign/$C" --as folder
	lab boot "${NODES[@]}"
	within 60 "$A waits for $C and says why" tells "$A" "waits for $C" "another cluster"
	within 60 "$C finds nobody and says why" tells "$C" "$A" "another cluster"
	stays 10 "nothing forms" blank_and_idle
}

differing() {
	lab cut "$C"
	lab wipe "$C"
	lab seed "$C" "$STATE/differing/$C" --as folder
	lab boot "$C"
	within 60 "$A says it" tells "$A" "waits for $C" "$C runs another description"
	within 60 "$C says it" tells "$C" "$A runs another description"
	within 20 "status shows it" shown "$A" "$C" "another description"
	stays 10 "nothing forms" blank_and_idle
}

case_run() {
	lab prepare
	cp -r "$STATE/cluster" "$STATE/cluster.differing"
	sed -i 's/ops@/others@/' "$STATE/cluster.differing/phoenix.yaml"
	must_not "the description differs" cmp -s "$STATE/cluster/phoenix.yaml" "$STATE/cluster.differing/phoenix.yaml"
	seeds_of "$STATE/cluster.differing" "$STATE/differing"
	seeds_of "$REPO/cloud-init/examples/three-nodes" "$STATE/foreign"
	step 'other secrets'; foreign
	step 'another description'; differing
	step 'the corrected seed'
	correct "$C"
	whole "$FORM_LIMIT"
}
