# shellcheck shell=bash
# The lab as a whole: up, down, status, and watching the nodes become a cluster.

# lab prepare [--bare]: everything but the power: network, roots, disks, seeds.
cmd_prepare() {
	local n
	up_options "$@"
	host_packages
	base_ensure
	[ "$BARE" = 1 ] || [ -n "${PHOENIX_LAB_STAGE:-}" ] || cmd_build
	k3s_fetch
	lab_claim
	net_up
	if [ ! -d "$STATE/nodes" ]; then
		seeds_make "$STATE/seeds"
		for n in "${NODES[@]}"; do
			loop_detach "$(node_dir "$n")/data.img"
			seed_set "$n" "$STATE/seeds/$n" "${PHOENIX_LAB_SEED_AS:-}"
			node_make "$n"
		done
	fi
}

up_options() {
	BARE=0 WATCH=1 LIMIT=${PHOENIX_LAB_LIMIT:-600}
	while [ $# -gt 0 ]; do
		case $1 in
		--bare) BARE=1 ;;
		--no-wait) WATCH=0 ;;
		--limit) [ $# -ge 2 ] || usage_error "--limit SECONDS"; LIMIT=$2; shift ;;
		*) usage_error "no option \`$1'" ;;
		esac
		shift
	done
}

# lab up: three nodes with power; on a lab that is there, those that are off.
cmd_up() {
	cmd_prepare "$@"
	cmd_boot "${NODES[@]}"
	say "$LAB: ${NODES[*]} have booted ($SECONDS s)"
	if [ "$BARE" = 1 ] || [ "$WATCH" = 0 ]; then return 0; fi
	if [ ! -x "$STAGE/usr/bin/phoenix" ]; then
		say "the product is not installed in them ($STAGE/usr/bin/phoenix is missing)"
		return 0
	fi
	exec {LOCK_FD}>&- # watching changes nothing: cut and boot are allowed meanwhile
	cluster_watch
}

# What a node says about itself: the state, then the step it is at. No answer
# (off, or nothing written yet) is a line too.
node_says() {
	timeout 10 "$0" exec "$1" -- cat /run/phoenix/status.json 2>/dev/null |
		jq -r '[.state, .step?, .text?] | map(select(. != null and . != "")) | join(": ")' 2>/dev/null || echo 'no status yet'
}

# cluster_ready: how many nodes the API calls Ready, asked through any node.
cluster_ready() {
	local n count
	for n in "${NODES[@]}"; do
		count=$(timeout 15 "$0" exec "$n" -- kubectl get nodes --request-timeout=5s -o json 2>/dev/null |
			jq '[.items[].status.conditions[]? | select(.type == "Ready" and .status == "True")] | length' 2>/dev/null) || continue
		[ -z "$count" ] || { printf '%s\n' "$count"; return 0; }
	done
	echo 0
}

cluster_watch() {
	local n line end=$((SECONDS + LIMIT)) waiting
	declare -A last=()
	while [ "$SECONDS" -lt "$end" ]; do
		waiting=0
		for n in "${NODES[@]}"; do
			line=$(node_says "$n")
			case $line in *'forms the cluster'*'no /usr/local/bin/k3s'*) waiting=$((waiting + 1)) ;; esac
			[ "$line" != "${last[$n]:-}" ] || continue
			printf '%4d s  %-10s %s\n' "$SECONDS" "$n" "$line"
			last[$n]=$line
		done
		if [ "$waiting" = ${#NODES[@]} ]; then
			k3s_find
			[ -n "$K3S_MISSING" ] ||
				K3S_MISSING="the nodes were made before K3s was there: \`$0 down', then \`$0 up'"
			say "$K3S_MISSING"
			return "$EXIT_NOTHING"
		fi
		if [ "$(cluster_ready)" = ${#NODES[@]} ]; then
			up_told
			return 0
		fi
		sleep 1
	done
	die "no cluster of three after $LIMIT s: see \`$0 status' and \`$0 logs ${NODES[0]}'"
}

up_told() {
	cat <<-EOF
		three nodes are Ready after $SECONDS s
		  a shell in a node   $0 exec ${NODES[0]}
		  kubectl             $0 exec ${NODES[0]} -- kubectl get nodes
		  pull the plug       $0 cut ${NODES[2]}     and on again: $0 boot ${NODES[2]}
		  stop, clean up      $0 down
	EOF
}

# lab down [--all]: leaves nothing of the lab behind, whatever state the lab is in. It goes
# by names, not by what an earlier command noted.
cmd_down() {
	local lab
	case ${1:-} in
	'') lab_down ;;
	--all)
		# Only the labs of this state folder: others belong to other checkouts.
		for lab in "$LABS"/*/nodes "$CLAIMS"/*; do
			case $lab in
			*/nodes) lab=${lab%/nodes}; lab=${lab##*/} ;;
			*.lock) continue ;;
			*) [ "$(cat "$lab" 2>/dev/null)" = "$LABS/${lab##*/}" ] || continue; lab=${lab##*/} ;;
			esac
			[ "$lab" = '*' ] || PHOENIX_LAB=$lab "$0" down
		done
		;;
	*) usage_error "down [--all]" ;;
	esac
}

lab_down() {
	local f
	cg_kill "$CG_ROOT/$TAG"
	net_down
	for f in "$STATE"/nodes/*/data.img "$STATE"/nodes/*/seed/medium.img; do loop_detach "$f"; done
	loops_orphaned
	cg_remove ''
	rm -rf "$STATE"
	rmdir "$LABS" 2>/dev/null || true
	rm -f "$CLAIMS/$LAB" "$CLAIMS/$LAB.lock"
}

# Loop devices whose file was removed under them.
loops_orphaned() {
	local dev file
	losetup --noheadings --raw --output NAME,BACK-FILE | while read -r dev file; do
		case $file in "$STATE"/*) losetup --detach "$dev" || true ;; esac
	done
}

# lab status: a line per node.
cmd_status() {
	local n power
	[ -d "$STATE/nodes" ] || { say "lab $LAB: no nodes"; return "$EXIT_NOTHING"; }
	for n in "${NODES[@]}"; do
		if node_is_on "$n"; then power=on; else power=off; fi
		[ ! -e "$(node_dir "$n")/unplugged" ] || power="$power, no link"
		printf '%-10s %-13s %-13s seed: %-7s %s\n' "$n" "${NODE_ADDRESS[$n]}" "$power" \
			"$(seed_as "$n")" "$(! node_is_on "$n" || node_says "$n")"
	done
	[ ! -e "/run/netns/$TAG" ] || in_lab_net nft list table bridge lab 2>/dev/null | grep drop || true
}

# lab env: for `eval', in a script that works on the lab itself.
cmd_env() {
	printf 'PHOENIX_LAB=%q\nLAB_STATE=%q\nLAB_STAGE=%q\nLAB_CACHE=%q\nLAB_NETNS=%q\nLAB_GATEWAY=%q\n' \
		"$LAB" "$STATE" "$STAGE" "$CACHE" "$TAG" "$GATEWAY"
}
