# shellcheck shell=bash disable=SC2086,SC2016 # node names hold no spaces; what is in single quotes is for the node
# The cluster figures: phoenix against the same K3s on the same nodes, prepared by hand. "By hand" is given everything that phoenix has to find
# out or do: the data disk is formatted, the very configuration, token and CAs that phoenix wrote lie ready, K3s is enabled with its own unit's
# restart policy, nodes 2 and 3 name node 1.

LAB=$REPO/tests/lab/lab
export PHOENIX_LAB=bench$$
PAIRS=${PHOENIX_BENCH_PAIRS:-7}
A=phoenix-a B=phoenix-b C=phoenix-c
HAND=

# What the figures need and this machine has not, or nothing.
bench_lacks() { if [ "$(id -u)" = 0 ]; then "$LAB" missing; else echo root; fi; }

on() { "$LAB" exec "$1" -- "${@:2}"; }
lab_env() { eval "$("$LAB" env)"; }

# api NODE PATH: as its admin, by a program that costs the machine next to nothing: kubectl takes a fifth of a second of one of two cores for
# each question, from both sides of the comparison.
api() {
	local pid tls
	pid=$(pgrep -P "$(cat "$LAB_STATE/nodes/$1/nspawn.pid" 2>/dev/null)" 2>/dev/null | head -n 1)
	[ -n "$pid" ] || return 0
	tls=/proc/$pid/root/var/lib/rancher/k3s/server/tls
	nsenter --target "$pid" --net -- curl -s -m 3 --cacert "$tls/server-ca.crt" --cert "$tls/client-admin.crt" --key "$tls/client-admin.key" \
		"https://127.0.0.1:6443$2" 2>/dev/null || true
}

is_ready='any(.status.conditions[]?; .type == "Ready" and .status == "True")'
ready_nodes() { api "$1" /api/v1/nodes | jq "[.items[]? | select($is_ready)] | length" 2>/dev/null || true; }

# lost WHAT: keeps what the nodes have to say of a run that did not end.
lost() {
	local n dir=$REPO/build/lab/logs/bench
	mkdir -p "$dir"
	for n in $A $B $C; do
		"$LAB" logs $n --console >"$dir/$n.console" 2>&1 || true
		timeout 60 "$LAB" logs $n -o short-precise >"$dir/$n.journal" 2>&1 || true
	done
	on $A phoenix status >"$dir/status" 2>&1 || true
	api $A /api/v1/nodes >"$dir/nodes.json"
	echo "$1: see $dir" >&2
}

# until_ready COUNT VIA START: milliseconds from START until COUNT nodes are Ready.
until_ready() {
	local limit=$(($(now_ms) + 300000)) n
	until n=$(ready_nodes "$2"); [ "${n:-0}" -ge "$1" ]; do
		[ "$(now_ms)" -lt "$limit" ] || { lost "no $1 Ready nodes in 300 s"; return 1; }
		sleep 0.3
	done
	echo $(($(now_ms) - $3))
}

bench_down() {
	"$LAB" down >/dev/null 2>&1 || true
	[ -z "$HAND" ] || rm -rf "$HAND"
}

stamp() { on "$1" systemctl show "$2" -p "$3" --value; }

# One cluster by phoenix; sets T (ms), OWN (s), RESTARTS, RSS (MB), CPU (s).
by_phoenix() {
	local n start cpu kb
	"$LAB" down >/dev/null 2>&1
	"$LAB" prepare >/dev/null 2>&1
	lab_env
	start=$(now_ms)
	"$LAB" boot --no-wait $A $B $C >/dev/null
	T=$(until_ready 3 $A "$start")
	RESTARTS=0 RSS=0 CPU=0
	for n in $A $B $C; do
		RESTARTS=$((RESTARTS + $(stamp $n k3s NRestarts)))
		read -r kb cpu < <(on $n sh -c 'p=$(systemctl show -p MainPID --value phoenix-firstboot)
			awk "/VmHWM/{print \$2}" /proc/$p/status | tr "\n" " "
			awk "{print (\$14+\$15+\$16+\$17)/100}" /proc/$p/stat')
		RSS=$(jq -n "[$RSS, $kb / 1024] | max")
		CPU=$(jq -n "[$CPU, $cpu] | max")
	done
	OWN=$(own)
}

# started UNIT: when each node's was, as a list for jq. One kernel, one monotonic clock for all nodes; microseconds.
started() {
	local n
	for n in $A $B $C; do stamp $n "$1" ExecMainStartTimestampMonotonic; done | paste -sd ,
}

# etcd_serves NODE: when its etcd began to answer, so that it could be joined.
etcd_serves() {
	on "$1" journalctl -b -u k3s -o json --output-fields=MESSAGE --no-pager |
		jq -s 'map(select(.MESSAGE | strings | contains("ready to serve client requests")))[0].__MONOTONIC_TIMESTAMP | tonumber'
}

# phoenix's share of the path, seconds: from the moment that the last of the three runs phoenix until the first one's K3s is started, and from
# the moment that this one's etcd can be joined until the last joiner's K3s is started.
own() {
	local k3s begun served
	k3s=$(started k3s) begun=$(started phoenix-firstboot) served=$(etcd_serves $A)
	# microseconds
	jq -n "([$k3s][0] - ([$begun] | max) + ([$k3s] | max) - $served) / 1e3 | round / 1000"
	jq -nr "[[$k3s][0] - ([$begun] | max), ([$k3s] | max) - $served] | map(. / 1e3 | round) |
		\"own: \\(.[0]) ms until the first K3s, \\(.[1]) ms from its etcd to the last K3s\"" >&2
}

# What phoenix wrote is what "by hand" is given.
harvest() {
	local n
	HAND=$(mktemp -d)
	for n in $A $B $C; do
		mkdir -p "$HAND/$n"
		on $n tar -C / --exclude=10-phoenix-server.yaml --exclude=k3s.yaml -cf - etc/rancher/k3s | tar -C "$HAND/$n" -xf -
		on $n tar -C / -cf - var/lib/rancher/k3s/agent/etc/kubelet.conf.d 2>/dev/null | tar -C "$HAND/$n" -xf - || true
	done
	on $A sh -c 'cd /var/lib/rancher/k3s/server/tls && tar -cf - server-ca.* client-ca.* request-header-ca.* etcd/peer-ca.* etcd/server-ca.* service.key' >"$HAND/tls.tar"
}

# Puts what was harvested on NODE, which is off and blank; JOIN is the server's address or empty.
hand_node() {
	local n=$1 join=$2 dir mnt
	lab_env
	dir=$LAB_STATE/nodes/$n
	mkdir -p "$dir/upper/etc/systemd/system/multi-user.target.wants" "$dir/upper/etc/rancher/k3s/config.yaml.d" "$dir/upper/var/lib/rancher"
	cp -a "$HAND/$n/etc/rancher/k3s/." "$dir/upper/etc/rancher/k3s/"
	ln -sf /dev/null "$dir/upper/etc/systemd/system/phoenix-firstboot.service"
	if [ -n "$join" ]; then
		echo "server: https://$join:6443" >"$dir/upper/etc/rancher/k3s/config.yaml.d/10-server.yaml"
	else
		echo "cluster-init: true" >"$dir/upper/etc/rancher/k3s/config.yaml.d/10-init.yaml"
	fi
	sed -e '/^ConditionPathExists/d; /^EnvironmentFile/d; s/ \$PHOENIX_K3S_ARGS//; s/^RestartSec=.*/RestartSec=5s/' \
		-e 's/^\[Service\]/Requires=hand.service\nAfter=hand.service\n&/' "$REPO/units/k3s.service" >"$dir/upper/etc/systemd/system/k3s.service"
	cat >"$dir/upper/etc/systemd/system/hand.service" <<-'EOF'
		[Unit]
		After=cloud-init.service cloud-init-network.service network.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c 'mount /dev/disk/by-id/virtio-phoenix-data /var/lib/rancher'
	EOF
	ln -sf /etc/systemd/system/k3s.service "$dir/upper/etc/systemd/system/multi-user.target.wants/k3s.service"
	mnt=$(mktemp -d)
	mkfs.ext4 -q -F -m 0 -L hand "$dir/data.img"
	mount -o loop "$dir/data.img" "$mnt"
	mkdir -p "$mnt/k3s/server/tls"
	[ -n "$join" ] || tar -C "$mnt/k3s/server/tls" -xf "$HAND/tls.tar"
	cp -a "$HAND/$n/var/lib/rancher/." "$mnt/" 2>/dev/null || true
	umount "$mnt"
	rmdir "$mnt"
}

# One cluster by hand; sets T.
by_hand() {
	local n start
	for n in $A $B $C; do "$LAB" cut $n >/dev/null; "$LAB" wipe $n >/dev/null; done
	hand_node $A ''
	hand_node $B 192.0.2.11
	hand_node $C 192.0.2.11
	start=$(now_ms)
	"$LAB" boot --no-wait $A $B $C >/dev/null
	T=$(until_ready 3 $A "$start")
}

bench_form() {
	local i ratios=() own=() restarts=() rss=() cpu=() mine
	trap bench_down EXIT
	for ((i = 0; i < PAIRS; i++)); do
		by_phoenix
		mine=$T
		own+=("$OWN") restarts+=("$RESTARTS") rss+=("$RSS") cpu+=("$CPU")
		[ -n "$HAND" ] || harvest
		by_hand
		ratios+=("$(jq -n "$mine / $T * 1000 | round / 1000")")
		echo "pair $((i + 1)): phoenix $mine ms ($RESTARTS restarts), by hand $T ms" >&2
	done
	figure firstboot-overhead ratio "the same K3s prepared by hand" "${ratios[@]}"
	figure firstboot-restarts count "0" "${restarts[@]}"
	figure firstboot-own-seconds s "-" "${own[@]}"
	figure firstboot-rss-mb MB "-" "${rss[@]}"
	figure firstboot-cpu-s s "-" "${cpu[@]}"
}

# A node is cut, wiped and switched on; until it is Ready again. K3s marks a new Node for the removal of its member (a finalizer, then the
# label of the role, then the member's name) only some seconds after it is Ready; deleted before that, the member stays for ever and keeps the
# name out (seen twice, by hand; phoenix removes such a member itself), so both sides come to rest first.
bench_rejoin() {
	local i mine start ratios=()
	trap bench_down EXIT
	for ((i = 0; i < PAIRS; i++)); do
		by_phoenix
		[ -n "$HAND" ] || harvest
		at_rest
		start=$(now_ms)
		"$LAB" cut $C >/dev/null && "$LAB" wipe $C >/dev/null
		"$LAB" boot --no-wait $C >/dev/null
		rejoined "$start"
		mine=$T
		by_hand
		at_rest
		start=$(now_ms)
		"$LAB" cut $C >/dev/null && "$LAB" wipe $C >/dev/null
		hand_node $C 192.0.2.11
		"$LAB" boot --no-wait $C >/dev/null
		on $A kubectl delete node $C --wait=false >/dev/null
		rejoined "$start"
		ratios+=("$(jq -n "$mine / $T * 1000 | round / 1000")")
		echo "pair $((i + 1)): phoenix $mine ms, by hand $T ms" >&2
	done
	figure rejoin-overhead ratio "the same by hand" "${ratios[@]}"
}

is_marked='any(.finalizers[]?; contains("etcd")) and .labels["node-role.kubernetes.io/etcd"] and .annotations["etcd.k3s.cattle.io/node-name"]'
at_rest() {
	local limit=$(($(now_ms) + 120000))
	until [ "$(api $A /api/v1/nodes | jq "[.items[]?.metadata | select($is_marked)] | length")" = 3 ]; do
		[ "$(now_ms)" -lt "$limit" ] || { lost "K3s does not mark its Nodes in 120 s"; return 1; }
		sleep 1
	done
}

# Ready again means a new Node object: the old one goes on looking Ready for a while.
rejoined() {
	local limit=$(($(now_ms) + 300000)) born
	born=$(date -u -d "@$(($1 / 1000))" +%Y-%m-%dT%H:%M:%SZ)
	until api $A /api/v1/nodes/$C | jq -e --arg t "$born" ".metadata.creationTimestamp >= \$t and $is_ready" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$limit" ] || { lost "$C not back in 300 s"; return 1; }
		sleep 0.3
	done
	T=$(($(now_ms) - $1))
}
