# shellcheck shell=bash
# Process groups. A node's processes are in one group of the unified hierarchy,
# which is what a power cut kills; on a machine with cgroup v1 also in one group
# of each v1 hierarchy, which the node's own systemd and K3s use.

if [ "$(stat -fc %T /sys/fs/cgroup 2>/dev/null)" = cgroup2fs ]; then
	CG_V1=0 CG_ROOT=/sys/fs/cgroup
else
	CG_V1=1 CG_ROOT=/sys/fs/cgroup/unified
fi

cg_of() { printf '%s/%s/%s' "$CG_ROOT" "$TAG" "$1"; }

# cg_join NAME: moves the calling shell into the lab's group NAME.
cg_join() {
	local dir
	dir=$(cg_of "$1")
	mkdir -p "$dir"
	if [ "$CG_V1" = 0 ]; then
		echo '+cpu +memory +pids' >"$CG_ROOT/cgroup.subtree_control" 2>/dev/null || true
		echo '+cpu +memory +pids' >"${dir%/*}/cgroup.subtree_control" 2>/dev/null || true
	fi
	echo "$BASHPID" >"$dir/cgroup.procs"
}

# The v1 groups stay below the group the lab was called in: that one may carry
# limits, and on some machines it is the only one that may be changed.
cg_join_v1() {
	local line lines names path dir
	[ "$CG_V1" = 1 ] || return 0
	# Read at once: the file changes with every group joined.
	mapfile -t lines </proc/self/cgroup
	for line in "${lines[@]}"; do
		IFS=: read -r _ names path <<<"$line"
		[ -n "$names" ] || continue # the unified one
		path=${path%%/"$TAG"/*}
		dir=/sys/fs/cgroup/${names#name=}${path%/}/$TAG
		mkdir -p "$dir/$1"
		case ,$names, in *,cpuset,*) cg_cpuset "$dir" "$1" ;; esac
		echo "$BASHPID" >"$dir/$1/cgroup.procs"
	done
}

# A new cpuset is empty, and nothing can join it before it has processors.
cg_cpuset() {
	local f
	for f in cpuset.cpus cpuset.mems; do
		cat "$1/../$f" >"$1/$f"
		cat "$1/$f" >"$1/$2/$f"
	done
	echo 1 >"$1/$2/cgroup.clone_children"
}

cg_empty() {
	[ ! -d "$1" ] || [ -z "$(find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null)" ]
}

# cg_kill DIR: everything in it at once, and wait until it is gone.
cg_kill() {
	[ -d "$1" ] || return 0
	echo 1 >"$1/cgroup.kill"
	wait_for 30 cg_empty "$1" || die "processes of $1 do not end: see $1/cgroup.procs"
}

# cg_remove NODE|'': the empty groups of a node, or of the whole lab. A group can
# stay busy for an instant after its last process.
cg_remove() {
	wait_for 5 cg_removed "$1" ||
		say "process groups could not be removed: $(cg_dirs "$1" | tr '\n' ' ')"
}
cg_removed() {
	cg_dirs "$1" | xargs -r rmdir 2>/dev/null || true
	[ -z "$(cg_dirs "$1")" ]
}
cg_dirs() {
	if [ -n "$1" ]; then
		find /sys/fs/cgroup -depth -type d \( -path "*/$TAG/$1" -o -path "*/$TAG/$1/*" \) 2>/dev/null
	else
		find /sys/fs/cgroup -depth -type d \( -path "*/$TAG" -o -path "*/$TAG/*" \) 2>/dev/null
	fi
}
