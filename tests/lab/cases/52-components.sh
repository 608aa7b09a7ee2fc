# shellcheck shell=bash
# What runs in the cluster is installed by one node, in order; the others show who it is. Its image is missing:
# that is what they say. The power of that node fails: another goes on. The image is corrected: all is installed,
# each object once, and nothing is touched at a later look; what somebody deletes is put back.
# needs: product k3s containers
# list: full
# limit: 900

IMAGE=localhost/lab-pause:1 WRONG=localhost/lab-nothing:1 FOLDER=usr/share/threephoenix/manifests

# pods KIND NAME IMAGE FIELD: a workload whose pods only are there.
pods() {
	cat <<-EOT
		---
		apiVersion: apps/v1
		kind: $1
		metadata: { name: $2, namespace: lab }
		spec:
		  $4
		  selector: { matchLabels: { app: $2 } }
		  template:
		    metadata: { labels: { app: $2 } }
		    spec:
		      terminationGracePeriodSeconds: 1
		      containers: [ { name: c, image: "$3", imagePullPolicy: Never } ]
	EOT
}
config() { printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: %s, namespace: lab }\ndata: { %s }\n' "$@"; }
first() {
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: { name: lab }\n'
	config one 'version: "@VERSION@", servers: '"'"'@API_SERVERS@'"'"
	pods DaemonSet everywhere "$IMAGE" 'revisionHistoryLimit: 2'
}
# manifests IMAGE: what each node's system came with. What the product itself would install later than its base is
# hidden, as the upper layer of a root hides a file.
manifests() {
	local n folder f
	for n in "${NODES[@]}"; do
		folder=$(node_dir "$n")/upper/$FOLDER
		mkdir -p "$folder"
		for f in "$STAGE/$FOLDER"/[2-9]*; do [ ! -f "$f" ] || mknod "$folder/${f##*/}" c 0 0; done
		first >"$folder/20-first.yaml"
		pods Deployment second "$1" 'replicas: 3' >"$folder/30-second.yaml"
		config three 'a: b' >"$folder/40-third.yaml"
		{ printf '# needs: local-path\n'; config never 'a: b'; } >"$folder/50-not-here.yaml"
	done
}
# correct: the same on running nodes.
correct() { local n; for n in "${NODES[@]}"; do on "$n" sed -i "s,$WRONG,$IMAGE," "/$FOLDER/30-second.yaml"; done; }

# lease FROM FIELD, get FROM TYPE NAME PATH
lease() { on "$1" kubectl -n kube-system get lease phoenix-install --request-timeout=5s -o "jsonpath={$2}" 2>/dev/null; }
holder() { local h; h=$(lease "$1" .spec.holderIdentity) && printf '%s\n' "${h%%/*}"; }
get() { on "$1" kubectl -n lab get "$2" "$3" --request-timeout=5s -o "jsonpath={$4}" 2>/dev/null; }
held_by_another() { local h; h=$(holder "$1") && [ -n "$h" ] && [ "$h" != "$2" ]; }
reason='components: second: second 0 of 3 ready: second-'
wrong_image="ErrImageNeverPull: Container image \"$WRONG\" is not present"

check_waiting() {
	local n
	INSTALLER=$(holder "$A")
	within 60 "$INSTALLER says why it waits" tells "$INSTALLER" "$reason" "$wrong_image"
	for n in "${NODES[@]}"; do
		[ "$n" = "$INSTALLER" ] || within 20 "$n says who installs" tells "$n" "components: $INSTALLER installs: second:"
	done
	must_be "who has installed so far" "$(lease "$A" .spec.leaseTransitions)" 1
	must_not "what comes later is there" get "$A" configmap three .data
	must_not "what this description does not want is there" get "$A" configmap never .data
	must_be "the version put in" "$(get "$A" configmap one .data.version)" "$(cat "$REPO/VERSION")"
	must_not "status says that all is well" well "$A"
}

check_power_cut() {
	local other
	for other in "${NODES[@]}"; do [ "$other" = "$INSTALLER" ] || break; done
	lab cut "$INSTALLER"
	SECONDS_BEFORE=$SECONDS
	within 90 "another installs" held_by_another "$other" "$INSTALLER"
	figure "another node installs $((SECONDS - SECONDS_BEFORE)) s after the power of the first failed"
	within 60 "it says the same" tells "$(holder "$other")" "components: second: second 0 of 3 ready" "$wrong_image"
	lab boot "$INSTALLER"
	within "$JOIN_LIMIT" "$INSTALLER is back" nodes_ready "$other" 3
}

# versions: of what was installed, to see whether anybody wrote.
versions() {
	get "$A" configmap one .metadata.resourceVersion; echo
	get "$A" configmap three .metadata.resourceVersion; echo
	get "$A" daemonset everywhere .metadata.generation; echo
	get "$A" deployment second .metadata.generation
}

check_installed() {
	local before
	must_be "the third, after the second was ready" "$(get "$A" configmap three .data.a)" b
	must_be "specifications of the first" "$(get "$A" daemonset everywhere .metadata.generation)" 1
	# (the generation of a Deployment counts its annotations too)
	must_be "specifications of the second" "$(get "$A" deployment second '.metadata.annotations.deployment\.kubernetes\.io/revision')" 2
	must_be "ready pods of the second" "$(get "$A" deployment second .status.readyReplicas)" 3
	must_be "holder of the Lease" "$(holder "$A")" ''
	must "the Lease says what was installed" test -n "$(lease "$A" '.metadata.annotations.phoenix/installed')"
	must "nothing is left to be done" nothing_left "$A"
	before=$(versions)
	look_again
	must_be "what a later look has changed" "$(versions)" "$before"
}
# A pass through the whole table comes every five minutes, or with a new daemon.
look_again() {
	on "$B" systemctl restart phoenix-firstboot
	within 60 "$B is ready again" is_ready "$B"
}

check_put_back() {
	must "deleted" on "$A" kubectl -n lab delete configmap one
	look_again
	must_be "it is back" "$(get "$A" configmap one .data.version)" "$(cat "$REPO/VERSION")"
}

case_run() {
	lab prepare
	manifests "$WRONG"
	step form
	lab boot "${NODES[@]}"
	within "$FORM_LIMIT" "three Nodes are Ready" nodes_ready "$A" 3
	step 'an image that does not exist'
	within 120 "somebody installs" held_by_another "$A" nobody
	check_waiting
	figure "$(says "$INSTALLER")"
	step 'the power of who installs fails'; check_power_cut
	step 'the image is corrected'; correct
	whole 180
	check_installed
	step 'something is deleted'; check_put_back
}
