# shellcheck shell=bash
# The node that founds the cluster loses its power within the milliseconds between
# making etcd's log and the first entry in it. Etcd never comes out of that by
# itself; nobody was promised anything by such a log, so it is begun anew.
# needs: product k3s
# list: full
# limit: 900

TRIES=6

# Process 1 of the first node, once it has begun: seen from outside, files are looked
# at without a process for each look.
leader() { pgrep -P "$(cat "$(node_dir "$A")/nspawn.pid" 2>/dev/null || echo 0)" | head -n 1; }
k3s_prepared() {
	local pid
	pid=$(leader) && [ -e "/proc/$pid/root/etc/rancher/k3s/config.yaml" ]
}

# cut_at_log END: switches all on, and the first off the moment that its log is there.
cut_at_log() {
	local pid wal group idle
	lab boot --no-wait "${NODES[@]}"
	group=$(cg_of "$A")
	within 90 "$A prepares K3s" k3s_prepared
	pid=$(leader)
	wal=/proc/$pid/root/var/lib/rancher/k3s/server/db/etcd/member/wal
	# a pause of two milliseconds without a process of its own
	exec {idle}<> <(:)
	until compgen -G "$wal/*.wal" >/dev/null; do
		read -r -t 0.002 -u "$idle" || true
		[ "$SECONDS" -lt "$1" ] || fail "$A makes no log within $FORM_LIMIT s"
	done
	echo 1 >"$group/cgroup.kill"
	exec {idle}>&-
	lab cut "$A"
}

case_run() {
	local i n
	lab prepare
	for ((i = 1; i <= TRIES; i++)); do
		step "try $i"
		cut_at_log $((SECONDS + FORM_LIMIT))
		lab boot --no-wait "$A"
		whole "$FORM_LIMIT"
		[ "$(aside "$A")" = 0 ] || { figure "the moment was met by try $i"; return 0; }
		lab cut "${NODES[@]}"
		for n in "${NODES[@]}"; do lab wipe "$n"; done
	done
	fail "the moment was not met in $TRIES tries"
}
