# shellcheck shell=bash
# Power: on, off, and commands inside a node.

# A node is on as long as its supervisor holds this lock.
power_lock() { printf '%s/power' "$(node_dir "$1")"; }
node_is_on() {
	local lock
	lock=$(power_lock "$1")
	[ -e "$lock" ] && ! flock --shared -n "$lock" true
}
node_is_off() { ! node_is_on "$1"; }

node_make() {
	mkdir -p "$(node_dir "$1")"
	: >"$(power_lock "$1")"
	root_new "$1"
	data_new "$1"
}

# The process that is PID 1 in the node.
node_leader() {
	local pid
	pid=$(cat "$(node_dir "$1")/nspawn.pid" 2>/dev/null) || return 1
	pid=$(pgrep -P "$pid" 2>/dev/null | head -n 1)
	[ -n "$pid" ] && printf '%s\n' "$pid"
}

# node_exec NODE COMMAND...: as root in the node; input and exit status pass.
# A process that enters a node keeps the rights it has on the machine: the one
# the node must not have is taken from it (see nspawn_arguments). A shell waits for
# it, not nsenter: a node that goes down stops every process for a moment, nsenter
# stops itself with its child, and with nobody to reap that one the node's pid
# namespace would never end.
node_exec() {
	local node=$1 pid term=${TERM:-dumb}
	shift
	pid=$(node_leader "$node") || { say "$node is off: \`$0 boot $node' first"; return 125; }
	nsenter --target "$pid" --mount --uts --ipc --net --pid --no-fork --cgroup --root --wd -- \
		/bin/sh -c '"$@"; exit $?' sh setpriv --bounding-set=-sys_time --inh-caps=-sys_time env -i PATH=/opt/k3s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root TERM="$term" LANG=C.UTF-8 SYSTEMD_COLORS=0 container=systemd-nspawn \
		KUBECONFIG=/etc/rancher/k3s/k3s.yaml "$@"
}

# node_answers NODE UNIT: the unit is active there.
node_answers() { timeout 5 "$0" exec "$1" -- systemctl is-active --quiet "$2" 2>/dev/null; }

# The settings of nspawn, one a line. Everything K3s and the product need of a
# real machine is allowed, except to set the clock, which is the machine's.
nspawn_arguments() {
	local node=$1 dir
	dir=$(node_dir "$node")
	k3s_find
	printf '%s\n' --quiet --directory="$dir/root" --boot --register=no --keep-unit \
		--machine="$TAG-$node" --hostname=blank --console=read-only --capability=all \
		--drop-capability=CAP_SYS_TIME --network-namespace-path="/run/netns/$(node_ns "$node")" \
		--resolv-conf=off --timezone=off --link-journal=no
	[ -z "$K3S_DIR" ] || printf '%s\n' --bind-ro="$K3S_DIR:/opt/lab/k3s"
	[ ! -d "$PARTS/images" ] || printf '%s\n' --bind-ro="$PARTS/images:/opt/lab/images"
	# From here on arguments of the node's PID 1, which stand for the kernel
	# command line.
	[ "$CG_V1" = 0 ] || printf '%s\n' SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 \
		systemd.unified_cgroup_hierarchy=0
	seed_arguments "$node"
}

# node_run NODE: one power cycle, in the foreground. The overlay is mounted in a
# mount namespace that ends with the node, so nothing is left to unmount.
node_run() {
	local dir arguments
	dir=$(node_dir "$1")
	mapfile -t arguments < <(nspawn_arguments "$1")
	(
		cg_join "$1"
		cg_join_v1 "$1"
		echo "$BASHPID" >"$dir/nspawn.pid"
		export SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes SYSTEMD_SECCOMP=0
		[ "$CG_V1" = 0 ] || export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0
		# nspawn mounts /sys before it enters the node's network, and a /sys shows
		# the network it was mounted in: so it starts there already.
		# shellcheck disable=SC2016 # expanded by the inner shell
		LOWER=$(cat "$dir/layer"):$BASE DIR=$dir exec nsenter --net="/run/netns/$(node_ns "$1")" -- \
			unshare --mount --propagation slave bash -ec '
			mount -t overlay overlay \
				-o "lowerdir=$LOWER,upperdir=$DIR/upper,workdir=$DIR/work" "$DIR/root"
			exec systemd-nspawn "$@"' _ "${arguments[@]}"
	)
}

# lab _supervise NODE: runs as long as the node has power. A reboot inside the
# node ends nspawn with status 133; like real hardware it finds a card and disks
# that know nothing of before.
cmd__supervise() {
	local node=$1 status lock
	base_ensure
	cg_join aux
	exec {lock}>"$(power_lock "$node")"
	# Somebody who asks whether the node is on holds it for a moment.
	flock -w 10 "$lock" || exit 0
	while [ ! -e "$(node_dir "$node")/cut" ]; do
		net_plug "$node"
		disks_attach "$node"
		status=0
		node_run "$node" {lock}>&- || status=$?
		echo "lab: $node: nspawn ended with status $status" >&2
		rm -f "$(node_dir "$node")/nspawn.pid"
		cg_kill "$(cg_of "$node")"
		[ "$status" = 133 ] || break
	done
	net_unplug "$node"
	disks_detach "$node"
	cg_remove "$node"
}

supervisor_start() {
	node_exists "$1"
	! node_is_on "$1" || return 0
	rm -f "$(node_dir "$1")/cut"
	(
		[ -z "${LOCK_FD:-}" ] || exec {LOCK_FD}>&-
		exec setsid "$0" _supervise "$1" </dev/null >>"$(node_dir "$1")/console.log" 2>&1
	) &
	wait_for 10 node_is_on "$1" || die "$1 does not start: see $(node_dir "$1")/console.log"
}

# lab boot NODE... [--no-wait]: power on, and wait until the early boot is over
# (cloud-init has set name and address). multi-user.target may come much later:
# the product's first boot may belong to it.
cmd_boot() {
	local n nodes=() wait=1
	for n in "$@"; do
		case $n in
		--no-wait) wait=0 ;;
		*) node_check "$n"; nodes+=("$n") ;;
		esac
	done
	[ ${#nodes[@]} -gt 0 ] || usage_error "boot NODE... [--no-wait]"
	base_ensure
	for n in "${nodes[@]}"; do supervisor_start "$n"; done
	[ "$wait" = 1 ] || return 0
	for n in "${nodes[@]}"; do
		wait_for "${PHOENIX_LAB_BOOT_LIMIT:-120}" node_answers "$n" basic.target ||
			die "$n does not come up: see \`$0 logs $n --console'"
	done
}

# lab cut NODE...: the plug is pulled: every process dies at once. What the
# node had written stays in the machine's page cache, it is not lost.
cmd_cut() {
	local n
	[ $# -gt 0 ] || usage_error "cut NODE..."
	for n in "$@"; do node_check "$n"; node_exists "$n"; done
	for n in "$@"; do
		touch "$(node_dir "$n")/cut"
		[ ! -d "$(cg_of "$n")" ] || echo 1 >"$(cg_of "$n")/cgroup.kill"
	done
	for n in "$@"; do
		# A node that was between two power cycles may have started since.
		until wait_for 2 node_is_off "$n"; do
			cg_kill "$(cg_of "$n")"
		done
	done
}

# lab exec NODE -- COMMAND...
cmd_exec() {
	node_check "${1:-}"
	local node=$1
	shift
	[ "${1:-}" != -- ] || shift
	[ $# -gt 0 ] || set -- bash -l
	node_exec "$node" "$@"
}

# lab logs NODE [--console | journalctl options]: works on a node that is off too.
cmd_logs() {
	node_check "${1:-}"; node_exists "$1"
	local node=$1 dir
	dir=$(node_dir "$node")
	shift
	if [ "${1:-}" = --console ]; then
		cat "$dir/console.log"
	elif node_is_on "$node" && node_leader "$node" >/dev/null; then
		node_exec "$node" journalctl --no-pager "$@"
	elif [ -d "$dir/upper/var/log/journal" ]; then
		journalctl --no-pager --quiet --directory="$dir/upper/var/log/journal" "$@"
	fi
}
