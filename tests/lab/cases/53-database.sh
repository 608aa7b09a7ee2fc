# shellcheck shell=bash
# Three real nodes bring up PostgreSQL by themselves: one primary, two standbys. Its pod is killed, told to go, its
# node's power fails: another is the primary, and what was lost comes back as a standby.
# needs: product k3s containers
# list: full
# limit: 900

FOLDER=usr/share/threephoenix/manifests
DATA=/var/lib/rancher/lab-database

# A volume a node, as storage would give: a folder, and the class that the description names.
volumes() {
	local n
	printf '{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"longhorn"},"provisioner":"kubernetes.io/no-provisioner","volumeBindingMode":"WaitForFirstConsumer"}\n'
	for n in "${NODES[@]}"; do
		jq -nc --arg name "database-$n" --arg node "$n" --arg path "$DATA" '{apiVersion: "v1", kind: "PersistentVolume",
			metadata: {name: $name}, spec: {capacity: {storage: "100Gi"}, accessModes: ["ReadWriteOnce"],
				persistentVolumeReclaimPolicy: "Retain", storageClassName: "longhorn", local: {path: $path},
				nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: "kubernetes.io/hostname",
					operator: "In", values: [$node]}]}]}}}}'
	done
}

kube() { local n=$1; shift; on "$n" kubectl -n database --request-timeout=5s "$@"; }
# standing NODE: asks the API there; "postgres-N": the primary.
primary() { kube "$1" get pods -l app.kubernetes.io/name=postgres,role=primary -o 'jsonpath={.items[*].metadata.name}' 2>/dev/null; }
node_of() { kube "$1" get pod "$2" -o 'jsonpath={.spec.nodeName}'; }
cluster_show() { kube "$1" exec "$2" -- repmgr cluster show 2>/dev/null; }
# whole_database NODE: one primary and two running standbys, as repmgr says.
whole_database() {
	local p
	p=$(primary "$1") && [ -n "$p" ] || return
	case $p in *' '*) return 1 ;; esac
	cluster_show "$1" "$p" | awk -F '|' '/primary/ && /\* running/ {p++} /standby/ && /  running/ {s++} END {exit !(p == 1 && s == 2)}'
}
sql() { kube "$1" exec "$2" -- psql -h /run/postgresql -U phoenix -d gitea -XAtqc "$3"; }
# writes NODE: by whoever is the primary now; the row's number.
writes() { local p; p=$(primary "$1") && sql "$1" "$p" 'INSERT INTO w DEFAULT VALUES RETURNING n' 2>/dev/null; }
moved() { local p; p=$(primary "$1") && [ -n "$p" ] && [ "$p" != "$2" ] && writes "$1"; }
told() {
	kube "$1" get pods -o wide
	kube "$1" get lease postgres -o yaml
	kube "$1" get events | tail -n 20
	for p in 0 1 2; do kube "$1" logs "postgres-$p" --tail=40; done
}
expect() { local limit=$1 what=$2; shift 2; wait_for "$limit" "$@" || { told "$A" >&2 || true; fail "$what: not within $limit s"; }; }

check_pod_killed() {
	local p began
	p=$(primary "$A")
	began=$SECONDS
	kube "$A" delete pod "$p" --force --grace-period=0 >/dev/null
	expect 60 'another is the primary' moved "$A" "$p"
	figure "pod of the primary deleted at once: writes again after $((SECONDS - began)) s"
	expect 120 'three again' whole_database "$A"
}

check_node_cut() {
	local p n other
	p=$(primary "$A") n=$(node_of "$A" "$p")
	for other in "${NODES[@]}"; do [ "$other" = "$n" ] || break; done
	lab cut "$n"
	SECONDS_BEFORE=$SECONDS
	# (the dead pod keeps its label: who is the primary stands in the Lease)
	expect 60 'another holds the Lease and writes' writes_elsewhere "$other" "$p"
	figure "power of the primary's node cut: writes again after $((SECONDS - SECONDS_BEFORE)) s"
	lab boot "$n"
	expect 180 'three again' whole_database "$other"
}
writes_elsewhere() {
	local p
	p=$(kube "$1" get lease postgres -o 'jsonpath={.metadata.annotations.phoenix/pod}' 2>/dev/null) && [ "$p" != "$2" ] &&
		sql "$1" "$p" 'INSERT INTO w DEFAULT VALUES RETURNING n' 2>/dev/null
}

case_run() {
	local n began rows
	lab prepare
	for n in "${NODES[@]}"; do
		mkdir -p "$(node_dir "$n")/upper/$FOLDER"
		cp "$REPO/firstboot/manifests/50-database.yaml" "$(node_dir "$n")/upper/$FOLDER/"
	done
	step form
	lab boot "${NODES[@]}"
	within "$FORM_LIMIT" "three Nodes are Ready" nodes_ready "$A" 3
	for n in "${NODES[@]}"; do on "$n" mkdir -p "$DATA"; done
	volumes | on "$A" kubectl apply -f - >/dev/null
	began=$SECONDS
	step 'the database'
	expect 180 'one primary, two standbys' whole_database "$A"
	figure "one primary and two standbys after $((SECONDS - began)) s"
	cluster_show "$A" "$(primary "$A")"
	sql "$A" "$(primary "$A")" 'CREATE TABLE w (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)'
	must 'a row is written' writes "$A"
	step 'the pod of the primary'; check_pod_killed
	step 'the node of the primary'; check_node_cut
	rows=$(sql "$A" "$(primary "$A")" 'SELECT count(*) FROM w')
	must 'rows are there' test "$rows" -ge 3
	step 'the poolers'
	kube "$A" get pods -o wide
	kube "$A" logs ds/pooler --tail=20 || true
}
