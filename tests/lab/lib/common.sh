# shellcheck shell=bash
# shellcheck disable=SC2034 # set here, used in the other files
# Names, places and messages: everything else in the lab stands on this file.

# The three nodes, the one place that knows them. They are those of
# cloud-init/examples/three-nodes/phoenix.yaml.
NODES=(phoenix-a phoenix-b phoenix-c)
declare -A NODE_ADDRESS=(
	[phoenix-a]=192.0.2.11 [phoenix-b]=192.0.2.12 [phoenix-c]=192.0.2.13
)
declare -A NODE_MAC=(
	[phoenix-a]=52:54:00:00:00:0a [phoenix-b]=52:54:00:00:00:0b [phoenix-c]=52:54:00:00:00:0c
)
GATEWAY=192.0.2.1
PREFIX=24
HTTP_PORT=8099

EXIT_FAILED=1 EXIT_USAGE=2 EXIT_NOTHING=3

# One line on standard error: what happened, where, what to do.
say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$@"; exit "$EXIT_FAILED"; }
usage_error() { say "$@"; say "see \`$0 help'"; exit "$EXIT_USAGE"; }

# Every name the kernel sees contains the lab's name, so that two labs on one
# machine never meet.
places_set() {
	LAB=${PHOENIX_LAB:-lab}
	# Machine names are limited to 64 characters; "phoenix-lab-NAME-phoenix-a".
	[[ $LAB =~ ^[a-z0-9][a-z0-9-]{0,29}$ ]] ||
		usage_error "PHOENIX_LAB=$LAB: up to 30 of a-z, 0-9 and -, beginning with a letter or digit"
	REPO=$(cd "$LAB_HOME/../.." && pwd)
	LABS=${PHOENIX_LAB_DIR:-$REPO/build/lab}
	case $LABS in /*) ;; *) LABS=$PWD/$LABS ;; esac
	STATE=$LABS/$LAB
	TAG=phoenix-lab-$LAB            # network namespace, cgroups
	STAGE=${PHOENIX_LAB_STAGE:-$LABS/stage}
	PARTS=${PHOENIX_PARTS:-/opt/phoenix}
	DATA_SIZE=${PHOENIX_LAB_DATA_SIZE:-8G}
	CLAIMS=/run/phoenix-lab         # NAME -> state folder of every lab of this machine
	# shellcheck source=image/lib/cache.sh
	. "$REPO/image/lib/cache.sh"
	CACHE=$(cache_folder)
}

node_dir() { printf '%s/nodes/%s' "$STATE" "$1"; }
node_known() { [ -n "${NODE_ADDRESS[${1:-}]:-}" ]; }
node_check() {
	node_known "${1:-}" || usage_error "no node \`${1:-}': there are ${NODES[*]}"
}
node_exists() {
	[ -d "$(node_dir "$1")" ] || die "lab $LAB has no nodes yet: run \`$0 up' or \`$0 prepare' first"
}

root_check() {
	[ "$(id -u)" = 0 ] || die "the lab boots containers and needs root: run it as root"
}

# Commands that change a lab exclude each other. The descriptor is closed in
# everything that outlives the command (see supervisor_start). `down' removes the
# file while it holds it: who waited for that one begins again with the new one.
lab_lock() {
	local file=$CLAIMS/$LAB.lock
	mkdir -p "$CLAIMS"
	exec {LOCK_FD}>"$file"
	until lock_take && [ "/dev/fd/$LOCK_FD" -ef "$file" ]; do
		exec {LOCK_FD}>&-
		exec {LOCK_FD}>"$file"
	done
}
lock_take() {
	flock -w "${PHOENIX_LAB_LOCK_WAIT:-120}" "$LOCK_FD" ||
		die "lab $LAB is being changed by another command: wait for it, or use another PHOENIX_LAB"
}

# A lab's name belongs to one state folder as long as the lab exists.
lab_claim() {
	local owner
	owner=$(cat "$CLAIMS/$LAB" 2>/dev/null || true)
	if [ -n "$owner" ] && [ "$owner" != "$STATE" ] && [ -d "$owner" ]; then
		die "lab $LAB exists already with its state in $owner: set PHOENIX_LAB to another name"
	fi
	mkdir -p "$STATE"
	printf '%s\n' "$STATE" >"$CLAIMS/$LAB"
}

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}
